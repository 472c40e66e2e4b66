import type { CallOptions, FailureOptions } from '../domain/ports.js'
import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import { scopeOf } from '../policy/effects.js'
import { applyReset, applyTrial } from '../policy/failure.js'
import { clampWindows, clearExpiredWindows } from '../policy/windows.js'
import type { ProfileTransaction } from './backend.js'
import type { Entry } from './entry.js'
import { accountKey } from './entry.js'
import {
  failureOutcome,
  isNews,
  lastError,
  type Outcome,
  type OutcomeContext,
  shownError,
  successOutcome,
} from './outcome.js'
import type { ProfileIndex } from './profile-index.js'
import type { OutcomeReport, SuccessOptions } from './types.js'

/** A line of audit for each hour in which a surface used a profile: one for each use would fill the disk. */
const AUDIT_USE_EVERY_MS = 3_600_000

/** What use tells of profiles: failures, successes, windows, times of use. */
export class Outcomes {
  readonly #index: ProfileIndex

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  async markError(id: string, error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#index.transact(options, async (tx) => {
      const entry = this.#index.mustFind(id)
      const message = error instanceof Error ? error.message : String(error)
      await tx.putState(entry.uid, {
        ...entry.stateWithUse(),
        ...lastError(entry, message, this.#index.now()),
      })
    })
  }

  async reportFailure(
    id: string,
    reason: FailureReason,
    options: FailureOptions = {},
  ): Promise<OutcomeReport> {
    await this.#index.transact(options, async (tx) => {
      const entry = this.#index.mustFind(id)
      const context = this.#context()
      const { message } = options
      const error = message === undefined ? {} : lastError(entry, message, context.now)
      await this.#put(tx, entry, failureOutcome(entry, reason, options, context, error))
    })
    const entry = this.#index.mustFind(id)
    const { state, until } = entry.standing
    const modelUntil =
      options.model === undefined ? undefined : entry.modelWindow(options.model, this.#index.now())?.until
    const unusableUntil = until ?? modelUntil
    return {
      profileId: entry.id,
      reason,
      scope: scopeOf(reason, options.model),
      state,
      ...(unusableUntil === undefined ? {} : { unusableUntil }),
    }
  }

  async markSuccess(id: string, options: CallOptions & SuccessOptions = {}): Promise<void> {
    await this.#index.ready(options)
    const known = this.#index.mustFind(id)
    this.#index.used(known)
    if (!isNews(known, options.model)) return
    await this.#index.transact(options, async (tx) => {
      const entry = this.#index.mustFind(id)
      await this.#put(tx, entry, successOutcome(entry, options.model, this.#index.now(), options.origin))
    })
  }

  noteFailure(id: string, reason: FailureReason, options: Omit<FailureOptions, 'signal'> = {}): void {
    const entry = this.#index.find(id)
    if (entry === undefined) return
    const context = this.#context()
    const { message } = options
    const error = message === undefined ? {} : shownError(message, context.now)
    this.#index.outcomes.add(failureOutcome(entry, reason, options, context, error), context.now)
  }

  noteSuccess(id: string, { model, origin }: SuccessOptions = {}): void {
    const entry = this.#index.find(id)
    if (entry === undefined) return
    this.#index.used(entry)
    if (!isNews(entry, model)) return
    const now = this.#index.now()
    this.#index.outcomes.add(successOutcome(entry, model, now, origin), now)
  }

  /**
   * Whether one request may go out with this disabled profile now, to see whether the disable still holds.
   * At most one per 10 minutes may, whichever process asks; the answer is durable before it is given.
   */
  async claimTrial(id: string, options: CallOptions = {}): Promise<boolean> {
    return this.#index.transact(options, async (tx) => {
      const entry = this.#index.find(id)
      if (entry === undefined || this.#index.look(entry).standing.state !== 'disabled') return false
      const stats = applyTrial(entry.use.base.stats, this.#index.now())
      if (stats === undefined) return false
      await tx.putState(entry.uid, entry.stateWithUse(stats))
      return true
    })
  }

  async clearExpiredCooldowns(options: CallOptions = {}): Promise<boolean> {
    await this.#index.ready(options)
    const now = this.#index.now()
    const cleared = (stats: ProfileUsageStats, provider: string): ProfileUsageStats =>
      clearExpiredWindows(clampWindows(stats, now, { provider, config: this.#index.config.cooldown }), now)
    const due = [...this.#index.catalogue.entries.values()].filter(
      (entry) => cleared(entry.state.stats, entry.provider) !== entry.state.stats,
    )
    if (due.length === 0) return false
    await this.#index.transact(options, async (tx) => {
      for (const { id } of due) {
        const entry = this.#index.find(id)
        if (entry !== undefined)
          await tx.putState(entry.uid, entry.stateWithUse(cleared(entry.use.base.stats, entry.provider)))
      }
    })
    return true
  }

  async reset(id?: string, options: CallOptions = {}): Promise<string[]> {
    return this.#index.transact(options, async (tx) => {
      const entries = id === undefined ? this.#index.sorted() : [this.#index.mustFind(id)]
      const changed: string[] = []
      for (const entry of entries) {
        const refresh = this.#index.catalogue.refreshes.get(entry.uid)
        const backing = refresh?.backoff !== undefined
        if (!isHeld(entry.state.stats) && !isHeld(entry.accountStats) && !backing) continue
        if (backing) await tx.putRefresh(entry.uid, refresh.attempt && { attempt: refresh.attempt })
        await tx.putState(entry.uid, entry.stateWithUse(applyReset(entry.use.base.stats)))
        const account = entry.record.meta.account
        if (account !== undefined && entry.accountStats !== undefined) {
          await tx.putAccount(accountKey(entry.provider, account), applyReset(entry.accountStats))
        }
        await tx.audit('reset', entry.id)
        changed.push(entry.id)
      }
      return changed
    })
  }

  /** Writes down times of use, and windows that were cut. */
  async writeUses(entries: readonly Entry[]): Promise<void> {
    if (!this.#index.config.backend.isUnlocked()) return
    const surface = this.#index.config.surface ?? 'library'
    const nowMs = this.#index.now().getTime()
    await this.#index.config.backend.transact(async (tx) => {
      for (const { id } of entries) {
        const entry = this.#index.find(id)
        if (entry === undefined) continue
        const state = entry.stateWithUse()
        const audited = state.auditedUses?.[surface]
        const due = audited === undefined || Math.abs(nowMs - audited) > AUDIT_USE_EVERY_MS
        const auditedUses = { ...state.auditedUses, [surface]: nowMs }
        await tx.putState(entry.uid, due ? { ...state, auditedUses } : state)
        await this.#writeCutAccount(tx, entry)
        if (due) await tx.audit('used', id)
      }
    })
  }

  async #writeCutAccount(tx: ProfileTransaction, entry: Entry): Promise<void> {
    const { account } = entry.record.meta
    if (account === undefined || entry.accountStats === undefined) return
    if (entry.accountStats === this.#index.catalogue.accountStats(entry.provider, account)) return
    await tx.putAccount(accountKey(entry.provider, account), entry.accountStats)
  }

  async #put(tx: ProfileTransaction, entry: Entry, outcome: Outcome): Promise<void> {
    await tx.putState(entry.uid, outcome.state(entry.stateWithUse()))
    const { account } = entry.record.meta
    if (account !== undefined && outcome.account !== undefined) {
      const shared = this.#index.catalogue.accountStats(entry.provider, account)
      await tx.putAccount(outcome.account.key, outcome.account.change(shared))
    }
    if (outcome.event === 'success' && !entry.lastGood) await tx.putLastGood(entry.provider, entry.uid)
    await tx.audit(outcome.event, entry.id, outcome.detail)
  }

  #context(): OutcomeContext {
    const { random, cooldown = {} } = this.#index.config
    return { now: this.#index.now(), random, config: cooldown }
  }
}

/** Whether there is a window or a run to lift. */
function isHeld(stats: ProfileUsageStats | undefined): boolean {
  if (stats === undefined) return false
  return (
    stats.cooldownUntil !== undefined ||
    stats.disabledUntil !== undefined ||
    Object.keys(stats.modelCooldowns ?? {}).length > 0 ||
    Object.keys(stats.runs ?? {}).length > 0
  )
}
