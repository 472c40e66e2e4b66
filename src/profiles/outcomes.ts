import { isKeymuxError } from '../domain/errors.js'
import type { CallOptions, FailureOptions } from '../domain/ports.js'
import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import { newUsageStats } from '../domain/usage.js'
import { applyFailure, applyReset, applySuccess, applyTrial } from '../policy/failure.js'
import { clampWindows, clearExpiredWindows } from '../policy/windows.js'
import type { ProfileTransaction } from './backend.js'
import { accountKey } from './catalogue.js'
import type { Entry } from './entry.js'
import type { ProfileIndex } from './profile-index.js'
import { cleanMessage } from './stored-message.js'
import type { OutcomeReport } from './types.js'

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
      await tx.putState(entry.id, { ...entry.stateWithUse(), ...this.#lastError(entry, message) })
    })
  }

  async reportFailure(
    id: string,
    reason: FailureReason,
    options: FailureOptions = {},
  ): Promise<OutcomeReport> {
    const scope = await this.#index.transact(options, async (tx) => {
      const entry = this.#index.mustFind(id)
      const effect = {
        now: this.#index.now(),
        provider: entry.provider,
        config: this.#index.config.cooldown ?? {},
        random: this.#index.config.random,
        ...(options.model === undefined ? {} : { model: options.model }),
        ...(options.retryAfterMs === undefined ? {} : { retryAfterMs: options.retryAfterMs }),
      }
      const outcome = applyFailure(entry.state.stats, reason, effect)
      await tx.putState(entry.id, {
        ...entry.stateWithUse(outcome.stats),
        ...(options.message === undefined ? {} : this.#lastError(entry, options.message)),
      })
      // Limits and unpaid bills belong to the account: its other keys wait as well.
      const account = entry.record.meta.account
      if (account !== undefined && (reason === 'rate_limit' || reason === 'billing')) {
        const shared = this.#index.catalogue.accountStats(entry.provider, account)
        const stats = applyFailure(shared ?? newUsageStats(), reason, effect).stats
        await tx.putAccount(accountKey(entry.provider, account), stats)
      }
      await tx.audit('failure', entry.id, reason)
      return outcome.scope
    })
    const entry = this.#index.mustFind(id)
    const { state, until } = entry.standing
    const modelUntil =
      options.model === undefined ? undefined : entry.modelWindow(options.model, this.#index.now())?.until
    const unusableUntil = until ?? modelUntil
    return {
      profileId: entry.id,
      reason,
      scope,
      state,
      ...(unusableUntil === undefined ? {} : { unusableUntil }),
    }
  }

  async markSuccess(id: string, options: CallOptions & { readonly model?: string } = {}): Promise<void> {
    await this.#index.ready(options)
    const entry = this.#index.mustFind(id)
    this.#index.used(entry)
    if (!this.#successTellsNews(entry, options.model)) return
    await this.#index.transact(options, async (tx) => {
      const found = this.#index.mustFind(id)
      const success = {
        now: this.#index.now(),
        ...(options.model === undefined ? {} : { model: options.model }),
      }
      const { lastError: _message, lastErrorAt: _at, ...state } = found.stateWithUse()
      await tx.putState(found.id, { ...state, stats: applySuccess(state.stats, success) })
      const account = found.record.meta.account
      if (account !== undefined && found.accountStats !== undefined) {
        await tx.putAccount(accountKey(found.provider, account), applySuccess(found.accountStats, success))
      }
      if (!found.lastGood) await tx.putLastGood(found.provider, found.id)
      await tx.audit('success', found.id)
    })
  }

  /**
   * Whether one request may go out with this disabled profile now, to see whether the disable still holds.
   * At most one per 10 minutes may, whichever process asks; the answer is durable before it is given.
   */
  async claimTrial(id: string, options: CallOptions = {}): Promise<boolean> {
    return this.#index.transact(options, async (tx) => {
      const entry = this.#index.find(id)
      if (entry === undefined || this.#index.look(entry).standing.state !== 'disabled') return false
      const stats = applyTrial(entry.state.stats, this.#index.now())
      if (stats === undefined) return false
      await tx.putState(entry.id, entry.stateWithUse(stats))
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
          await tx.putState(id, entry.stateWithUse(cleared(entry.state.stats, entry.provider)))
      }
    })
    return true
  }

  async reset(id?: string, options: CallOptions = {}): Promise<string[]> {
    return this.#index.transact(options, async (tx) => {
      const entries = id === undefined ? this.#index.sorted() : [this.#index.mustFind(id)]
      const changed: string[] = []
      for (const entry of entries) {
        const refresh = this.#index.catalogue.refreshes.get(entry.id)
        const backing = refresh?.backoff !== undefined
        if (!isHeld(entry.state.stats) && !isHeld(entry.accountStats) && !backing) continue
        if (backing) await tx.putRefresh(entry.id, refresh.attempt && { attempt: refresh.attempt })
        await tx.putState(entry.id, entry.stateWithUse(applyReset(entry.state.stats)))
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
        await tx.putState(id, due ? { ...state, auditedUses } : state)
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

  #successTellsNews(entry: Entry, model: string | undefined): boolean {
    return (
      !entry.lastGood ||
      entry.state.lastError !== undefined ||
      disproves(entry.state.stats, model) ||
      disproves(entry.accountStats, model)
    )
  }

  #lastError(entry: Entry, message: string): { lastError: string; lastErrorAt: Date } {
    const lastError = cleanMessage(message, secretTexts(entry))
    return { lastError, lastErrorAt: this.#index.now() }
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

/** Whether a success would change more than the time of use. */
function disproves(stats: ProfileUsageStats | undefined, model: string | undefined): boolean {
  if (stats === undefined) return false
  return (
    stats.disabledUntil !== undefined ||
    Object.keys(stats.runs ?? {}).length > 0 ||
    (model !== undefined && stats.modelCooldowns?.[model] !== undefined)
  )
}

/** The secrets of a profile, to be kept out of messages; none where they cannot be opened any more. */
function secretTexts(entry: Entry): (string | undefined)[] {
  try {
    return Object.values(entry.record.openSecrets())
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return []
    throw error
  }
}
