import { closedError } from '../checks.js'
import type { FileStore, StateBatch, StateResult, StoreReader, StoreTransaction } from '../contract.js'
import { isHeld, type RefreshLocks, ROTATION_LOCK } from '../locks.js'
import { SerialQueue } from '../queue.js'
import { copyBatch } from '../state.js'
import { copyVaultFile } from './backup.js'
import { existsError, readOnlyError } from './errors.js'
import { findProblems } from './integrity.js'
import { SqliteLocks } from './locks.js'
import { SqliteReader } from './reader.js'
import { type DataVersion, Session, type SessionParts, type Snapshot } from './session.js'
import { SqliteTransaction } from './transaction.js'
import { ChangeWatch, isOutdated } from './watch.js'

/** What a store is made of. */
export interface SqliteStoreParts extends SessionParts {
  /** Refuse the first write unless nobody has written before. */
  readonly mustBeFirst: boolean
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number
}

/** A vault file. One connection, used by one transaction at a time. */
export class SqliteStore implements FileStore {
  readonly kind = 'sqlite'
  readonly location: string
  readonly file: string
  readonly locks: RefreshLocks
  readonly #parts: SqliteStoreParts
  readonly #session: Session
  readonly #watch: ChangeWatch
  readonly #queue = new SerialQueue()
  readonly #copies = new Set<Promise<void>>()
  #mustBeFirst: boolean
  #closing: Promise<void> | undefined
  /** What the last transaction that succeeded saw. */
  #seen: DataVersion
  #readingSince: number | undefined
  #hurried = false

  constructor(parts: SqliteStoreParts) {
    this.#parts = parts
    this.location = parts.path
    this.file = parts.path
    this.locks = new SqliteLocks(`${parts.path}-locks`)
    this.#mustBeFirst = parts.mustBeFirst
    this.#session = new Session({ ...parts, announced: () => this.#isAnnounced() })
    this.#seen = this.#session.version()
    this.#watch = new ChangeWatch((now) => this.#lookForChanges(now), parts.now)
  }

  read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T> {
    return this.#enqueue(() => this.#read(body))
  }

  write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#enqueue(() => this.#write(body))
  }

  async writeState(batch: StateBatch): Promise<StateResult> {
    const copy = copyBatch(batch)
    return this.#enqueue(() => this.#writeState(copy))
  }

  hasForeignChanges(): boolean {
    return this.#closing === undefined && this.#watch.changed()
  }

  integrityProblems(): Promise<string[]> {
    return this.#enqueue(async () => {
      this.#session.assertInPlace()
      return findProblems(this.#session.connection.database, this.#session.mapError)
    })
  }

  hurry(): void {
    this.#hurried = true
  }

  async #isAnnounced(): Promise<boolean> {
    return !this.#hurried && (await isHeld(this.locks, ROTATION_LOCK)) && !this.#hurried
  }

  backup(path: string): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    const copy = this.#backup(path)
    const ended = copy
      .catch(() => undefined)
      .then(() => {
        this.#copies.delete(ended)
      })
    this.#copies.add(ended)
    return copy
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue.run(async () => {
      await Promise.all(this.#copies)
      this.#session.close()
    })
    return this.#closing
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#queue.run(task) : Promise.reject(closedError())
  }

  async #read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T> {
    const snapshot = await this.#session.begin('begin')
    const reader = new SqliteReader(snapshot)
    this.#readingSince = this.#parts.now()
    try {
      const result = await body(reader)
      this.#saw(snapshot)
      return result
    } finally {
      this.#readingSince = undefined
      reader.end()
      this.#session.rollback()
      this.#session.assertUnchanged(snapshot)
    }
  }

  #write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#transact(async (tx, snapshot) => {
      const result = await body(tx)
      this.#commit(tx, snapshot)
      this.#saw(snapshot)
      return result
    })
  }

  /** SQLite's version does not tell of own commits: what others have committed before stays to be seen. */
  #writeState(batch: StateBatch): Promise<StateResult> {
    return this.#transact(async (tx, snapshot) => {
      const cursor = snapshot.change
      const applied = tx.applyBatch(batch)
      if (applied === undefined) return { refused: 'term', conflicts: [], cursor }
      const { written, conflicts } = applied
      if (written.length === 0) return { conflicts, cursor }
      this.#commit(tx, snapshot)
      return { conflicts, cursor: cursor + 1 }
    })
  }

  /** Undoes what `body` does not commit. */
  async #transact<T>(body: (tx: SqliteTransaction, snapshot: Snapshot) => Promise<T>): Promise<T> {
    if (this.#session.connection.access !== 'write') throw readOnlyError(this.location)
    const snapshot = await this.#session.begin('beginImmediate')
    const tx = new SqliteTransaction(snapshot)
    try {
      if (this.#mustBeFirst && snapshot.change > 0) throw existsError(this.location)
      return await body(tx, snapshot)
    } finally {
      tx.end()
      this.#session.rollback()
    }
  }

  #commit(tx: SqliteTransaction, snapshot: Snapshot): void {
    tx.end()
    this.#session.commit(tx, snapshot)
    this.#mustBeFirst = false
  }

  #saw(snapshot: Snapshot): void {
    this.#seen = snapshot.version
    this.#watch.settle()
  }

  #lookForChanges(now: number): boolean {
    if (!this.#session.connection.files.holds()) return true
    // While a read is under way SQLite tells of nothing newer than its snapshot.
    if (this.#readingSince !== undefined && isOutdated(this.#readingSince, now)) return true
    try {
      return this.#session.version() !== this.#seen
    } catch {
      // The next read will tell what is wrong.
      return true
    }
  }

  async #backup(path: string): Promise<void> {
    try {
      this.#session.assertInPlace()
      await copyVaultFile(this.#parts.driver, this.#session.connection, this.location, path)
    } catch (error) {
      throw this.#session.mapError(error)
    }
  }
}
