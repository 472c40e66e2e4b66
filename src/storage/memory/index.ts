export type { MemoryStore } from './store.js'
export { createMemoryStore } from './store.js'
