import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { closedError, DELETIONS_REMEMBERED } from '../checks.js'
import type { Store, StoreReader, StoreTransaction } from '../contract.js'
import { SerialQueue } from '../queue.js'
import { copyVaultFile } from './backup.js'
import { type Connection, connect } from './connection.js'
import { asColumns, asInteger, DamagedValueError, type Driver } from './driver.js'
import { busyError, readOnlyError, storageError } from './errors.js'
import { contentSignature } from './files.js'
import { findProblems } from './integrity.js'
import { tooNewError } from './migrate.js'
import { MIGRATIONS } from './migrations/index.js'
import { SqliteReader, SqliteTransaction, type TransactionContext } from './transaction.js'
import { whileBusy } from './wait.js'

/** SQLite is asked for other processes' changes at most this often. Asking costs about 10 µs, not asking 0.05 µs. */
const ASK_INTERVAL_MS = 20

/** What a store is made of. */
export interface SqliteStoreParts {
  readonly driver: Driver
  readonly path: string
  readonly connection: Connection
  readonly busyTimeoutMs: number
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number
}

/** What the open transaction sees. */
interface Snapshot extends TransactionContext {
  readonly version: number | string
}

/** A vault file. One connection, used by one transaction at a time. */
export class SqliteStore implements Store {
  readonly kind = 'sqlite'
  readonly location: string
  readonly #parts: SqliteStoreParts
  readonly #now: () => number
  readonly #queue = new SerialQueue()
  readonly #copies = new Set<Promise<void>>()
  readonly #mapError: (error: unknown) => KeymuxError
  #connection: Connection
  #closing: Promise<void> | undefined
  #written = false
  /** What {@link #version} was when the last transaction that succeeded began. */
  #seen: number | string
  #checkedSchemaAt: number | string
  #askedAt: number
  #foreign = false
  #readingSince: number | undefined

  constructor(parts: SqliteStoreParts) {
    this.#parts = parts
    this.#now = parts.now
    this.location = parts.path
    this.#mapError = (error) => storageError(error, parts.path)
    this.#connection = parts.connection
    this.#seen = this.#version()
    this.#checkedSchemaAt = this.#seen
    this.#askedAt = this.#now()
  }

  read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T> {
    return this.#enqueue(() => this.#read(body))
  }

  write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#enqueue(() => this.#write(body))
  }

  hasForeignChanges(): boolean {
    const now = this.#now()
    if (now - this.#askedAt < ASK_INTERVAL_MS) return this.#foreign
    this.#askedAt = now
    this.#foreign = this.#ask(now)
    return this.#foreign
  }

  integrityProblems(): Promise<string[]> {
    return this.#enqueue(async () => {
      this.#assertInPlace()
      return findProblems(this.#connection.database, this.#mapError)
    })
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
      this.#disconnect()
    })
    return this.#closing
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#queue.run(task) : Promise.reject(closedError())
  }

  async #read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T> {
    const snapshot = await this.#begin('begin')
    const reader = new SqliteReader(snapshot)
    this.#readingSince = this.#now()
    try {
      const result = await body(reader)
      this.#saw(snapshot)
      return result
    } finally {
      this.#readingSince = undefined
      reader.end()
      this.#rollback()
      this.#assertUnchanged(snapshot)
    }
  }

  async #write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    if (this.#connection.access !== 'write') throw readOnlyError(this.location)
    const snapshot = await this.#begin('beginImmediate')
    const tx = new SqliteTransaction(snapshot)
    let result: T
    try {
      result = await body(tx)
      tx.end()
      this.#commit(tx, snapshot)
    } catch (error) {
      tx.end()
      this.#rollback()
      throw error
    }
    this.#saw(snapshot)
    // Between the check at the beginning and the commit the file may have been replaced.
    this.#assertInPlace()
    return result
  }

  #commit(tx: SqliteTransaction, snapshot: Snapshot): void {
    if (tx.failure !== undefined) throw tx.failure
    const { sql, database } = this.#connection
    const change = snapshot.change + 1
    const horizon = change - DELETIONS_REMEMBERED
    try {
      const forgotten = horizon > 0 && Number(sql.forgetDeletions.run(horizon).changes) > 0
      sql.setState.run(change, forgotten ? horizon : snapshot.horizon)
      // After some failures SQLite has rolled back already; then there is nothing to commit.
      if (!database.isTransaction) throw new Error('the transaction is gone')
      sql.commit.run()
    } catch (error) {
      throw this.#mapError(error)
    }
    this.#written = true
  }

  async #begin(how: 'begin' | 'beginImmediate'): Promise<Snapshot> {
    const { busyTimeoutMs: timeoutMs, path } = this.#parts
    try {
      return await whileBusy(
        () => {
          this.#assertInPlace()
          this.#reconnectIfFixed()
          this.#connection.sql[how].run()
          try {
            return this.#snapshot()
          } catch (error) {
            this.#rollback()
            throw error
          }
        },
        { timeoutMs, busy: () => busyError(path) },
      )
    } catch (error) {
      throw this.#mapError(error)
    }
  }

  /** The first read of a transaction is what fixes the instant it sees. */
  #snapshot(): Snapshot {
    const { sql } = this.#connection
    const [change, horizon] = asColumns(sql.state.get())
    const version = this.#version()
    if (version !== this.#checkedSchemaAt) {
      if (asInteger(asColumns(sql.schemaVersion.get())[0]) > MIGRATIONS.length)
        throw tooNewError(this.location)
      this.#checkedSchemaAt = version
    }
    const snapshot = {
      sql,
      change: asInteger(change),
      horizon: asInteger(horizon),
      version,
      mapError: this.#mapError,
    }
    if (snapshot.change < 0 || snapshot.horizon > snapshot.change) throw new DamagedValueError()
    return snapshot
  }

  #saw(snapshot: Snapshot): void {
    this.#seen = snapshot.version
    this.#foreign = false
  }

  /** Changes with every commit of another connection. */
  #version(): number | string {
    const { access, sql } = this.#connection
    if (access === 'immutable') return contentSignature([this.location, `${this.location}-wal`])
    return asInteger(asColumns(sql.dataVersion.get())[0])
  }

  #ask(now: number): boolean {
    if (!this.#connection.database.isOpen) return false
    if (!this.#connection.files.holds()) return true
    // While a read is under way SQLite tells of nothing newer than its snapshot.
    if (this.#readingSince !== undefined && now - this.#readingSince >= ASK_INTERVAL_MS) return true
    try {
      return this.#version() !== this.#seen
    } catch {
      // The next read will tell what is wrong.
      return true
    }
  }

  /**
   * Whoever replaces or deletes the file, or SQLite's companions of it, leaves us with files without a
   * name: what is written there would be lost in silence.
   */
  #assertInPlace(): void {
    if (this.#connection.files.holds()) return
    const path = printable(this.location)
    throw new KeymuxError('storage_unavailable', `${path} was replaced or deleted while it was open`, {
      hint: 'open the vault again',
    })
  }

  /** Without locks a read may have seen half of what others wrote meanwhile, or taken it for damage. */
  #assertUnchanged(snapshot: Snapshot): void {
    if (this.#connection.access !== 'immutable' || this.#version() === snapshot.version) return
    throw new KeymuxError('storage_busy', `${printable(this.location)} was changed while it was being read`, {
      hint: 'try again',
    })
  }

  /** SQLite does not watch an immutable file, so one that has changed is opened anew. */
  #reconnectIfFixed(): void {
    if (this.#connection.access !== 'immutable' || this.#version() === this.#checkedSchemaAt) return
    const fresh = connect(this.#parts.driver, this.location)
    this.#connection.database.close()
    this.#connection = fresh
    this.#checkedSchemaAt = this.#version()
  }

  #rollback(): void {
    const { database } = this.#connection
    try {
      if (database.isTransaction) database.exec('ROLLBACK')
    } catch {
      // It ends the transaction even when it reports a failure (https://sqlite.org/lang_transaction.html).
    }
  }

  async #backup(path: string): Promise<void> {
    try {
      this.#assertInPlace()
      await copyVaultFile(this.#parts.driver, this.#connection, this.location, path)
    } catch (error) {
      throw this.#mapError(error)
    }
  }

  /**
   * Merges the log into the file, so that the file alone is the vault again. The binding ends a connection
   * for good only once its statements have been collected as garbage, or the process ends; until then the
   * empty log stays beside the file.
   */
  #disconnect(): void {
    const { database, files } = this.#connection
    try {
      if (this.#written && files.holds()) database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // What is committed is safe in the log.
    }
    database.close()
  }
}
