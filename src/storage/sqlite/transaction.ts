import type { KeymuxError } from '../../domain/errors.js'
import { assertName, assertRowId, cursorUsable, endedError, wholeNumber } from '../checks.js'
import type { ChangeSet, LogRow, StoredRow, StoreReader, StoreTransaction } from '../contract.js'
import { asBlob, asColumns, asInteger } from './driver.js'
import { listAll, listChanged, listTable } from './rows.js'
import type { Statements } from './statements.js'

/** What a transaction needs of its store. */
export interface TransactionContext {
  readonly sql: Statements
  /** Position of the snapshot. */
  readonly change: number
  /** Changes up to this one are no longer told apart. */
  readonly horizon: number
  readonly mapError: (error: unknown) => KeymuxError
}

/** Reads the snapshot of the connection's open transaction. */
export class SqliteReader implements StoreReader {
  protected readonly context: TransactionContext
  #ended = false

  constructor(context: TransactionContext) {
    this.context = context
  }

  /** Makes every later call reject. */
  end(): void {
    this.#ended = true
  }

  /** Runs one operation. It happens at once, so that even a call nobody waits for belongs to this transaction. */
  protected async attempt<T>(operation: (sql: Statements) => T): Promise<T> {
    if (this.#ended) throw endedError()
    try {
      return operation(this.context.sql)
    } catch (error) {
      throw this.context.mapError(error)
    }
  }

  protected position(): number {
    return this.context.change
  }

  async getBlob(name: string): Promise<Uint8Array | undefined> {
    assertName(name)
    return this.attempt((sql) => firstBlob(sql.getBlob.get(name)))
  }

  async getRow(table: string, id: Uint8Array): Promise<Uint8Array | undefined> {
    assertName(table)
    return this.attempt((sql) => firstBlob(sql.getRow.get(table, id)))
  }

  async scan(table?: string): Promise<StoredRow[]> {
    if (table !== undefined) assertName(table)
    return this.attempt((sql) => (table === undefined ? listAll(sql) : listTable(sql, table)))
  }

  cursor(): Promise<number> {
    return this.attempt(() => this.position())
  }

  changesSince(cursor: number): Promise<ChangeSet> {
    return this.attempt((sql) => {
      const current = this.position()
      const full = !cursorUsable(cursor, this.context.horizon, current)
      return { cursor: current, full, rows: full ? listAll(sql) : listChanged(sql, cursor) }
    })
  }

  lastLog(): Promise<LogRow | undefined> {
    return this.attempt((sql) => {
      const row = sql.lastLog.get()
      return row === undefined ? undefined : toLogRow(row)
    })
  }

  readLog(from: number, limit: number): Promise<LogRow[]> {
    return this.attempt((sql) => sql.readLog.all(wholeNumber(from, 1), wholeNumber(limit, 0)).map(toLogRow))
  }
}

/** Writes in the connection's open transaction. */
export class SqliteTransaction extends SqliteReader implements StoreTransaction {
  #failure: KeymuxError | undefined

  /**
   * The first failure of an operation. SQLite may have rolled back by itself then, and what follows would
   * be committed alone: so the whole transaction has failed, even if its body carries on.
   */
  get failure(): KeymuxError | undefined {
    return this.#failure
  }

  protected override position(): number {
    return this.context.change + 1
  }

  protected override async attempt<T>(operation: (sql: Statements) => T): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    return super.attempt(operation)
  }

  async #change<T>(operation: (sql: Statements) => T): Promise<T> {
    return this.attempt((sql) => {
      try {
        return operation(sql)
      } catch (error) {
        this.#failure = this.context.mapError(error)
        throw this.#failure
      }
    })
  }

  async putBlob(name: string, value: Uint8Array): Promise<void> {
    assertName(name)
    await this.#change((sql) => sql.putBlob.run(name, value))
  }

  async putRow(table: string, id: Uint8Array, body: Uint8Array): Promise<void> {
    assertName(table)
    assertRowId(id)
    await this.#change((sql) => sql.putRow.run(table, id, this.position(), body))
  }

  async deleteRow(table: string, id: Uint8Array): Promise<void> {
    assertName(table)
    await this.#change((sql) => sql.deleteRow.run(table, id, this.position()))
  }

  appendLog(body: Uint8Array): Promise<number> {
    return this.#change((sql) => Number(sql.appendLog.run(body).lastInsertRowid))
  }
}

function firstBlob(row: unknown): Uint8Array | undefined {
  const [value] = asColumns(row)
  return value === undefined ? undefined : asBlob(value)
}

function toLogRow(row: unknown): LogRow {
  const [sequence, body] = asColumns(row)
  return { sequence: asInteger(sequence), body: asBlob(body) }
}
