import { isKeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { QuotaOptions } from '../domain/profiles.js'
import type { QuotaWindow } from '../domain/quota.js'
import type { ProfileBackend, StateEdit } from './backend.js'
import type { Catalogue } from './catalogue.js'
import { Deferral } from './deferral.js'
import type { Entry } from './entry.js'

/** What is left is written this long after the first news of it, in milliseconds. */
const FLUSH_AFTER_MS = 1_000
const RETRY_AFTER_MS = 10_000
/** So many quotas are written at a time. */
const MOST_AT_ONCE = 500

/**
 * What answers say of limits: it counts in this process at once, and is written a second later, many together, so that
 * no request costs a write.
 */
export class QuotaLog {
  readonly #catalogue: Catalogue
  readonly #backend: Pick<ProfileBackend, 'changeState'>
  readonly #logger: Logger | undefined
  readonly #now: () => Date
  readonly #deferral: Deferral
  readonly #pending = new Set<string>()
  #flushing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(
    catalogue: Catalogue,
    backend: Pick<ProfileBackend, 'changeState'>,
    now: () => Date,
    logger: Logger | undefined,
  ) {
    this.#catalogue = catalogue
    this.#backend = backend
    this.#now = now
    this.#logger = logger
    this.#deferral = new Deferral(() => void this.#flushLater())
  }

  /** Takes what an answer said; what was sent before a reset, or with another key, says nothing. */
  note(entry: Entry, windows: readonly QuotaWindow[], { origin }: QuotaOptions): void {
    if (windows.length === 0) return
    const epoch = entry.quotaEpoch
    const { account } = entry.record.meta
    if (origin !== undefined) {
      const sent = account === undefined ? origin.epoch : origin.accountEpoch
      if (sent < epoch) return
    }
    this.#catalogue.noteQuota(entry.quotaKey, epoch, windows, this.#now())
    this.#pending.add(entry.quotaKey)
    if (!this.#closed) this.#deferral.arm(FLUSH_AFTER_MS)
  }

  /** Writes what is pending. Rejects when that fails; it stays pending then. */
  flush(): Promise<void> {
    this.#deferral.disarm()
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#writePending())
    return this.#flushing
  }

  /** Writes what is pending and stops the timer. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.flush()
    } finally {
      this.#deferral.disarm()
    }
  }

  async #writePending(): Promise<void> {
    while (this.#pending.size > 0) {
      const keys = [...this.#pending].slice(0, MOST_AT_ONCE)
      for (const key of keys) this.#pending.delete(key)
      try {
        await this.#backend.changeState(keys.map((key) => this.#edit(key)))
      } catch (error) {
        for (const key of keys) this.#pending.add(key)
        throw error
      }
    }
  }

  /** Where another process was quicker, what it wrote has been heard of when this is asked again. */
  #edit(key: string): StateEdit {
    const of = { kind: 'quota', key } as const
    return {
      of,
      next: () => {
        const value = this.#catalogue.quotaNews(key)
        return value && { ...of, value }
      },
    }
  }

  async #flushLater(): Promise<void> {
    try {
      await this.flush()
    } catch (error) {
      this.#logger?.warn('what is left of limits could not be written; trying again', {
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      if (!this.#closed) this.#deferral.arm(RETRY_AFTER_MS)
    }
  }
}
