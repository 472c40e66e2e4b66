import type { Logger } from '../domain/ports.js'
import { Deferral } from './deferral.js'
import type { Entry } from './entry.js'

/** Times of use are written this long after the first, in milliseconds, and at exit. */
const FLUSH_AFTER_MS = 60_000
/** What could not be written is tried again after this long. */
const RETRY_AFTER_MS = 1_000

/** Writes down times of use; `last` as the process ends. */
export type WriteUses = (entries: readonly Entry[], last: boolean) => Promise<void>

/**
 * Times of use that are not written down yet. They are flushed together at most a minute after the first,
 * and at exit, so that handing out a credential costs no disk access.
 */
export class UseLog {
  readonly #write: WriteUses
  readonly #logger: Logger | undefined
  readonly #deferral: Deferral
  #pending: Entry[] = []
  #flushing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(write: WriteUses, logger: Logger | undefined) {
    this.#write = write
    this.#logger = logger
    this.#deferral = new Deferral(() => this.#flushLater())
  }

  /** Remembers that the entry's time of use has moved on. */
  add(entry: Entry): void {
    if (entry.unflushed || this.#closed) return
    entry.unflushed = true
    this.#pending.push(entry)
    this.#deferral.arm(FLUSH_AFTER_MS)
  }

  /** Writes what is pending. Rejects when that fails; it stays pending then. */
  flush(): Promise<void> {
    this.#deferral.disarm()
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#writePending())
    return this.#flushing
  }

  /** Writes what is pending and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.flush()
    } finally {
      this.#deferral.disarm()
    }
  }

  async #writePending(): Promise<void> {
    const entries = this.#pending
    if (entries.length === 0 && !this.#closed) return
    this.#pending = []
    for (const entry of entries) entry.unflushed = false
    try {
      await this.#write(entries, this.#closed)
    } catch (error) {
      for (const entry of entries) {
        if (entry.unflushed) continue
        entry.unflushed = true
        this.#pending.push(entry)
      }
      throw error
    }
  }

  #flushLater(): void {
    this.flush().catch((error: unknown) => {
      this.#logger?.warn('times of use could not be written; trying again', {
        error: error instanceof Error ? error.message : 'unknown',
      })
      if (!this.#closed) this.#deferral.arm(RETRY_AFTER_MS)
    })
  }
}
