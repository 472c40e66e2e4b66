import { isKeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { ProfileTransaction, StateEdit } from './backend.js'
import type { Catalogue } from './catalogue.js'
import { Deferral } from './deferral.js'
import type { Outcome } from './outcome.js'
import { OutcomeQueue } from './outcome-queue.js'

/** Other processes know of an outcome this much later at the most, in milliseconds. */
const WRITE_AFTER_MS = 5
const RETRY_AFTER_MS = 1_000
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
 * that is written before. What the vault does not take is kept, and tried again; of what nobody waits for, the oldest
 * go when there is too much of it.
 */
export class OutcomeLog {
  readonly #catalogue: Catalogue
  readonly #logger: Logger | undefined
  readonly #deferral: Deferral
  readonly #writer: OutcomeWriter
  readonly #now: () => Date
  readonly #queue = new OutcomeQueue()
  /** Whose changes the last transaction was to write down. */
  #marked: { readonly uids: readonly string[]; readonly accounts: readonly string[] } = {
    uids: [],
    accounts: [],
  }
  #writing: Promise<void> = Promise.resolve()
  #writingLater = false
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
    this.#queue.add(outcome)
    this.#settle(this.#queue.surplus(), now)
    if (!this.#closed) this.#deferral.arm(WRITE_AFTER_MS)
  }

  /** Lets an outcome take effect and writes it down, with those that wait. Where that fails it never was. */
  async record(outcome: Outcome): Promise<void> {
    this.#catalogue.push(outcome, this.#now())
    this.#queue.add(outcome)
    try {
      await this.#written([outcome], { once: true })
    } catch (error) {
      this.#settle([outcome], this.#now())
      throw error
    }
  }

  /**
   * Puts everything that waits into a transaction that begins. What it gives is to be called when the transaction is
   * over: until then nothing else writes these down.
   */
  async drain(tx: ProfileTransaction): Promise<(committed: boolean) => void> {
    this.#unmark()
    const batch = this.#queue.free
    const release = this.#queue.take(batch)
    try {
      await this.#put(batch, tx)
    } catch (error) {
      release()
      throw error
    }
    return (committed) => {
      if (committed) this.#settle(batch, this.#now())
      release()
    }
  }

  async #put(batch: readonly Outcome[], tx: ProfileTransaction): Promise<void> {
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
  }

  /** A transaction that failed has left its marks: what it was to write down is still to be written down. */
  #unmark(): void {
    for (const uid of this.#marked.uids) this.#catalogue.byUid.get(uid)?.use.mark(NONE)
    for (const key of this.#marked.accounts) this.#catalogue.markAccount(key, NONE)
    this.#marked = { uids: [], accounts: [] }
  }

  /** Forgets outcomes: they were written down, or never will be. */
  #settle(batch: readonly Outcome[], now: Date): void {
    if (batch.length === 0) return
    this.#queue.delete(batch)
    this.#catalogue.drop(batch, now)
    if (this.#queue.size === 0) this.#deferral.disarm()
  }

  /** Writes down what waits. Rejects when that fails; it goes on waiting then. */
  flush(): Promise<void> {
    return this.#written(this.#queue.all)
  }

  async #written(batch: readonly Outcome[], options: { readonly once?: boolean } = {}): Promise<void> {
    const release = this.#queue.hold(batch)
    try {
      await this.#queue.written(batch, () => this.#write(), options)
    } finally {
      release()
    }
  }

  #write(): Promise<void> {
    if (this.#writer.transact !== undefined) return this.#writer.transact()
    this.#writing = this.#writing.catch(() => {}).then(() => this.#writeFree())
    return this.#writing
  }

  async #writeFree(): Promise<void> {
    const batch = this.#queue.free
    if (batch.length === 0) return
    const release = this.#queue.take(batch)
    try {
      await this.#writer.change(this.#edits(batch))
      this.#settle(batch, this.#now())
    } finally {
      release()
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

  /** Writes down what waits, once, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#deferral.disarm()
    await this.flush()
  }

  #writeLater(): void {
    if (this.#writingLater) return
    this.#writingLater = true
    void this.#tryToWrite().then((againAfterMs) => {
      this.#writingLater = false
      if (this.#queue.size > 0 && !this.#closed) this.#deferral.arm(againAfterMs)
    })
  }

  /** Writes down what waits. Never rejects; gives how long to wait before the next try. */
  async #tryToWrite(): Promise<number> {
    try {
      await this.#queue.written(this.#queue.all, () => this.#write())
      return WRITE_AFTER_MS
    } catch (error) {
      this.#logger?.warn('the outcomes of requests could not be recorded; trying again', {
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      return RETRY_AFTER_MS
    }
  }
}
