export type { SqliteStoreOptions } from './open.js'
export { openSqliteStore } from './open.js'
