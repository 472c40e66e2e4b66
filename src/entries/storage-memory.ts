export type * from '../storage/contract.js'
export type { MemoryStore } from '../storage/memory/index.js'
export { createMemoryStore } from '../storage/memory/index.js'
