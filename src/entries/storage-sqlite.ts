export type * from '../storage/contract.js'
export type { SqliteStoreOptions } from '../storage/sqlite/index.js'
export { openSqliteStore } from '../storage/sqlite/index.js'
