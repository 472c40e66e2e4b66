import type { KeymuxError } from '../../domain/errors.js'
import { assertName, assertRowId, cursorUsable, endedError, wholeNumber } from '../checks.js'
import type { ChainHead, ChangeSet, LogRow, StateRow, StoredRow, StoreReader } from '../contract.js'
import { asBlob, asColumns, asInteger } from './driver.js'
import { listAll, listChanged, listTable } from './rows.js'
import type { Statements } from './statements.js'
import { getState, listChains, listChangedStates, listStates } from './states.js'

/** What a transaction needs of its store. */
export interface TransactionContext {
  readonly sql: Statements
  /** Position of the snapshot. */
  readonly change: number
  /** Changes up to this one are no longer told apart. */
  readonly horizon: number
  readonly term: number
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
      return full
        ? { cursor: current, full, rows: listAll(sql), state: listStates(sql) }
        : { cursor: current, full, rows: listChanged(sql, cursor), state: listChangedStates(sql, cursor) }
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

  async getState(id: Uint8Array): Promise<StateRow | undefined> {
    assertRowId(id)
    return this.attempt((sql) => getState(sql, id))
  }

  scanState(): Promise<StateRow[]> {
    return this.attempt(listStates)
  }

  term(): Promise<number> {
    return this.attempt(() => this.context.term)
  }

  async readChain(writer: Uint8Array, from: number, limit: number): Promise<LogRow[]> {
    assertRowId(writer)
    return this.attempt((sql) =>
      sql.readChain.all(writer, wholeNumber(from, 1), wholeNumber(limit, 0)).map(toLogRow),
    )
  }

  chains(): Promise<ChainHead[]> {
    return this.attempt(listChains)
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
