import type { Logger } from '../domain/ports.js'
import type { Entry } from './entry.js'

const FLUSH_AFTER_MS = 1_000

/**
 * Times of use that are not written down yet. They are flushed together at most a second after the first,
 * and at exit, so that handing out a credential costs no disk access.
 */
export class UseLog {
  readonly #write: (entries: readonly Entry[]) => Promise<void>
  readonly #logger: Logger | undefined
  #pending: Entry[] = []
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(write: (entries: readonly Entry[]) => Promise<void>, logger: Logger | undefined) {
    this.#write = write
    this.#logger = logger
  }

  /** Remembers that the entry's time of use has moved on. */
  add(entry: Entry): void {
    if (entry.unflushed || this.#closed) return
    entry.unflushed = true
    this.#pending.push(entry)
    if (this.#timer === undefined) this.#arm()
  }

  /** Writes what is pending. Rejects when that fails; it stays pending then. */
  flush(): Promise<void> {
    this.#disarm()
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#writePending())
    return this.#flushing
  }

  /** Writes what is pending and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.flush()
    } finally {
      this.#disarm()
    }
  }

  async #writePending(): Promise<void> {
    const entries = this.#pending
    if (entries.length === 0) return
    this.#pending = []
    for (const entry of entries) entry.unflushed = false
    try {
      await this.#write(entries)
    } catch (error) {
      for (const entry of entries) {
        if (entry.unflushed) continue
        entry.unflushed = true
        this.#pending.push(entry)
      }
      throw error
    }
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.flush().catch((error: unknown) => {
        this.#logger?.warn('times of use could not be written; trying again', {
          error: error instanceof Error ? error.message : 'unknown',
        })
        if (!this.#closed) this.#arm()
      })
    }, FLUSH_AFTER_MS)
    this.#timer.unref()
    unwritten.add(this)
    if (unwritten.size === 1) process.on('beforeExit', flushAll)
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (unwritten.delete(this) && unwritten.size === 0) process.off('beforeExit', flushAll)
  }
}

/** Logs with something pending: a process that ends without closing its handle writes them down at the last moment. */
const unwritten = new Set<UseLog>()

function flushAll(): void {
  for (const log of unwritten) log.flush().catch(() => {})
}
