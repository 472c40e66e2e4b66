import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { asColumns, asInteger, type Database } from './driver.js'
import { corruptError } from './errors.js'
import { MIGRATIONS } from './migrations/index.js'

/** Marks a database as ours: "KMUX" (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x4b4d5558

/** Turns an empty database into a vault of the newest schema. */
export function createSchema(database: Database): void {
  inTransaction(database, () => {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    apply(database, 0, MIGRATIONS)
  })
}

/**
 * Refuses what is not a vault, or a newer one, before anything is written to it.
 *
 * @returns whether it has the newest schema
 * @throws KeymuxError `vault_corrupt`, `vault_too_new`
 */
export function checkSchema(
  database: Database,
  path: string,
  migrations: readonly string[] = MIGRATIONS,
): boolean {
  if (pragma(database, 'application_id') !== APPLICATION_ID) throw corruptError(path, 'is not a vault')
  const version = pragma(database, 'user_version')
  if (version > migrations.length) throw tooNewError(path)
  if (version < 1) throw corruptError(path, 'is not a vault')
  return version === migrations.length
}

/**
 * Brings an older vault to the newest schema, in one transaction. Another process may have done so
 * meanwhile.
 *
 * @throws KeymuxError `vault_corrupt`, `vault_too_new`
 */
export function migrate(database: Database, path: string, migrations: readonly string[] = MIGRATIONS): void {
  inTransaction(database, () => {
    if (checkSchema(database, path, migrations)) return
    apply(database, pragma(database, 'user_version'), migrations)
  })
}

/** A newer keymux has written to the vault. */
export function tooNewError(path: string): KeymuxError {
  return new KeymuxError('vault_too_new', `${printable(path)} was written by a newer keymux`, {
    hint: 'upgrade keymux',
  })
}

function apply(database: Database, from: number, migrations: readonly string[]): void {
  for (const migration of migrations.slice(from)) database.exec(migration)
  database.exec(`PRAGMA user_version = ${migrations.length}`)
}

function inTransaction(database: Database, body: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    body()
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function pragma(database: Database, name: string): number {
  const statement = database.prepare(`PRAGMA ${name}`)
  statement.setReturnArrays(true)
  return asInteger(asColumns(statement.get())[0])
}
