import { isKeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { ProfileTransaction, StateEdit } from './backend.js'
import type { Catalogue } from './catalogue.js'
import { Deferral } from './deferral.js'
import type { Outcome } from './outcome.js'

/** Other processes know of an outcome this much later at the most, in milliseconds. */
const WRITE_AFTER_MS = 5
const RETRY_AFTER_MS = 1_000
/** What cannot be written is kept up to this number; the oldest go then, so many at once. */
const MOST_PENDING = 1_000
const LET_GO = 100
const NONE: ReadonlySet<unknown> = new Set()

/** How outcomes are written down. */
export interface OutcomeWriter {
  /** Changes what is remembered, without anything else. */
  readonly change: (edits: readonly StateEdit[]) => Promise<void>
  /** Begins a transaction that changes nothing of its own, for who leaves a line of audit with each outcome. */
  readonly transact?: (() => Promise<void>) | undefined
}

/**
 * Outcomes of requests that count in this process already and are not written down yet: the answer to a request
 * need not wait for the disk. They are written together, a few milliseconds later, and with any other change
 * that is written before. What the vault does not take is kept, and tried again.
 */
export class OutcomeLog {
  readonly #catalogue: Catalogue
  readonly #logger: Logger | undefined
  readonly #deferral: Deferral
  readonly #writer: OutcomeWriter
  readonly #now: () => Date
  #pending: readonly Outcome[] = []
  /** Whose changes the last transaction was to write down. */
  #marked: { readonly uids: readonly string[]; readonly accounts: readonly string[] } = {
    uids: [],
    accounts: [],
  }
  /** Those that are being written at this moment. */
  readonly #underWay = new Set<Outcome>()
  #writing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(catalogue: Catalogue, writer: OutcomeWriter, now: () => Date, logger: Logger | undefined) {
    this.#catalogue = catalogue
    this.#writer = writer
    this.#now = now
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

  /** Lets an outcome take effect and writes it down, with those that wait. Where that fails it never was. */
  async record(outcome: Outcome): Promise<void> {
    this.#catalogue.push(outcome, this.#now())
    this.#pending = [...this.#pending, outcome]
    try {
      // Another write that is under way may have begun before this outcome was there.
      while (this.#pending.includes(outcome)) await this.flush()
    } catch (error) {
      this.settle([outcome], this.#now())
      throw error
    }
  }

  /** Puts everything that waits into a transaction that begins, and gives what it put. */
  async drain(tx: ProfileTransaction): Promise<readonly Outcome[]> {
    this.#unmark()
    const batch = this.#waiting()
    if (batch.length === 0) return batch
    const { uids, accounts, lastGood, changes } = this.#parts(batch)
    this.#marked = { uids, accounts }
    for (const uid of uids) {
      const entry = this.#catalogue.byUid.get(uid)
      entry?.use.mark(changes)
      await tx.putState({ kind: 'use', key: uid, value: entry?.stateWithUse() })
    }
    for (const key of accounts) {
      const stats = this.#catalogue.markAccount(key, changes)
      if (stats !== undefined) await tx.putState({ kind: 'account', key, value: stats })
    }
    for (const [key, uid] of lastGood) await tx.putState({ kind: 'last_good', key, value: uid })
    for (const { event, id, uid, detail } of batch) {
      if (this.#catalogue.byUid.has(uid)) await tx.audit(event, id, detail)
    }
    return batch
  }

  /** A transaction that failed has left its marks: what it was to write down is still to be written down. */
  #unmark(): void {
    for (const uid of this.#marked.uids) this.#catalogue.byUid.get(uid)?.use.mark(NONE)
    for (const key of this.#marked.accounts) this.#catalogue.markAccount(key, NONE)
    this.#marked = { uids: [], accounts: [] }
  }

  /** Forgets outcomes that were written down. */
  settle(batch: readonly Outcome[], now: Date): void {
    if (batch.length === 0) return
    const written = new Set(batch)
    for (const outcome of batch) this.#underWay.delete(outcome)
    this.#pending = this.#pending.filter((outcome) => !written.has(outcome))
    this.#catalogue.drop(batch, now)
    if (this.#pending.length === 0) this.#deferral.disarm()
  }

  /** Writes down what waits. Rejects when that fails; it goes on waiting then. */
  async flush(): Promise<void> {
    if (this.#writer.transact !== undefined) {
      if (this.#pending.length > 0) await this.#writer.transact()
      return
    }
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write())
    await this.#writing
  }

  async #write(): Promise<void> {
    const batch = this.#waiting()
    if (batch.length === 0) return
    for (const outcome of batch) this.#underWay.add(outcome)
    try {
      await this.#writer.change(this.#edits(batch))
      this.settle(batch, this.#now())
    } finally {
      for (const outcome of batch) this.#underWay.delete(outcome)
    }
  }

  #edits(batch: readonly Outcome[]): StateEdit[] {
    const { uids, accounts, lastGood, changes } = this.#parts(batch)
    return [
      ...uids.map(
        (uid): StateEdit => ({
          of: { kind: 'use', key: uid },
          next: () => {
            const entry = this.#catalogue.byUid.get(uid)
            return entry && { kind: 'use', key: uid, value: entry.stateWith(changes) }
          },
          done: () => this.#catalogue.dropChanges(uid, changes, this.#now()),
        }),
      ),
      ...accounts.map(
        (key): StateEdit => ({
          of: { kind: 'account', key },
          next: () => {
            const stats = this.#catalogue.accountWith(key, changes)
            return stats && { kind: 'account', key, value: stats }
          },
          done: () => this.#catalogue.dropAccountChanges(key, changes, this.#now()),
        }),
      ),
      ...[...lastGood].map(
        ([key, uid]): StateEdit => ({
          of: { kind: 'last_good', key },
          next: () => ({ kind: 'last_good', key, value: uid }),
        }),
      ),
    ]
  }

  /** What outcomes change, of those whose profile is there. */
  #parts(batch: readonly Outcome[]): {
    readonly uids: string[]
    readonly accounts: string[]
    readonly lastGood: ReadonlyMap<string, string>
    readonly changes: ReadonlySet<unknown>
  } {
    const present = batch.filter(({ uid }) => this.#catalogue.byUid.has(uid))
    const lastGood = new Map<string, string>()
    for (const { provider, uid, event } of present) if (event === 'success') lastGood.set(provider, uid)
    return {
      uids: [...new Set(present.map((outcome) => outcome.uid))],
      accounts: [...new Set(batch.flatMap(({ account }) => (account === undefined ? [] : [account.key])))],
      lastGood,
      changes: new Set<unknown>(batch.flatMap(({ state, account }) => [state, account?.change])),
    }
  }

  #waiting(): readonly Outcome[] {
    return this.#pending.filter((outcome) => !this.#underWay.has(outcome))
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
