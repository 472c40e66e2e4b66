import type { CallOptions } from '../domain/ports.js'
import { newUsageStats, type ProfileUsageStats } from '../domain/usage.js'
import { applyTrial, isTrialDue, trialIntervalMs } from '../policy/half-open.js'
import { modelAllowed } from '../policy/model-globs.js'
import type { StateEdit } from './backend.js'
import { accountKey, type Entry } from './entry.js'
import type { ProfileIndex } from './profile-index.js'
import { NOTHING } from './use-writer.js'

/** How long after the last trial the next one may go out, in milliseconds, by row. 0: this row is in nobody's way. */
interface Intervals {
  readonly ownMs: number
  readonly sharedMs: number
}

/**
 * What is in the way of a profile that could serve but for long windows; `undefined` where nothing is, or something that
 * no trial is for.
 */
export function trialIntervals(entry: Entry, model: string | undefined, now: Date): Intervals | undefined {
  const { state } = entry.standing
  if (state !== 'available' && state !== 'cooling' && state !== 'disabled') return undefined
  if (model !== undefined && !modelAllowed(entry.record.meta.models, model)) return undefined
  const facts = { provider: entry.provider, model, now }
  const ownMs = trialIntervalMs(entry.state.stats, facts)
  const sharedMs = trialIntervalMs(entry.accountStats, facts)
  if (ownMs === undefined || sharedMs === undefined || (ownMs === 0 && sharedMs === 0)) return undefined
  return { ownMs, sharedMs }
}

/** Hands out trials: one for each profile in a while, and for each account where it is the account that is set aside. */
export class Trials {
  readonly #index: ProfileIndex

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  /**
   * Whether one request for a model may go out with this profile now, to see whether its windows still hold. At most one
   * in 10 minutes may, or in 30 where the provider stated the end, whichever process asks; the answer is durable before
   * it is given.
   */
  async claim(
    id: string,
    options: CallOptions & { readonly model?: string | undefined } = {},
  ): Promise<boolean> {
    await this.#index.ready(options)
    const entry = this.#index.find(id)
    const intervals = entry && this.#due(entry, options.model)
    if (entry === undefined || intervals === undefined) return false
    if (intervals.sharedMs > 0 && !(await this.#claimAccount(entry, options.model))) return false
    return intervals.ownMs === 0 || (await this.#claimOwn(entry, options.model))
  }

  /** The intervals of a profile whose trial is due by what is known here. */
  #due(entry: Entry, model: string | undefined): Intervals | undefined {
    const now = this.#index.now()
    const intervals = trialIntervals(this.#index.look(entry), model, now)
    if (intervals === undefined) return undefined
    const { ownMs, sharedMs } = intervals
    const own = ownMs === 0 || isTrialDue(entry.state.stats, now, ownMs)
    const shared = sharedMs === 0 || isTrialDue(entry.accountStats ?? newUsageStats(), now, sharedMs)
    return own && shared ? intervals : undefined
  }

  #claimOwn({ uid }: Entry, model: string | undefined): Promise<boolean> {
    return this.#change({ kind: 'use', key: uid }, (claimed) => {
      const present = this.#index.catalogue.byUid.get(uid)
      const ownMs = present && trialIntervals(this.#index.look(present), model, this.#index.now())?.ownMs
      if (present === undefined || ownMs === undefined || ownMs === 0) return undefined
      const stored = present.stateWith(NOTHING)
      const stats = claimed(stored.stats, ownMs)
      return stats && { kind: 'use', key: uid, value: { ...stored, stats } }
    })
  }

  #claimAccount({ uid, provider, record }: Entry, model: string | undefined): Promise<boolean> {
    const key = accountKey(provider, record.meta.account ?? '')
    return this.#change({ kind: 'account', key }, (claimed) => {
      const present = this.#index.catalogue.byUid.get(uid)
      const sharedMs =
        present && trialIntervals(this.#index.look(present), model, this.#index.now())?.sharedMs
      const stored = this.#index.catalogue.accountWith(key, NOTHING)
      if (stored === undefined || sharedMs === undefined || sharedMs === 0) return undefined
      const stats = claimed(stored, sharedMs)
      return stats && { kind: 'account', key, value: stats }
    })
  }

  /** Changes a row by compare-and-swap; whether anything was written. */
  async #change(
    of: StateEdit['of'],
    next: (
      claimed: (stats: ProfileUsageStats, intervalMs: number) => ProfileUsageStats | undefined,
    ) => ReturnType<StateEdit['next']>,
  ): Promise<boolean> {
    let written = false
    const claimed = (stats: ProfileUsageStats, intervalMs: number): ProfileUsageStats | undefined =>
      applyTrial(stats, this.#index.now(), intervalMs)
    const edit: StateEdit = {
      of,
      next: () => {
        const change = next(claimed)
        written = change !== undefined
        return change
      },
    }
    await this.#index.config.backend.changeState([edit])
    return written
  }
}
