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
import { type Chain, type FoundRow, NO_CHAIN, type Staged, type StagedRow, type StoredState } from './core.js'
import { keyOf, MemoryReader } from './reader.js'
import type { Found } from './versions.js'

/** Prepares changes on top of a snapshot that nobody else can change meanwhile. */
export class MemoryTransaction extends MemoryReader implements StoreTransaction {
  readonly #rows = new Map<string, Map<string, StagedRow>>()
  readonly #blobs = new Map<string, Uint8Array>()
  readonly #log: Uint8Array[] = []
  readonly #states = new Map<string, StoredState>()
  readonly #deletedChains = new Set<string>()
  /** Lines of before that stay. */
  #keptLines: number = this.snapshot.logLength
  #line: Staged['line']
  #term: number = this.snapshot.term

  /** What is to be committed. */
  staged(): Staged {
    return {
      rows: [...this.#rows.values()].flatMap((rows) => [...rows.values()]),
      blobs: this.#blobs,
      keptLines: this.#keptLines,
      log: this.#log,
      states: this.#states,
      deletedChains: this.#deletedChains,
      line: this.#line,
      term: this.#term,
    }
  }

  async putBlob(name: string, value: Uint8Array): Promise<void> {
    this.assertOpen()
    assertName(name)
    this.#blobs.set(name, value.slice())
  }

  async putRow(table: string, id: Uint8Array, body: Uint8Array): Promise<void> {
    this.assertOpen()
    assertName(table)
    assertRowId(id)
    this.#stage({ table, key: keyOf(id), body: body.slice() })
  }

  async deleteRow(table: string, id: Uint8Array): Promise<void> {
    this.assertOpen()
    assertName(table)
    const key = keyOf(id)
    if (this.findRow(table, key) !== undefined) this.#stage({ table, key, body: undefined })
  }

  async appendLog(body: Uint8Array): Promise<number> {
    this.assertOpen()
    this.#log.push(body.slice())
    return this.present().logLength
  }

  async writeState(writes: readonly StateWrite[]): Promise<StateConflict[]> {
    this.assertOpen()
    assertWrites(writes)
    return applyWrites(this.#table(), writes).conflicts
  }

  async setTerm(term: number): Promise<void> {
    this.assertOpen()
    assertCount('term', term)
    this.#term = term
  }

  async deleteChain(writer: Uint8Array): Promise<void> {
    this.assertOpen()
    assertRowId(writer)
    const key = keyOf(writer)
    if (this.findChain(key).length > 0) this.#deletedChains.add(key)
  }

  async mend(lastLine: number): Promise<void> {
    this.assertOpen()
    assertCount('sequence', lastLine)
    this.#keptLines = Math.min(this.#keptLines, lastLine)
    this.#log.length = Math.min(this.#log.length, lastLine - this.#keptLines)
  }

  /** Writes a batch, line included, unless the store is in another term. */
  applyBatch({ term, writes, line }: StateBatch): AppliedWrites | undefined {
    if (term !== this.snapshot.term) return undefined
    const applied = applyWrites(this.#table(), writes)
    if (line === undefined || applied.written.length === 0) return applied
    const { writer, sequence, body } = line(applied.written)
    assertRowId(writer)
    const key = keyOf(writer)
    assertNextLine(sequence, this.findChain(key).length)
    this.#line = { writer: key, body: body.slice() }
    return applied
  }

  #table(): StateTable {
    return {
      revision: (id) => this.findState(keyOf(id))?.revision,
      row: (id) => this.stateRow(id),
      put: (id, revision, body) => {
        this.#states.set(keyOf(id), { revision, body: body?.slice() })
      },
    }
  }

  #stage(row: StagedRow): void {
    const rows = this.#rows.get(row.table) ?? new Map<string, StagedRow>()
    this.#rows.set(row.table, rows)
    rows.set(row.key, row)
  }

  protected override present(): ReturnType<MemoryReader['present']> {
    const logLength = this.#keptLines + this.#log.length
    return { position: this.snapshot.change + 1, logLength, term: this.#term }
  }

  protected override findRow(table: string, key: string): Uint8Array | undefined {
    const staged = this.#rows.get(table)?.get(key)
    return staged === undefined ? super.findRow(table, key) : staged.body
  }

  protected override findBlob(name: string): Uint8Array | undefined {
    return this.#blobs.get(name) ?? super.findBlob(name)
  }

  protected override *findRows(table?: string): Generator<FoundRow> {
    for (const row of super.findRows(table)) {
      if (this.#rows.get(row.table)?.has(row.key) !== true) yield row
    }
    const change = this.present().position
    for (const [name, rows] of this.#rows) {
      if (table !== undefined && table !== name) continue
      for (const row of rows.values()) yield { ...row, change }
    }
  }

  protected override findLine(sequence: number): Uint8Array | undefined {
    return sequence <= this.#keptLines ? super.findLine(sequence) : this.#log[sequence - 1 - this.#keptLines]
  }

  protected override findState(key: string): StoredState | undefined {
    return this.#states.get(key) ?? super.findState(key)
  }

  protected override *findStates(): Generator<Found<StoredState>> {
    for (const found of super.findStates()) {
      if (!this.#states.has(found.key)) yield found
    }
    const change = this.present().position
    for (const [key, value] of this.#states) yield { key, value, change }
  }

  protected override findChain(writer: string): Chain {
    return this.#deletedChains.has(writer) ? NO_CHAIN : super.findChain(writer)
  }
}
