import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { DELETIONS_REMEMBERED, HIGHEST_COUNT } from '../checks.js'
import { type Connection, connect } from './connection.js'
import { asColumns, asInteger, DamagedValueError, type Driver } from './driver.js'
import { busyError, storageError } from './errors.js'
import { contentSignature } from './files.js'
import { checkSchema, tooNewError } from './migrate.js'
import { SCHEMA_VERSION } from './migrations/index.js'
import type { TransactionContext } from './reader.js'
import type { Statements } from './statements.js'
import type { SqliteTransaction } from './transaction.js'
import { whileBusy } from './wait.js'

/** What a session works on. */
export interface SessionParts {
  readonly driver: Driver
  readonly path: string
  readonly connection: Connection
  readonly busyTimeoutMs: number
  /** Whether somebody keeps the vault for longer than a write takes, and has said so. */
  readonly announced?: () => Promise<boolean>
}

/** Differs after every commit of another connection. */
export type DataVersion = number | string

/** What an open transaction sees. */
export interface Snapshot extends TransactionContext {
  readonly version: DataVersion
}

/** One connection and its transactions, of which there is at most one at a time. */
export class Session {
  readonly mapError: (error: unknown) => KeymuxError
  readonly #parts: SessionParts
  #connection: Connection
  #checkedAt: DataVersion
  /** Differs after every change of the schema (https://sqlite.org/pragma.html#pragma_schema_version). */
  #schemaCookie: number
  #written = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#connection = parts.connection
    this.mapError = (error) => storageError(error, parts.path)
    this.#checkedAt = this.version()
    this.#schemaCookie = this.#readSchemaCookie()
  }

  get connection(): Connection {
    return this.#connection
  }

  /** Starts a transaction, waiting for the lock where one is needed. */
  async begin(how: 'begin' | 'beginImmediate'): Promise<Snapshot> {
    const { busyTimeoutMs: timeoutMs, path, announced } = this.#parts
    const progress = (): unknown => this.#versionIfFree()
    const busy = (): KeymuxError => busyError(path)
    try {
      return await whileBusy(() => this.#tryToBegin(how), { timeoutMs, progress, announced, busy })
    } catch (error) {
      throw this.mapError(error)
    }
  }

  #tryToBegin(how: 'begin' | 'beginImmediate'): Snapshot {
    this.assertInPlace()
    this.#reconnectIfChanged()
    this.#connection.sql[how].run()
    try {
      return this.#snapshot()
    } catch (error) {
      this.rollback()
      throw error
    }
  }

  /** The first read of a transaction is what fixes the instant it sees. */
  #snapshot(): Snapshot {
    const { sql } = this.#connection
    const version = this.version()
    if (version !== this.#checkedAt) this.#assertKnownSchema()
    this.#checkedAt = version
    const [first, second, third] = asColumns(sql.state.get())
    const [change, horizon, term] = [asInteger(first), asInteger(second), asInteger(third)]
    if (change >= HIGHEST_COUNT || horizon > change) throw new DamagedValueError()
    return { sql, change, horizon, term, version, mapError: this.mapError }
  }

  /** Before any table is read: another process may have migrated the vault, or planted something in it. */
  #assertKnownSchema(): void {
    const { sql, database } = this.#connection
    const [version] = asColumns(sql.schemaVersion.get())
    if (asInteger(version) > SCHEMA_VERSION) throw tooNewError(this.#parts.path)
    const cookie = this.#readSchemaCookie()
    if (cookie !== this.#schemaCookie) checkSchema(database, this.#parts.path)
    this.#schemaCookie = cookie
  }

  #readSchemaCookie(): number {
    return asInteger(asColumns(this.#connection.sql.schemaCookie.get())[0])
  }

  /** Makes everything durable. */
  commit(tx: SqliteTransaction, snapshot: Snapshot): void {
    if (tx.failure !== undefined) throw tx.failure
    const { sql, database } = this.#connection
    const change = snapshot.change + 1
    const horizon = change - DELETIONS_REMEMBERED
    try {
      const forgotten = horizon > 0 && forgetDeletions(sql, horizon)
      sql.setState.run(change, forgotten ? horizon : snapshot.horizon)
      // After some failures SQLite has rolled back already; then there is nothing to commit.
      if (!database.isTransaction) throw new Error('the transaction is gone')
      sql.commit.run()
    } catch (error) {
      throw this.mapError(error)
    }
    this.#written = true
    // The file may have been replaced since the transaction began.
    this.assertInPlace()
  }

  /** Ends a transaction that is still open. */
  rollback(): void {
    const { database } = this.#connection
    try {
      if (database.isTransaction) database.exec('ROLLBACK')
    } catch {
      // It ends the transaction even when it reports a failure (https://sqlite.org/lang_transaction.html).
    }
  }

  /** During a transaction, the version of its snapshot. */
  version(): DataVersion {
    const { access, sql } = this.#connection
    if (access === 'immutable') return contentSignature([this.#parts.path, `${this.#parts.path}-wal`])
    return asInteger(asColumns(sql.dataVersion.get())[0])
  }

  #versionIfFree(): DataVersion | undefined {
    try {
      return this.version()
    } catch {
      return undefined
    }
  }

  /**
   * Whoever replaces or deletes the file, or SQLite's companions of it, leaves us with files without a
   * name: what is written there would be lost in silence.
   */
  assertInPlace(): void {
    if (this.#connection.files.holds()) return
    const path = printable(this.#parts.path)
    throw new KeymuxError('storage_unavailable', `${path} was replaced or deleted while it was open`, {
      hint: 'open the vault again',
    })
  }

  /** Without locks a read may have seen half of what others wrote meanwhile, or taken it for damage. */
  assertUnchanged(snapshot: Snapshot): void {
    if (this.#connection.access !== 'immutable' || this.version() === snapshot.version) return
    const path = printable(this.#parts.path)
    throw new KeymuxError('storage_busy', `${path} was changed while it was being read`, {
      hint: 'try again',
    })
  }

  /** SQLite does not watch an immutable file, so one that has changed is opened anew. */
  #reconnectIfChanged(): void {
    if (this.#connection.access !== 'immutable' || this.version() === this.#checkedAt) return
    const fresh = connect(this.#parts.driver, this.#parts.path)
    this.#connection.database.close()
    this.#connection = fresh
    this.#checkedAt = this.version()
    this.#schemaCookie = this.#readSchemaCookie()
  }

  /**
   * Merges the log into the file, so that the file alone is the vault again. The binding ends a connection
   * for good only once its statements have been collected as garbage, or the process ends; until then the
   * empty log stays beside the file.
   */
  close(): void {
    const { database, files } = this.#connection
    try {
      if (this.#written && files.holds()) database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // What is committed is safe in the log.
    }
    database.close()
  }
}

/** @returns whether there were any */
function forgetDeletions(sql: Statements, horizon: number): boolean {
  const rows = Number(sql.forgetRows.run(horizon).changes)
  return rows + Number(sql.forgetStates.run(horizon).changes) > 0
}
