import type { CallOptions, FailureOptions } from '../domain/ports.js'
import type { NotedFailure, OutcomeReport, SuccessOptions } from '../domain/profiles.js'
import { type FailureReason, newUsageStats, type ProfileUsageStats } from '../domain/usage.js'
import { scopeOf } from '../policy/effects.js'
import { applyReset } from '../policy/failure.js'
import { clampWindows, clearExpiredWindows } from '../policy/windows.js'
import type { ProfileState, StateEdit } from './backend.js'
import type { Entry } from './entry.js'
import { accountKey } from './entry.js'
import {
  failureOutcome,
  isNews,
  lastError,
  type OutcomeContext,
  shownError,
  successOutcome,
} from './outcome.js'
import type { ProfileIndex } from './profile-index.js'
import type { StoredRefusals } from './refusals.js'
import { NOTHING } from './use-writer.js'

/** What use tells of profiles: failures, successes, windows. */
export class Outcomes {
  readonly #index: ProfileIndex
  readonly #refusals: StoredRefusals | undefined

  constructor(index: ProfileIndex, refusals?: StoredRefusals) {
    this.#index = index
    this.#refusals = refusals
  }

  async markError(id: string, error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#index.ready(options)
    const entry = this.#index.mustFind(id)
    const message = error instanceof Error ? error.message : String(error)
    const noted = lastError(entry, message, this.#index.now())
    await this.#change(entry, (present) => ({ ...present.stateWith(NOTHING), ...noted }))
  }

  async reportFailure(
    id: string,
    reason: FailureReason,
    options: FailureOptions = {},
  ): Promise<OutcomeReport> {
    await this.#index.ready(options)
    const failed = this.#index.mustFind(id)
    const context = this.#context()
    const { message } = options
    const error = message === undefined ? {} : lastError(failed, message, context.now)
    await this.#index.outcomes.record(failureOutcome(failed, reason, options, context, error))
    const entry = this.#index.mustFind(id)
    const { state, until } = entry.standing
    const modelUntil =
      options.model === undefined ? undefined : entry.modelWindow(options.model, this.#index.now())?.until
    const unusableUntil = until ?? modelUntil
    return {
      profileId: entry.id,
      reason,
      scope: scopeOf(reason, options.model),
      certainty: options.certainty ?? 'stated',
      state,
      ...(unusableUntil === undefined ? {} : { unusableUntil }),
    }
  }

  async markSuccess(id: string, options: CallOptions & SuccessOptions = {}): Promise<void> {
    await this.#index.ready(options)
    const known = this.#index.mustFind(id)
    this.#index.used(known)
    this.#refusals?.succeeded(known.provider, options.model)
    if (!isNews(known, options.model, options.origin)) return
    await this.#index.outcomes.record(successOutcome(known, options.model, this.#index.now(), options.origin))
  }

  noteFailure(id: string, reason: FailureReason, options: NotedFailure = {}): void {
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
    this.#refusals?.succeeded(entry.provider, model)
    if (!isNews(entry, model, origin)) return
    const now = this.#index.now()
    this.#index.outcomes.add(successOutcome(entry, model, now, origin), now)
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
    await this.#index.config.backend.changeState(
      due.map((entry) =>
        this.#edit(entry, (present) => {
          const stored = present.stateWith(NOTHING)
          const stats = cleared(stored.stats, present.provider)
          return stats === stored.stats ? undefined : { ...stored, stats }
        }),
      ),
    )
    return true
  }

  async reset(id?: string, options: CallOptions = {}): Promise<string[]> {
    const changed = await this.#lift(id, options)
    const { groups } = this.#index.catalogue
    const of = id === undefined ? [...groups.keys()] : [this.#index.find(id)?.provider ?? '']
    for (const provider of of) {
      await this.#refusals?.reset(provider)
    }
    return changed
  }

  #lift(id: string | undefined, options: CallOptions): Promise<string[]> {
    return this.#index.transact(options, async (tx) => {
      const entries = id === undefined ? this.#index.sorted() : [this.#index.mustFind(id)]
      const changed: string[] = []
      for (const entry of entries) {
        const refresh = this.#index.catalogue.refreshes.get(entry.uid)
        const backing = refresh?.backoff !== undefined
        const hasQuota = entry.quota?.isEmpty === false
        if (!isHeld(entry.state.stats) && !isHeld(entry.accountStats) && !backing && !hasQuota) continue
        if (hasQuota) await tx.putState({ kind: 'quota', key: entry.quotaKey, value: undefined })
        if (backing) {
          const { attempt } = refresh
          await tx.putState({ kind: 'refresh', key: entry.uid, value: attempt && { attempt } })
        }
        const value = entry.stateWithUse(applyReset(entry.use.base.stats))
        await tx.putState({ kind: 'use', key: entry.uid, value })
        const account = entry.record.meta.account
        if (account !== undefined && (entry.accountStats !== undefined || hasQuota)) {
          const key = accountKey(entry.provider, account)
          const value = applyReset(entry.accountStats ?? newUsageStats())
          await tx.putState({ kind: 'account', key, value })
        }
        await tx.audit('reset', entry.id)
        changed.push(entry.id)
      }
      return changed
    })
  }

  /** Changes what is remembered of a profile; whether anything was written. */
  async #change(entry: Entry, next: (present: Entry) => ProfileState | undefined): Promise<boolean> {
    let written = false
    const edit = this.#edit(entry, (present) => {
      const state = next(present)
      written = state !== undefined
      return state
    })
    await this.#index.config.backend.changeState([edit])
    return written
  }

  #edit({ uid }: Entry, next: (present: Entry) => ProfileState | undefined): StateEdit {
    return {
      of: { kind: 'use', key: uid },
      next: () => {
        // It may have another name, or be gone, by the time that another process was quicker.
        const present = this.#index.catalogue.byUid.get(uid)
        const value = present && next(present)
        return value && { kind: 'use', key: uid, value }
      },
    }
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
    Object.keys(stats.behind ?? {}).length > 0 ||
    Object.keys(stats.refused ?? {}).length > 0 ||
    Object.keys(stats.runs ?? {}).length > 0
  )
}
