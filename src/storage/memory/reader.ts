import { assertName, assertRowId, cursorUsable, endedError, wholeNumber } from '../checks.js'
import type {
  ChainHead,
  ChangeSet,
  LogRow,
  StateChange,
  StateRow,
  StoredRow,
  StoreReader,
} from '../contract.js'
import type { Chain, FoundRow, MemoryCore, Snapshot, StoredState } from './core.js'
import type { Found } from './versions.js'

export const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('latin1')
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

  protected findState(key: string): StoredState | undefined {
    return this.core.state(this.snapshot, key)
  }

  protected findStates(): Iterable<Found<StoredState>> {
    return this.core.states(this.snapshot)
  }

  protected findChain(writer: string): Chain {
    return this.core.chain(this.snapshot, writer)
  }

  protected present(): { readonly position: number; readonly logLength: number; readonly term: number } {
    const { change: position, logLength, term } = this.snapshot
    return { position, logLength, term }
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
    return this.present().position
  }

  async changesSince(cursor: number): Promise<ChangeSet> {
    this.assertOpen()
    const current = this.present().position
    const full = !cursorUsable(cursor, this.snapshot.horizon, current)
    const wanted = (body: Uint8Array | undefined, change: number): boolean =>
      full ? body !== undefined : change > cursor
    return {
      cursor: current,
      full,
      rows: [...this.findRows()].filter(({ body, change }) => wanted(body, change)).map(toStored),
      state: [...this.findStates()].filter(({ value, change }) => wanted(value.body, change)).map(toChange),
    }
  }

  async lastLog(): Promise<LogRow | undefined> {
    this.assertOpen()
    const sequence = this.present().logLength
    return toLine(sequence, this.findLine(sequence))
  }

  async readLog(from: number, limit: number): Promise<LogRow[]> {
    this.assertOpen()
    return readLines(from, limit, (sequence) => this.findLine(sequence))
  }

  async getState(id: Uint8Array): Promise<StateRow | undefined> {
    this.assertOpen()
    assertRowId(id)
    return this.stateRow(id)
  }

  protected stateRow(id: Uint8Array): StateRow | undefined {
    const key = keyOf(id)
    const value = this.findState(key)
    return value === undefined ? undefined : toState({ key, value })[0]
  }

  async scanState(): Promise<StateRow[]> {
    this.assertOpen()
    return [...this.findStates()].flatMap(toState)
  }

  async term(): Promise<number> {
    this.assertOpen()
    return this.present().term
  }

  async readChain(writer: Uint8Array, from: number, limit: number): Promise<LogRow[]> {
    this.assertOpen()
    assertRowId(writer)
    const { lines, length } = this.findChain(keyOf(writer))
    return readLines(from, limit, (sequence) => (sequence > length ? undefined : lines[sequence - 1]))
  }

  async chains(): Promise<ChainHead[]> {
    this.assertOpen()
    return [...this.core.chains(this.snapshot)]
      .map(({ key }) => ({ writer: idOf(key), last: this.findChain(key).length }))
      .filter(({ last }) => last > 0)
  }
}

function readLines(
  from: number,
  limit: number,
  find: (sequence: number) => Uint8Array | undefined,
): LogRow[] {
  const lines: LogRow[] = []
  for (let sequence = wholeNumber(from, 1); lines.length < wholeNumber(limit, 0); sequence++) {
    const line = toLine(sequence, find(sequence))
    if (line === undefined) break
    lines.push(line)
  }
  return lines
}

function toLine(sequence: number, body: Uint8Array | undefined): LogRow | undefined {
  return body === undefined ? undefined : { sequence, body: body.slice() }
}

function toStored(row: FoundRow): StoredRow {
  return { table: row.table, id: idOf(row.key), body: row.body?.slice() }
}

function toChange({ key, value }: Pick<Found<StoredState>, 'key' | 'value'>): StateChange {
  return { id: idOf(key), revision: value.revision, body: value.body?.slice() }
}

/** The row, unless it is a deletion. */
function toState({ key, value: { revision, body } }: Pick<Found<StoredState>, 'key' | 'value'>): StateRow[] {
  return body === undefined ? [] : [{ id: idOf(key), revision, body: body.slice() }]
}
