import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { type Connection, connect, fileUrl } from './connection.js'
import { asColumns, asInteger, type Database, type Driver, loadDriver } from './driver.js'
import { busyError, corruptError, readOnlyError, storageError } from './errors.js'
import { companions, inspectVaultFile } from './files.js'
import { checkSchema } from './migrate.js'
import { ensureFolder, publishNewFile } from './publish.js'
import { whileBusy } from './wait.js'

const BUSY_TIMEOUT_MS = 5000

/** A copy of a vault that waits beside the place where it shall go. */
export interface StagedVault {
  readonly path: string
  /**
   * Puts the copy's content in the place of the vault, in one transaction: whoever has the vault open sees
   * it as a change by another process. What was there is kept beside it as `NAME.before-restore-N`. A
   * present vault that cannot be read is moved aside as it is.
   *
   * @returns where the present vault is kept; `undefined` where there was none
   * @throws KeymuxError `storage_busy`, `vault_too_new`, storage errors; then nothing has changed
   */
  replace(): Promise<string | undefined>
  /** Removes the copy. */
  discard(): void
}

/**
 * Copies the vault file at `source` beside the vault at `path`, so that it can be looked at before it takes
 * that vault's place. Nothing is left beside `source`.
 *
 * @throws KeymuxError `vault_not_found`, `vault_corrupt`, `vault_too_new`, `vault_too_old`,
 *   `unsafe_permissions`, storage errors
 */
export async function stageRestore(source: string, path: string): Promise<StagedVault> {
  const [from, to] = [resolve(source), resolve(path)]
  if (inspectVaultFile(from) === undefined) {
    throw new KeymuxError('vault_not_found', `there is no vault at ${printable(from)}`, {
      hint: 'name the file that keymux vault backup wrote',
    })
  }
  const driver = await loadDriver()
  // Named like the files of an interrupted creation, so that a later one sweeps away what a kill leaves.
  const staged = join(dirname(to), `.${basename(to)}.new-${randomBytes(6).toString('hex')}`)
  const discard = (): void => {
    for (const each of [staged, ...companions(staged)]) rmSync(each, { force: true })
  }
  try {
    ensureFolder(to)
    await publishNewFile(staged, (temporary) => copySource(driver, from, temporary))
  } catch (error) {
    discard()
    throw storageError(error, from)
  }
  return { path: staged, discard, replace: () => replaceVault(driver, staged, to) }
}

async function copySource(driver: Driver, source: string, target: string): Promise<void> {
  const unmerged = (statSync(`${source}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
  const url = fileUrl(source, unmerged ? 'write' : 'immutable')
  const database = driver.open(url)
  try {
    checkSchema(database, source)
  } finally {
    database.close()
  }
  await driver.copy(url, target)
}

async function replaceVault(driver: Driver, staged: string, path: string): Promise<string | undefined> {
  try {
    if (inspectVaultFile(path) === undefined) {
      const url = fileUrl(staged, 'write')
      if (await publishNewFile(path, (temporary) => driver.copy(url, temporary))) return undefined
    }
    try {
      return await overwrite(driver, staged, path)
    } catch (error) {
      if (!isKeymuxError(storageError(error, path), 'vault_corrupt')) throw error
      return await moveAside(driver, staged, path)
    }
  } catch (error) {
    throw storageError(error, path)
  }
}

/** Replaces the content through SQLite, so that nobody's open handle is left with a file without a name. */
async function overwrite(driver: Driver, staged: string, path: string): Promise<string> {
  const waiting = { timeoutMs: BUSY_TIMEOUT_MS, busy: () => busyError(path) }
  const connection = await whileBusy(() => connect(driver, path), waiting)
  const { database } = connection
  try {
    if (connection.access !== 'write') throw readOnlyError(path)
    database.prepare('ATTACH ?1 AS restored').run(fileUrl(staged, 'write'))
    await whileBusy(() => connection.sql.beginImmediate.run(), waiting)
    // Nobody else can write until the commit, so the copy misses nothing.
    const kept = await keepCopy(driver, path)
    try {
      replaceContent(connection)
    } catch (error) {
      rmSync(kept, { force: true })
      throw error
    }
    connection.sql.commit.run()
    return kept
  } finally {
    close(database)
  }
}

/** All rows count as changed by this one change, and nothing before it can be told any more. */
function replaceContent({ database, sql }: Connection): void {
  const change = Math.max(changeOf(database, 'main'), changeOf(database, 'restored')) + 1
  database.exec(`
    DELETE FROM main.blobs;
    INSERT INTO main.blobs (name, value) SELECT name, value FROM restored.blobs;
    DELETE FROM main.log;
    INSERT INTO main.log (sequence, body) SELECT sequence, body FROM restored.log;
    DELETE FROM main.chains;
    INSERT INTO main.chains (writer, sequence, body) SELECT writer, sequence, body FROM restored.chains;
    UPDATE main.state SET term = (SELECT term FROM restored.state);
    DELETE FROM main.rows;
    DELETE FROM main.states;
  `)
  for (const insert of [
    'INSERT INTO main.rows (tbl, id, change, body) SELECT tbl, id, ?1, body FROM restored.rows WHERE body IS NOT NULL',
    `INSERT INTO main.states (id, revision, change, body)
      SELECT id, revision, ?1, body FROM restored.states WHERE body IS NOT NULL`,
  ]) {
    database.prepare(insert).run(change)
  }
  sql.setState.run(change, change)
}

function changeOf(database: Database, schema: 'main' | 'restored'): number {
  const statement = database.prepare(`SELECT change FROM ${schema}.state`)
  statement.setReturnArrays(true)
  return asInteger(asColumns(statement.get())[0])
}

function close(database: Database): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK')
    else database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // What is committed is safe in the log.
  }
  database.close()
}

async function keepCopy(driver: Driver, path: string): Promise<string> {
  const url = fileUrl(path, 'write')
  return underFreeName(path, (kept) => publishNewFile(kept, (temporary) => driver.copy(url, temporary)))
}

/** For a vault that cannot be opened: nobody else has it open either. */
async function moveAside(driver: Driver, staged: string, path: string): Promise<string> {
  const fresh = `${staged}-fresh`
  await publishNewFile(fresh, (temporary) => driver.copy(fileUrl(staged, 'write'), temporary))
  try {
    const kept = await underFreeName(path, async (name) => renameUnlessTaken(path, name))
    for (const [at, companion] of companions(path).entries()) {
      if (existsSync(companion)) renameSync(companion, companions(kept)[at] ?? `${kept}-${at}`)
    }
    renameSync(fresh, path)
    return kept
  } finally {
    rmSync(fresh, { force: true })
  }
}

function renameUnlessTaken(path: string, name: string): boolean {
  if (lstatSync(name, { throwIfNoEntry: false }) !== undefined) return false
  renameSync(path, name)
  return true
}

async function underFreeName(path: string, take: (name: string) => Promise<boolean>): Promise<string> {
  for (let number = 1; number < 10_000; number += 1) {
    const name = `${path}.before-restore-${number}`
    if (await take(name)) return name
  }
  throw corruptError(path, 'has too many kept copies beside it')
}
