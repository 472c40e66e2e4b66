import { initial } from './0001-initial.js'
import type { Migration } from './migration.js'

export type { Migration } from './migration.js'

/** The version before the first migration. Vaults of it were never released, and are refused. */
export const VERSION_BEFORE = 1

/**
 * What brings a database from one schema version to the next: entry n leads from version n + 1 to n + 2, entry 0
 * from an empty database. Entries are only ever added, and never changed once released.
 */
export const MIGRATIONS: readonly Migration[] = [initial]

/** The newest schema version. */
export const SCHEMA_VERSION: number = VERSION_BEFORE + MIGRATIONS.length
