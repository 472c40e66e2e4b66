import { isKeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { ProfileTransaction } from './backend.js'
import type { Catalogue } from './catalogue.js'
import { Deferral } from './deferral.js'
import type { Outcome } from './outcome.js'

/** Other processes know of an outcome this much later at the most, in milliseconds. */
const WRITE_AFTER_MS = 5
const RETRY_AFTER_MS = 1_000
/** What cannot be written is kept up to this number; the oldest go then, so many at once. */
const MOST_PENDING = 1_000
const LET_GO = 100

/**
 * Outcomes of requests that count in this process already and are not written down yet: the answer to a request
 * need not wait for the disk. They are written together, a few milliseconds later, and with any other change
 * that is written before. What the vault does not take is kept, and tried again.
 */
export class OutcomeLog {
  readonly #catalogue: Catalogue
  readonly #logger: Logger | undefined
  readonly #deferral: Deferral
  readonly #flush: () => Promise<void>
  #pending: readonly Outcome[] = []
  #closed = false

  /** @param flush begins a transaction that changes nothing of its own */
  constructor(catalogue: Catalogue, flush: () => Promise<void>, logger: Logger | undefined) {
    this.#catalogue = catalogue
    this.#flush = flush
    this.#logger = logger
    this.#deferral = new Deferral(() => this.#writeLater())
  }

  /** Lets an outcome take effect. */
  add(outcome: Outcome, now: Date): void {
    this.#catalogue.push(outcome, now)
    this.#pending = [...this.#pending, outcome]
    if (this.#pending.length > MOST_PENDING) this.settle(this.#pending.slice(0, LET_GO), now)
    if (!this.#closed) this.#deferral.arm(WRITE_AFTER_MS)
  }

  /** Puts everything that waits into a transaction that begins, and gives what it put. */
  async drain(tx: ProfileTransaction): Promise<readonly Outcome[]> {
    const batch = this.#pending
    if (batch.length === 0) return batch
    const present = batch.filter(({ uid }) => this.#catalogue.byUid.has(uid))
    const accounts = new Set(batch.flatMap(({ account }) => (account === undefined ? [] : [account.key])))
    const lastGood = new Map<string, string>()
    for (const { provider, uid, event } of present) if (event === 'success') lastGood.set(provider, uid)
    for (const uid of new Set(present.map((outcome) => outcome.uid))) {
      const entry = this.#catalogue.byUid.get(uid)
      entry?.use.mark()
      await tx.putState(uid, entry?.stateWithUse())
    }
    for (const key of accounts) await tx.putAccount(key, this.#catalogue.markAccount(key))
    for (const [provider, uid] of lastGood) await tx.putLastGood(provider, uid)
    for (const { event, id, detail } of present) await tx.audit(event, id, detail)
    return batch
  }

  /** Forgets outcomes that were written down. */
  settle(batch: readonly Outcome[], now: Date): void {
    if (batch.length === 0) return
    const written = new Set(batch)
    this.#pending = this.#pending.filter((outcome) => !written.has(outcome))
    this.#catalogue.drop(batch, now)
    if (this.#pending.length === 0) this.#deferral.disarm()
  }

  /** Writes down what waits. Rejects when that fails; it goes on waiting then. */
  async flush(): Promise<void> {
    if (this.#pending.length > 0) await this.#flush()
  }

  /** Writes down what waits, once, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#deferral.disarm()
    await this.flush()
  }

  #writeLater(): void {
    this.flush().catch((error: unknown) => {
      this.#logger?.warn('the outcomes of requests could not be recorded; trying again', {
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      if (!this.#closed) this.#deferral.arm(RETRY_AFTER_MS)
    })
  }
}
