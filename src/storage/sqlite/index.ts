export { SqliteLocks } from './locks.js'
export type { SqliteStoreOptions } from './open.js'
export { openSqliteStore } from './open.js'
