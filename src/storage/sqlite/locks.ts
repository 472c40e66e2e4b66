import { createHash } from 'node:crypto'
import { closeSync, lstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { makeFolders } from '../folders.js'
import type { HeldLock, LockOptions, RefreshLocks } from '../locks.js'
import { fileUrl } from './connection.js'
import { type Database, loadDriver } from './driver.js'
import { isBusy, storageError, systemCode } from './errors.js'
import { inspectVaultFile } from './files.js'

/** Pauses between attempts, in milliseconds; the last one repeats. A renewal holds the lock for a request. */
const PAUSES_MS = [2, 3, 5, 8, 13, 21]

/**
 * Locks as empty SQLite databases in a folder beside the vault, one for each name: `BEGIN IMMEDIATE` takes
 * the file's lock from the operating system, which gives it back when the process dies. The vault itself
 * stays free for others. The files are never removed: whoever still held a removed one would no longer keep
 * anybody out.
 */
export class SqliteLocks implements RefreshLocks {
  readonly #folder: string

  /** @param folder Made, with mode 0700, when the first lock is asked for. */
  constructor(folder: string) {
    this.#folder = folder
  }

  async acquire(name: string, { timeoutMs, signal }: LockOptions): Promise<HeldLock | undefined> {
    const path = join(this.#folder, createHash('sha256').update(name).digest('hex').slice(0, 32))
    const { open } = await loadDriver()
    const until = performance.now() + timeoutMs
    try {
      this.#prepare(path)
      for (let tries = 0; ; tries += 1) {
        signal?.throwIfAborted()
        const database = lock(() => open(fileUrl(path, 'write')))
        if (database !== undefined) return heldLock(database)
        const left = until - performance.now()
        if (left <= 0) return undefined
        const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] ?? 0
        await sleep(Math.min(pause, left))
      }
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      throw storageError(error, path)
    }
  }

  #prepare(path: string): void {
    makeFolders(this.#folder)
    if (lstatSync(this.#folder).isSymbolicLink()) {
      throw new KeymuxError('unsafe_permissions', `${printable(this.#folder)} is a symbolic link`, {
        hint: 'remove it',
      })
    }
    if (inspectVaultFile(path) !== undefined) return
    try {
      closeSync(openSync(path, 'wx', 0o600))
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

/** A connection that holds the lock, or undefined where another one does. */
function lock(connect: () => Database): Database | undefined {
  const database = connect()
  try {
    // Nothing is ever written, so that there is nothing to make durable and no journal.
    database.exec('BEGIN IMMEDIATE')
    return database
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
}

function heldLock(database: Database): HeldLock {
  return {
    release: async () => {
      if (database.isOpen) database.close()
    },
  }
}
