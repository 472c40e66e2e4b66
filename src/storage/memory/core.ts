import { DELETIONS_REMEMBERED } from '../checks.js'
import { SerialQueue } from '../queue.js'

/** One value as of one change, and what was there before for readers on an older snapshot. */
interface Version {
  readonly change: number
  readonly value: Uint8Array | undefined
  readonly older: Version | undefined
}

/** A change that a writer has prepared. */
export interface StagedRow {
  readonly table: string
  readonly key: string
  readonly body: Uint8Array | undefined
}

/** What one write transaction changes. */
export interface Staged {
  readonly rows: Iterable<StagedRow>
  readonly blobs: Iterable<readonly [string, Uint8Array]>
  readonly log: readonly Uint8Array[]
}

/** A row as it is found at a snapshot. */
export interface FoundRow extends StagedRow {
  readonly change: number
}

/** The instant a reader looks at. */
export interface Snapshot {
  readonly change: number
  readonly horizon: number
  readonly logLength: number
}

/** The memory that several stores share. Values are kept in versions, so readers never wait for the writer. */
export class MemoryCore {
  /** Writers of all handles queue here. */
  readonly writers: SerialQueue = new SerialQueue()
  readonly #tables = new Map<string, Map<string, Version>>()
  readonly #blobs = new Map<string, Version>()
  readonly #log: Uint8Array[] = []
  readonly #open = new Set<Snapshot>()
  /** Oldest first. */
  readonly #deletions: FoundRow[] = []
  #change = 0
  #horizon = 0

  /** Position after the last committed change. */
  get change(): number {
    return this.#change
  }

  /** Pins the present until it is given back to {@link release}. */
  snapshot(): Snapshot {
    const snapshot = { change: this.#change, horizon: this.#horizon, logLength: this.#log.length }
    this.#open.add(snapshot)
    return snapshot
  }

  release(snapshot: Snapshot): void {
    this.#open.delete(snapshot)
  }

  row(snapshot: Snapshot, table: string, key: string): Uint8Array | undefined {
    return at(this.#tables.get(table)?.get(key), snapshot)?.value
  }

  blob(snapshot: Snapshot, name: string): Uint8Array | undefined {
    return at(this.#blobs.get(name), snapshot)?.value
  }

  /** Every row of one table, or of all, deleted ones included. */
  *rows(snapshot: Snapshot, table?: string): Generator<FoundRow> {
    const names = table === undefined ? this.#tables.keys() : [table]
    for (const name of names) {
      for (const [key, head] of this.#tables.get(name) ?? []) {
        const found = at(head, snapshot)
        if (found !== undefined) yield { table: name, key, body: found.value, change: found.change }
      }
    }
  }

  /** The line with this sequence number. */
  logLine(snapshot: Snapshot, sequence: number): Uint8Array | undefined {
    return sequence <= snapshot.logLength ? this.#log[sequence - 1] : undefined
  }

  /** Makes a writer's changes the present, all at once. */
  commit(staged: Staged): void {
    const change = this.#change + 1
    const keep = this.#open.size > 0
    const next = (head: Version | undefined, value: Uint8Array | undefined): Version => {
      return { change, value, older: keep ? head : undefined }
    }
    for (const { table, key, body } of staged.rows) {
      const rows = this.#tables.get(table) ?? new Map<string, Version>()
      this.#tables.set(table, rows)
      rows.set(key, next(rows.get(key), body))
      if (body === undefined) this.#deletions.push({ table, key, body, change })
    }
    for (const [name, value] of staged.blobs) this.#blobs.set(name, next(this.#blobs.get(name), value))
    for (const line of staged.log) this.#log.push(line)
    this.#change = change
    if (!keep) this.#forgetDeletions(change - DELETIONS_REMEMBERED)
  }

  #forgetDeletions(horizon: number): void {
    for (;;) {
      const oldest = this.#deletions[0]
      if (oldest === undefined || oldest.change > horizon) return
      this.#deletions.shift()
      const rows = this.#tables.get(oldest.table)
      if (rows?.get(oldest.key)?.change === oldest.change) rows.delete(oldest.key)
      this.#horizon = horizon
    }
  }
}

function at(head: Version | undefined, snapshot: Snapshot): Version | undefined {
  let version = head
  while (version !== undefined && version.change > snapshot.change) version = version.older
  return version
}
