import type { KeymuxError } from '../../domain/errors.js'
import { assertName, assertRowId } from '../checks.js'
import type { StateBatch, StateConflict, StateWrite, StoreTransaction } from '../contract.js'
import {
  type AppliedWrites,
  applyWrites,
  assertCount,
  assertNextLine,
  assertWrites,
  type StateTable,
} from '../state.js'
import { SqliteReader } from './reader.js'
import type { Statements } from './statements.js'
import { getState, lastOfChain, revisionOfState } from './states.js'

/** Writes in the connection's open transaction. */
export class SqliteTransaction extends SqliteReader implements StoreTransaction {
  #failure: KeymuxError | undefined
  #term: number = this.context.term

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

  #change<T>(operation: (sql: Statements) => T): Promise<T> {
    return this.attempt(() => this.#run(operation))
  }

  #run<T>(operation: (sql: Statements) => T): T {
    try {
      return operation(this.context.sql)
    } catch (error) {
      this.#failure = this.context.mapError(error)
      throw this.#failure
    }
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

  async writeState(writes: readonly StateWrite[]): Promise<StateConflict[]> {
    assertWrites(writes)
    const { conflicts } = await this.#change((sql) => applyWrites(this.#states(sql), writes))
    return conflicts
  }

  async setTerm(term: number): Promise<void> {
    assertCount('term', term)
    await this.#change((sql) => {
      sql.setTerm.run(term)
      this.#term = term
    })
  }

  override term(): Promise<number> {
    return this.attempt(() => this.#term)
  }

  async deleteChain(writer: Uint8Array): Promise<void> {
    assertRowId(writer)
    await this.#change((sql) => sql.deleteChain.run(writer))
  }

  async mend(lastLine: number): Promise<void> {
    assertCount('sequence', lastLine)
    await this.#change((sql) => {
      sql.cutLog.run(lastLine)
      for (const drop of [sql.dropRows, sql.dropStates]) drop.run(this.context.horizon)
      sql.dropChains.run()
      for (const number of [sql.renumberRows, sql.renumberStates]) number.run(this.position())
    })
  }

  /** Writes a batch, line included, unless the store is in another term. What it throws fails the transaction. */
  applyBatch({ term, writes, line }: StateBatch): AppliedWrites | undefined {
    if (term !== this.context.term) return undefined
    const applied = this.#run((sql) => applyWrites(this.#states(sql), writes))
    if (line === undefined || applied.written.length === 0) return applied
    const { writer, sequence, body } = line(applied.written)
    this.#run((sql) => {
      assertRowId(writer)
      assertNextLine(sequence, lastOfChain(sql, writer))
      sql.appendChain.run(writer, sequence, body)
    })
    return applied
  }

  #states(sql: Statements): StateTable {
    return {
      revision: (id) => revisionOfState(sql, id),
      row: (id) => getState(sql, id),
      put: (id, revision, body) => sql.putState.run(id, revision, this.position(), body ?? null),
    }
  }
}
