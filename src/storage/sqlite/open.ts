import { lstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import type { FileStore } from '../contract.js'
import { type Connection, connect, fileUrl } from './connection.js'
import { asColumns, asInteger, type Driver, loadDriver } from './driver.js'
import { busyError, existsError, storageError } from './errors.js'
import { inspectVaultFile } from './files.js'
import { createSchema } from './migrate.js'
import { ensureFolder, publishNewFile } from './publish.js'
import { SqliteStore } from './store.js'
import { throwIfAborted, whileBusy } from './wait.js'

/** Options of {@link openSqliteStore}. */
export interface SqliteStoreOptions {
  /** Make the file, and its folder, where there is none. Default false. */
  readonly create?: boolean | undefined
  /**
   * Make the file, and refuse one that is there. A file that nobody has written to yet is taken over: it
   * is what a creation leaves that was interrupted between making the file and filling it. Of several who
   * do so at once, one can write; the first write of the others rejects with `vault_exists`. Default false.
   */
  readonly mustNotExist?: boolean | undefined
  /** Gives up waiting for other processes. */
  readonly signal?: AbortSignal | undefined
  /** How long to wait for another process's transaction, in milliseconds. Default 5000. */
  readonly busyTimeoutMs?: number | undefined
  /** A clock that never goes back, in milliseconds. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

const BUSY_TIMEOUT_MS = 5000

/**
 * Opens the vault file at `path`.
 *
 * While it is open, no other code of this process may open and close the file itself: POSIX would drop
 * SQLite's locks (https://sqlite.org/howtocorrupt.html).
 *
 * @throws KeymuxError `vault_not_found`, `vault_exists`, `vault_corrupt`, `vault_too_new`,
 *   `vault_too_old`, `unsafe_permissions`, `storage_unavailable`, `storage_read_only`, `storage_full`,
 *   `storage_busy`, `aborted`, `invalid_value` for a path that cannot be one
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<FileStore> {
  throwIfAborted(options.signal)
  if (path === '' || path.includes('\0')) {
    throw new KeymuxError('invalid_value', 'the path of the vault is empty or holds a zero byte')
  }
  const file = resolve(path)
  const driver = await loadDriver()
  try {
    return options.mustNotExist === true
      ? await makeNew(driver, file, options)
      : await openOrCreate(driver, file, options)
  } catch (error) {
    throw storageError(error, file)
  }
}

async function openOrCreate(driver: Driver, file: string, options: SqliteStoreOptions): Promise<FileStore> {
  if (inspectVaultFile(file) === undefined) {
    if (options.create !== true) {
      throw new KeymuxError('vault_not_found', `there is no vault at ${printable(file)}`, {
        hint: 'keymux init',
      })
    }
    // Where another process was faster, its file is as good as ours once it has been inspected.
    if (!(await createFile(driver, file))) inspectVaultFile(file)
  }
  return makeStore(driver, file, await connectWhenFree(driver, file, options), options)
}

async function makeNew(driver: Driver, file: string, options: SqliteStoreOptions): Promise<FileStore> {
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined && (await createFile(driver, file))) {
    return makeStore(driver, file, await connectWhenFree(driver, file, options), options)
  }
  const connection = await takeOver(driver, file, options)
  if (lastChange(connection) !== 0) {
    connection.database.close()
    throw existsError(file)
  }
  return makeStore(driver, file, connection, options)
}

/** Opens what is there already. Whatever is wrong with it, the answer is that it exists. */
async function takeOver(driver: Driver, file: string, options: SqliteStoreOptions): Promise<Connection> {
  try {
    inspectVaultFile(file)
    return await connectWhenFree(driver, file, options)
  } catch (error) {
    if (isKeymuxError(error, 'storage_busy') || isKeymuxError(error, 'aborted')) throw error
    throw existsError(file, storageError(error, file))
  }
}

/** @returns whether the name was free */
function createFile(driver: Driver, file: string): Promise<boolean> {
  ensureFolder(file)
  return publishNewFile(file, async (temporary) => fill(driver, temporary))
}

/** Makes an empty vault in an empty file. Nothing needs to be durable before the file has its name. */
function fill(driver: Driver, path: string): void {
  const database = driver.open(fileUrl(path, 'write'))
  try {
    database.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
    createSchema(database)
    database.exec('PRAGMA journal_mode = WAL')
  } finally {
    database.close()
  }
}

function connectWhenFree(driver: Driver, file: string, options: SqliteStoreOptions): Promise<Connection> {
  return whileBusy(() => connect(driver, file), {
    timeoutMs: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    busy: () => busyError(file),
    signal: options.signal,
  })
}

function lastChange(connection: Connection): number {
  return asInteger(asColumns(connection.sql.state.get())[0])
}

function makeStore(
  driver: Driver,
  path: string,
  connection: Connection,
  options: SqliteStoreOptions,
): FileStore {
  const { busyTimeoutMs = BUSY_TIMEOUT_MS, now = () => performance.now() } = options
  const mustBeFirst = options.mustNotExist === true
  return new SqliteStore({ driver, path, connection, busyTimeoutMs, now, mustBeFirst })
}
