import { assertName, assertRowId, cursorUsable, endedError, wholeNumber } from '../checks.js'
import type { ChangeSet, LogRow, StoredRow, StoreReader, StoreTransaction } from '../contract.js'
import type { FoundRow, MemoryCore, Snapshot, Staged, StagedRow } from './core.js'

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('latin1')
const idOf = (key: string): Uint8Array => new Uint8Array(Buffer.from(key, 'latin1'))

/** Reads one snapshot. Whatever goes in or comes out is copied, as a driver that talks to a file would. */
export class MemoryReader implements StoreReader {
  protected readonly core: MemoryCore
  protected readonly snapshot: Snapshot
  #ended = false

  constructor(core: MemoryCore, snapshot: Snapshot) {
    this.core = core
    this.snapshot = snapshot
  }

  /** Makes every later call reject. */
  end(): void {
    this.#ended = true
  }

  protected assertOpen(): void {
    if (this.#ended) throw endedError()
  }

  protected findRow(table: string, key: string): Uint8Array | undefined {
    return this.core.row(this.snapshot, table, key)
  }

  protected findBlob(name: string): Uint8Array | undefined {
    return this.core.blob(this.snapshot, name)
  }

  protected findRows(table?: string): Iterable<FoundRow> {
    return this.core.rows(this.snapshot, table)
  }

  protected findLine(sequence: number): Uint8Array | undefined {
    return this.core.logLine(this.snapshot, sequence)
  }

  protected position(): number {
    return this.snapshot.change
  }

  protected logLength(): number {
    return this.snapshot.logLength
  }

  async getBlob(name: string): Promise<Uint8Array | undefined> {
    this.assertOpen()
    assertName(name)
    return this.findBlob(name)?.slice()
  }

  async getRow(table: string, id: Uint8Array): Promise<Uint8Array | undefined> {
    this.assertOpen()
    assertName(table)
    return this.findRow(table, keyOf(id))?.slice()
  }

  async scan(table?: string): Promise<StoredRow[]> {
    this.assertOpen()
    if (table !== undefined) assertName(table)
    return [...this.findRows(table)].filter((row) => row.body !== undefined).map(toStored)
  }

  async cursor(): Promise<number> {
    this.assertOpen()
    return this.position()
  }

  async changesSince(cursor: number): Promise<ChangeSet> {
    this.assertOpen()
    const current = this.position()
    const full = !cursorUsable(cursor, this.snapshot.horizon, current)
    const wanted = (row: FoundRow): boolean => (full ? row.body !== undefined : row.change > cursor)
    return { cursor: current, full, rows: [...this.findRows()].filter(wanted).map(toStored) }
  }

  async lastLog(): Promise<LogRow | undefined> {
    this.assertOpen()
    return this.#line(this.logLength())
  }

  async readLog(from: number, limit: number): Promise<LogRow[]> {
    this.assertOpen()
    const lines: LogRow[] = []
    for (let sequence = wholeNumber(from, 1); lines.length < wholeNumber(limit, 0); sequence++) {
      const line = this.#line(sequence)
      if (line === undefined) break
      lines.push(line)
    }
    return lines
  }

  #line(sequence: number): LogRow | undefined {
    const body = this.findLine(sequence)
    return body === undefined ? undefined : { sequence, body: body.slice() }
  }
}

/** Prepares changes on top of a snapshot that nobody else can change meanwhile. */
export class MemoryTransaction extends MemoryReader implements StoreTransaction {
  readonly #rows = new Map<string, Map<string, StagedRow>>()
  readonly #blobs = new Map<string, Uint8Array>()
  readonly #log: Uint8Array[] = []

  /** What is to be committed. */
  staged(): Staged {
    return {
      rows: [...this.#rows.values()].flatMap((rows) => [...rows.values()]),
      blobs: this.#blobs,
      log: this.#log,
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
    return this.logLength()
  }

  #stage(row: StagedRow): void {
    const rows = this.#rows.get(row.table) ?? new Map<string, StagedRow>()
    this.#rows.set(row.table, rows)
    rows.set(row.key, row)
  }

  protected override position(): number {
    return this.snapshot.change + 1
  }

  protected override logLength(): number {
    return this.snapshot.logLength + this.#log.length
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
    const change = this.position()
    for (const [name, rows] of this.#rows) {
      if (table !== undefined && table !== name) continue
      for (const row of rows.values()) yield { ...row, change }
    }
  }

  protected override findLine(sequence: number): Uint8Array | undefined {
    return super.findLine(sequence) ?? this.#log[sequence - 1 - this.snapshot.logLength]
  }
}

function toStored(row: FoundRow): StoredRow {
  return { table: row.table, id: idOf(row.key), body: row.body?.slice() }
}
