import { initial } from './0001-initial.js'

/**
 * What brings a database from one schema version to the next: entry n leads from version n to n + 1.
 * Entries are only ever added, and never changed once released.
 */
export const MIGRATIONS: readonly string[] = [initial]
