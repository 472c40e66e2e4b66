import { DELETIONS_REMEMBERED } from '../checks.js'
import { SerialQueue } from '../queue.js'
import { type Found, VersionedMap } from './versions.js'

/** A change of a row that a writer has prepared. */
export interface StagedRow {
  readonly table: string
  readonly key: string
  readonly body: Uint8Array | undefined
}

/** A state row, or its deletion, that stands or is to stand under a key. */
export interface StoredState {
  readonly revision: number
  readonly body: Uint8Array | undefined
}

/** A writer's lines. Later versions of a chain share the array, which is only added to, and are longer. */
export interface Chain {
  readonly lines: readonly Uint8Array[]
  readonly length: number
}

/** What one write transaction changes. */
export interface Staged {
  readonly rows: Iterable<StagedRow>
  readonly blobs: Iterable<readonly [string, Uint8Array]>
  /** How many lines of before stay. */
  readonly keptLines: number
  readonly log: readonly Uint8Array[]
  readonly states: Iterable<readonly [string, StoredState]>
  readonly deletedChains: Iterable<string>
  readonly line: { readonly writer: string; readonly body: Uint8Array } | undefined
  readonly term: number
}

/** A row as it is found at a snapshot. */
export interface FoundRow extends StagedRow {
  readonly change: number
}

/** The instant a reader looks at. */
export interface Snapshot {
  readonly change: number
  readonly horizon: number
  /** Later lines are added to it; where some are removed another array takes its place. */
  readonly log: readonly Uint8Array[]
  readonly logLength: number
  readonly term: number
}

/** Something deleted that is remembered for a while. */
interface Deletion {
  readonly from: { forget(key: string, change: number): void }
  readonly key: string
  readonly change: number
}

/** Where there is none. */
export const NO_CHAIN: Chain = { lines: [], length: 0 }

/** The memory that several stores share. Values are kept in versions, so readers never wait for the writer. */
export class MemoryCore {
  /** Writers of all handles queue here. */
  readonly writers: SerialQueue = new SerialQueue()
  readonly #tables = new Map<string, VersionedMap<Uint8Array | undefined>>()
  readonly #blobs = new VersionedMap<Uint8Array>()
  #log: Uint8Array[] = []
  readonly #states = new VersionedMap<StoredState>()
  readonly #chains = new VersionedMap<Chain>()
  /** The arrays of the present chains, by writer. */
  readonly #lines = new Map<string, Uint8Array[]>()
  readonly #open = new Set<Snapshot>()
  /** Oldest first. */
  readonly #deletions: Deletion[] = []
  #change = 0
  #horizon = 0
  #term = 0

  /** Position after the last committed change. */
  get change(): number {
    return this.#change
  }

  /** Pins the present until it is given back to {@link release}. */
  snapshot(): Snapshot {
    const [change, horizon, term] = [this.#change, this.#horizon, this.#term]
    const snapshot = { change, horizon, term, log: this.#log, logLength: this.#log.length }
    this.#open.add(snapshot)
    return snapshot
  }

  release(snapshot: Snapshot): void {
    this.#open.delete(snapshot)
  }

  row({ change }: Snapshot, table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.get(key, change)
  }

  blob({ change }: Snapshot, name: string): Uint8Array | undefined {
    return this.#blobs.get(name, change)
  }

  /** Every row of one table, or of all, deleted ones included. */
  *rows(snapshot: Snapshot, table?: string): Generator<FoundRow> {
    const names = table === undefined ? this.#tables.keys() : [table]
    for (const name of names) {
      for (const { key, value, change } of this.#tables.get(name)?.entries(snapshot.change) ?? []) {
        yield { table: name, key, body: value, change }
      }
    }
  }

  /** The line with this sequence number. */
  logLine(snapshot: Snapshot, sequence: number): Uint8Array | undefined {
    return sequence <= snapshot.logLength ? snapshot.log[sequence - 1] : undefined
  }

  /** The state row under a key, or its deletion. */
  state({ change }: Snapshot, key: string): StoredState | undefined {
    return this.#states.get(key, change)
  }

  /** Every state row, deleted ones included. */
  states({ change }: Snapshot): Generator<Found<StoredState>> {
    return this.#states.entries(change)
  }

  chain({ change }: Snapshot, writer: string): Chain {
    return this.#chains.get(writer, change) ?? NO_CHAIN
  }

  /** Every chain, deleted ones with a length of 0. */
  chains({ change }: Snapshot): Generator<Found<Chain>> {
    return this.#chains.entries(change)
  }

  /** Makes a writer's changes the present, all at once. */
  commit(staged: Staged): void {
    const change = this.#change + 1
    const keep = this.#open.size > 0
    for (const { table, key, body } of staged.rows) {
      const rows = this.#tables.get(table) ?? new VersionedMap<Uint8Array | undefined>()
      this.#tables.set(table, rows)
      rows.set(key, body, change, keep)
      if (body === undefined) this.#deletions.push({ from: rows, key, change })
    }
    for (const [name, value] of staged.blobs) this.#blobs.set(name, value, change, keep)
    if (staged.keptLines < this.#log.length) this.#log = this.#log.slice(0, staged.keptLines)
    for (const line of staged.log) this.#log.push(line)
    for (const [key, state] of staged.states) {
      this.#states.set(key, state, change, keep)
      if (state.body === undefined) this.#deletions.push({ from: this.#states, key, change })
    }
    this.#commitChains(staged, change, keep)
    this.#term = staged.term
    this.#change = change
    if (!keep) this.#forgetDeletions(change - DELETIONS_REMEMBERED)
  }

  #commitChains({ deletedChains, line }: Staged, change: number, keep: boolean): void {
    for (const writer of deletedChains) {
      this.#lines.delete(writer)
      this.#chains.set(writer, NO_CHAIN, change, keep)
    }
    if (line === undefined) return
    const lines = this.#lines.get(line.writer) ?? []
    this.#lines.set(line.writer, lines)
    lines.push(line.body)
    this.#chains.set(line.writer, { lines, length: lines.length }, change, keep)
  }

  #forgetDeletions(horizon: number): void {
    for (;;) {
      const oldest = this.#deletions[0]
      if (oldest === undefined || oldest.change > horizon) return
      this.#deletions.shift()
      oldest.from.forget(oldest.key, oldest.change)
      this.#horizon = horizon
    }
  }
}
