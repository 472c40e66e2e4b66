import type { Logger } from '../domain/ports.js'
import type { ProfileBackend, SegmentKind, StateEdit } from './backend.js'
import { Deferral } from './deferral.js'
import {
  entriesOf,
  entryCount,
  lastEntryMs,
  type Remembered,
  SEGMENT_ENTRIES,
  type Segment,
  withEntries,
} from './segments.js'

/** So many segments are kept, the newest: 16,384 entries. */
const MOST_SEGMENTS = 64
const KEPT_MS = 30 * 24 * 3_600_000
/** What is kept at leisure is written this long after the first of it, in milliseconds. */
const FLUSH_AFTER_MS = 1_000
const RETRY_AFTER_MS = 10_000
const MOST_FAILURES = 5
/** What cannot be written is kept up to this number; then the oldest goes. */
const MOST_PENDING = 10_000

/** What a log is part of. */
export interface SegmentLogHost {
  readonly backend: Pick<ProfileBackend, 'changeState' | 'transact'>
  readonly nowMs: () => number
  readonly logger?: Logger | undefined
}

/**
 * What all processes remember by digest, in numbered segments that they share: each adds to the newest one, by
 * compare-and-swap. The latest entry for a digest counts.
 */
export class SegmentLog {
  readonly #kind: SegmentKind
  readonly #host: SegmentLogHost
  readonly #segments = new Map<number, Segment>()
  readonly #pending = new Map<string, Remembered>()
  /** Entries of all segments, made when something is asked for; `undefined` where they have to be looked through. */
  #index: Map<string, Remembered> | undefined
  readonly #deferral: Deferral
  #flushing: Promise<void> = Promise.resolve()
  /** Attempts in a row that failed. */
  #failed = 0
  #newestMs = 0

  constructor(kind: SegmentKind, host: SegmentLogHost) {
    this.#kind = kind
    this.#host = host
    this.#deferral = new Deferral(() => void this.#flushLater())
  }

  get isEmpty(): boolean {
    return this.#segments.size === 0 && this.#pending.size === 0
  }

  /** When the latest entry was made, in epoch milliseconds; 0 where there is none. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Forgets what is stored, as long as nothing is told of it. */
  clear(): void {
    this.#segments.clear()
    this.#index = undefined
  }

  /** Takes over a segment as it is stored now. */
  take(key: string, segment: Segment | undefined): void {
    const number = Number(key)
    if (!Number.isSafeInteger(number)) return
    if (segment === undefined) {
      this.#segments.delete(number)
      this.#index = undefined
      return
    }
    this.#newestMs = Math.max(this.#newestMs, lastEntryMs(segment))
    const isNewest = number >= this.#newest()
    this.#segments.set(number, segment)
    // Others add to the newest one: what it has is later than all else.
    if (isNewest && this.#index !== undefined) addTo(this.#index, segment)
    else this.#index = undefined
  }

  find(digest: string): Remembered | undefined {
    const found = this.#pending.get(digest) ?? this.#indexed().get(digest)
    return found !== undefined && this.#host.nowMs() - found.atMs < KEPT_MS ? found : undefined
  }

  /** Keeps something, to be written in a moment with what comes meanwhile. */
  put(digest: string, value: Remembered): void {
    this.#pending.delete(digest)
    this.#pending.set(digest, value)
    this.#newestMs = Math.max(this.#newestMs, value.atMs)
    if (this.#pending.size > MOST_PENDING) {
      const [oldest] = this.#pending.keys()
      if (oldest !== undefined) this.#pending.delete(oldest)
    }
    this.#deferral.arm(FLUSH_AFTER_MS)
  }

  /** Writes what is pending now; what cannot be written is tried again later. */
  hurry(): Promise<void> {
    return this.#flushLater()
  }

  /** Writes what is pending. Rejects when that fails; it stays pending then. */
  flush(): Promise<void> {
    this.#deferral.disarm()
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#writePending())
    return this.#flushing
  }

  /** Writes what is pending and stops the timer. */
  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      this.#deferral.disarm()
    }
  }

  async #writePending(): Promise<void> {
    while (this.#pending.size > 0) {
      await this.#host.backend.changeState([this.#edit(this.#open())])
    }
    const gone = this.#superfluous()
    if (gone.length === 0) return
    await this.#host.backend.transact(async (tx) => {
      for (const number of this.#superfluous()) await tx.forget({ kind: this.#kind, key: String(number) })
    })
  }

  /** Adds to a segment as much as it takes. Another process may have filled it meanwhile: then nothing. */
  #edit(number: number): StateEdit {
    const of = { kind: this.#kind, key: String(number) }
    let taken: [string, Remembered][] = []
    return {
      of,
      next: () => {
        const segment = this.#segments.get(number)
        taken = [...this.#pending].slice(0, SEGMENT_ENTRIES - entryCount(segment))
        return taken.length === 0 ? undefined : { ...of, value: withEntries(segment, taken) }
      },
      done: () => {
        for (const [digest, value] of taken) {
          if (this.#pending.get(digest) === value) this.#pending.delete(digest)
        }
      },
    }
  }

  /** The number of the segment to add to. */
  #open(): number {
    const newest = Math.max(0, this.#newest())
    return entryCount(this.#segments.get(newest)) < SEGMENT_ENTRIES ? newest : newest + 1
  }

  #newest(): number {
    return Math.max(-1, ...this.#segments.keys())
  }

  /** The oldest that are too many, and those whose every entry is too old. */
  #superfluous(): number[] {
    const numbers = [...this.#segments.keys()].sort((a, b) => a - b)
    const tooMany = numbers.slice(0, Math.max(0, numbers.length - MOST_SEGMENTS))
    const before = this.#host.nowMs() - KEPT_MS
    const [oldest] = numbers.slice(tooMany.length, -1)
    const segment = oldest === undefined ? undefined : this.#segments.get(oldest)
    const isOld = segment !== undefined && [...entriesOf(segment)].every(([, { atMs }]) => atMs < before)
    return isOld && oldest !== undefined ? [...tooMany, oldest] : tooMany
  }

  #indexed(): Map<string, Remembered> {
    if (this.#index !== undefined) return this.#index
    const index = new Map<string, Remembered>()
    for (const number of [...this.#segments.keys()].sort((a, b) => a - b)) {
      const segment = this.#segments.get(number)
      if (segment !== undefined) addTo(index, segment)
    }
    this.#index = index
    return index
  }

  #flushLater(): Promise<void> {
    const written = this.flush().then(() => {
      this.#failed = 0
    })
    return written.catch((error: unknown) => {
      this.#host.logger?.warn('what is known of conversations could not be written; trying again', {
        error: error instanceof Error ? error.message : 'unknown',
      })
      this.#failed += 1
      // A process that ends would try without end.
      if (this.#failed < MOST_FAILURES) this.#deferral.arm(RETRY_AFTER_MS)
    })
  }
}

function addTo(index: Map<string, Remembered>, segment: Segment): void {
  for (const [digest, value] of entriesOf(segment)) index.set(digest, value)
}
