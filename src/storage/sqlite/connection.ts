import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { asColumns, type Database, type Driver } from './driver.js'
import { cannotOpen, readOnlyError, systemCode } from './errors.js'
import { companions, FileIdentity } from './files.js'
import { checkSchema, migrate } from './migrate.js'
import { prepareStatements, type Statements } from './statements.js'

/**
 * How a file is opened. `immutable` is for one that may only be read and was closed properly: SQLite neither
 * locks nor watches it, which is left to the store.
 */
export type Access = 'write' | 'read' | 'immutable'

/** An open vault file. */
export interface Connection {
  readonly database: Database
  readonly sql: Statements
  readonly access: Access
  /** The vault file and SQLite's companions of it. */
  readonly files: FileIdentity
}

/**
 * Once per connection. Nothing in the file may run code (`trusted_schema`), deleted content is overwritten
 * (`secure_delete`), a commit is on the disk when it returns (`synchronous`, and on macOS `fullfsync`), and
 * nothing spills into temporary files. Waiting for locks is done without blocking, by `whileBusy`.
 */
const SETTINGS = `
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA foreign_keys = ON;
  PRAGMA secure_delete = ON;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA checkpoint_fullfsync = ON;
  PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = 1000;
  PRAGMA journal_size_limit = 4194304;
`

/** A path as SQLite takes it, so that opening never creates a file. */
export function fileUrl(path: string, access: Access): string {
  const url = pathToFileURL(path).href.replace(/^file:\/\/(?!\/)/, 'file:////')
  return `${url}?mode=${access === 'write' ? 'rw' : access === 'read' ? 'ro' : 'ro&immutable=1'}`
}

/**
 * Opens the vault at `path` in the best way it permits. Throws SQLite's errors too, busy ones among them.
 *
 * A file that may only be read is opened as immutable when nobody is at work on it, because SQLite would
 * leave read-only companions beside it otherwise, or fail where it cannot make them.
 */
export function connect(driver: Driver, path: string): Connection {
  if (isWritable(path)) return connectAs(driver, path, 'write')
  if (!existsSync(`${path}-wal`)) return connectAs(driver, path, 'immutable')
  try {
    return connectAs(driver, path, 'read')
  } catch (error) {
    if (!cannotOpen(error) || hasUnmergedChanges(path)) throw error
    return connectAs(driver, path, 'immutable')
  }
}

function connectAs(driver: Driver, path: string, access: Access): Connection {
  const before = new FileIdentity([path])
  const database = driver.open(fileUrl(path, access))
  try {
    configure(database, path, access)
    const sql = prepareStatements(database)
    // The first read makes SQLite open, or make, the companions.
    sql.state.get()
    const files = new FileIdentity([path, ...companions(path)])
    if (!before.holds()) throw new KeymuxError('storage_unavailable', `${printable(path)} is being replaced`)
    return { database, sql, access, files }
  } catch (error) {
    database.close()
    throw error
  }
}

function configure(database: Database, path: string, access: Access): void {
  database.exec(SETTINGS)
  const current = checkSchema(database, path)
  if (access === 'write') {
    useWriteAheadLog(database, path)
    if (!current) migrate(database, path)
  } else if (!current) {
    throw readOnlyError(path)
  }
}

/** Sets the journal mode, which the file remembers. */
function useWriteAheadLog(database: Database, path: string): void {
  const statement = database.prepare('PRAGMA journal_mode = WAL')
  statement.setReturnArrays(true)
  if (asColumns(statement.get())[0] !== 'wal') {
    throw new KeymuxError(
      'storage_unavailable',
      `the file system of ${printable(path)} lacks shared memory`,
      {
        hint: 'keep the vault on a local disk',
      },
    )
  }
}

function isWritable(path: string): boolean {
  try {
    for (const file of [dirname(path), path, ...companions(path).filter((each) => existsSync(each))]) {
      accessSync(file, constants.W_OK)
    }
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return false
    throw error
  }
}

function hasUnmergedChanges(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
}
