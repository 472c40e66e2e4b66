import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { asColumns, asInteger, type Database } from './driver.js'
import { corruptError } from './errors.js'
import { MIGRATIONS, type Migration, VERSION_BEFORE } from './migrations/index.js'
import { hasSchema } from './schema.js'

/** Marks a database as ours: "KMUX" (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x4b4d5558

/** Turns an empty database into a vault of the newest schema. */
export function createSchema(database: Database): void {
  inTransaction(database, () => {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    apply(database, VERSION_BEFORE, MIGRATIONS)
  })
}

/**
 * Refuses what is not a vault, one of another time, and one whose schema is not to the letter that of its
 * version, before anything is written to it and before anything in it could run.
 *
 * @returns whether it has the newest schema
 * @throws KeymuxError `vault_corrupt`, `vault_too_new`, `vault_too_old`
 */
export function checkSchema(
  database: Database,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): boolean {
  if (pragma(database, 'application_id') !== APPLICATION_ID) throw corruptError(path, 'is not a vault')
  const steps = pragma(database, 'user_version') - VERSION_BEFORE
  if (steps > migrations.length) throw tooNewError(path)
  if (steps === 0) throw tooOldError(path)
  const last = migrations[steps - 1]
  if (last === undefined) throw corruptError(path, 'is not a vault')
  if (!hasSchema(database, last.schema)) throw corruptError(path, 'holds what no vault holds')
  return steps === migrations.length
}

/**
 * Brings an older vault to the newest schema, in one transaction. Another process may have done so
 * meanwhile.
 *
 * @throws KeymuxError `vault_corrupt`, `vault_too_new`, `vault_too_old`
 */
export function migrate(
  database: Database,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): void {
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

/** No version that wrote such a vault was released. */
function tooOldError(path: string): KeymuxError {
  return new KeymuxError(
    'vault_too_old',
    `${printable(path)} was written by an older keymux, in a format of its own`,
    {
      hint: 'export it with that keymux (keymux export --out FILE), and import the file into a new vault',
    },
  )
}

function apply(database: Database, from: number, migrations: readonly Migration[]): void {
  for (const { sql } of migrations.slice(from - VERSION_BEFORE)) database.exec(sql)
  database.exec(`PRAGMA user_version = ${VERSION_BEFORE + migrations.length}`)
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
