import { withoutUndefined } from '../domain/defined.js'
import { profileProvider } from '../domain/ids.js'
import type { ProfileStore } from '../domain/profile-store.js'
import {
  FAILURE_REASONS,
  type FailureReason,
  type FailureScope,
  type ProfileCooldownConfig,
  type ProfileUsageStats,
} from '../domain/usage.js'
import { withBehind, withoutBehind } from './behind.js'
import { failureWindowMs } from './cooldown.js'
import { type FailureContext, type SentIn, scopeOf, withEffect } from './effects.js'
import { withoutLongWindows } from './half-open.js'
import { withoutRefused, withRefused } from './refused.js'
import { currentRuns, isForgotten } from './runs.js'
import { isOvertaken, judgedFor, withGeneration } from './verdicts.js'
import {
  bypassesAuthWindows,
  COOLDOWN,
  clampWindows,
  clampWithoutConfig,
  clearExpiredWindows,
  DISABLE,
  holdingWindow,
  isOfCredential,
  laterWindow,
  modelSlot,
  readWindow,
  withWindow,
} from './windows.js'

export type { FailureContext } from './effects.js'
export { applyTrial, TRIAL_INTERVAL_MS } from './half-open.js'

/** What a failure leaves behind. */
export interface FailureOutcome {
  readonly stats: ProfileUsageStats
  readonly scope: FailureScope
}

/**
 * The statistics after one failure, and what it sets aside. Every report counts in the totals; windows and
 * runs follow the reason, and reports that fall into an open window change it only by a stated time.
 *
 * A request that was sent in an earlier epoch has no effect at all, and what one says of the credential has none once
 * a later credential was judged. What was said of an earlier credential is over.
 */
export function applyFailure(
  stats: ProfileUsageStats,
  reason: FailureReason,
  context: FailureContext,
): FailureOutcome {
  const known = FAILURE_REASONS.includes(reason) ? reason : 'unknown'
  const { now, config, sent, model, brokeOff, servedElsewhere } = context
  if (isOutdated(stats, known, sent)) return { stats, scope: scopeOf(known, model) }
  const judged = sent === undefined ? stats : withGeneration(judgedFor(stats, sent.generation), known, sent)
  const current = clearExpiredWindows(clampWindows(judged, now, context), now)
  const memoryMs = failureWindowMs(config)
  const runs = currentRuns(current, now, memoryMs)
  const counted = withTotals({ ...current, runs }, known, now, memoryMs)
  const placed = brokeOff === undefined ? counted : withBehind(counted, model, { now, memoryMs })
  const compared =
    servedElsewhere === undefined ? placed : withRefused(placed, model, servedElsewhere, { now, memoryMs })
  const after = brokeOff === 'unstated' ? compared : withEffect(compared, known, context)
  return { stats: after, scope: scopeOf(known, model) }
}

/** The circumstances of a success. */
export interface SuccessContext {
  readonly now: Date
  /** The model that answered. */
  readonly model?: string | undefined
  /** The credential and epoch that the request was sent in. Absent: the present ones. */
  readonly sent?: SentIn | undefined
}

/**
 * The statistics after a success: all runs end, a disable is lifted, and the model that answered is known,
 * not overloaded and behind nobody. Totals stay, and so does a pause: the request may have been sent before the failure
 * that caused it, unless it went out as a trial of that very pause. What is lifted begins a new epoch: what was sent
 * before has no effect any more.
 *
 * A request that was sent in an earlier epoch has no effect at all. One with an earlier credential than was judged says
 * nothing against that verdict: the account may pay, and its token be refused all the same.
 */
export function applySuccess(stats: ProfileUsageStats, context: SuccessContext): ProfileUsageStats {
  const { now, model, sent } = context
  if (sent !== undefined && sent.epoch < epochOf(stats)) return stats
  const tried = sent?.trial === true ? withoutLongWindows(stats, { model, now }) : stats
  const shown = tried === stats ? stats : nextEpoch(tried)
  const held = isOvertaken(stats, sent) ? verdictsAlone(shown) : unheld(shown)
  const served = withoutRefused(withoutBehind({ ...held, lastUsed: now }, model), model)
  if (!model) return served
  const slot = modelSlot(model)
  const reason = readWindow(served, slot)?.reason
  const disproved = reason === 'model_not_found' || reason === 'overloaded'
  return disproved ? withWindow(served, slot, undefined) : served
}

/** Without runs and disable; a disable that was lifted begins an epoch. */
function unheld(stats: ProfileUsageStats): ProfileUsageStats {
  const { trialAt: _trial, ...rest } = stats
  const lifted = readWindow(stats, DISABLE) === undefined ? rest : nextEpoch(rest)
  return withWindow({ ...lifted, runs: {} }, DISABLE, undefined)
}

/** The same, but for what was said of the credential. */
function verdictsAlone(stats: ProfileUsageStats): ProfileUsageStats {
  const { auth, auth_permanent } = stats.runs ?? {}
  const runs = withoutUndefined({ auth, auth_permanent })
  const reason = readWindow(stats, DISABLE)?.reason
  const stands = reason !== undefined && isOfCredential(reason)
  return { ...(stands ? stats : unheld(stats)), runs }
}

/** The statistics without windows and runs, in a new epoch. Totals stay. */
export function applyReset(stats: ProfileUsageStats): ProfileUsageStats {
  const {
    modelCooldowns: _models,
    behind: _behind,
    refused: _refused,
    trialAt: _trial,
    check,
    ...rest
  } = nextEpoch(stats)
  // What a check has said is forgotten; that it was asked is not.
  const asked = check === undefined ? {} : { check: { at: check.at } }
  return withWindow(withWindow({ ...rest, ...asked, runs: {} }, COOLDOWN, undefined), DISABLE, undefined)
}

/** Whether an outcome comes too late to mean anything. */
function isOutdated(stats: ProfileUsageStats, reason: FailureReason, sent: SentIn | undefined): boolean {
  if (sent === undefined) return false
  return sent.epoch < epochOf(stats) || (isOfCredential(reason) && isOvertaken(stats, sent))
}

function epochOf({ epoch = 0 }: ProfileUsageStats): number {
  return epoch
}

function nextEpoch(stats: ProfileUsageStats): ProfileUsageStats {
  return { ...stats, epoch: epochOf(stats) + 1 }
}

/** Options of {@link markProfileFailure}. */
export interface MarkFailureOptions {
  /** The wait the provider stated, in milliseconds; capped at 24 h. */
  readonly retryAfterMs?: number | undefined
  /** Makes a rate limit model-scoped. */
  readonly model?: string | undefined
  /** The system's time by default. */
  readonly now?: Date | undefined
}

/** Records a failure on the live statistics of a profile. See {@link applyFailure}. */
export function markProfileFailure(
  store: ProfileStore,
  id: string,
  reason: FailureReason,
  config?: ProfileCooldownConfig | undefined,
  options: MarkFailureOptions = {},
): void {
  const stats = store.getUsageStats(id)
  const { now = new Date(), ...details } = options
  const context = { ...details, now, config, provider: profileProvider(id) }
  overwrite(stats, applyFailure(stats, reason, context).stats)
}

/** Removes windows that have ended, and cuts impossible ones; whether anything changed. Counters stay. */
export function clearExpiredCooldowns(store: ProfileStore, now: Date = new Date()): boolean {
  let changed = false
  for (const stats of Object.values(store.usageStats)) {
    const cleared = clearExpiredWindows(clampWithoutConfig(stats, now), now)
    if (cleared === stats) continue
    overwrite(stats, cleared)
    changed = true
  }
  return changed
}

/** Whether the profile is cooling or disabled at `now`. */
export function isProfileInCooldown(store: ProfileStore, id: string, now: Date = new Date()): boolean {
  return resolveProfileUnusableUntil(store, id, now) !== undefined
}

/**
 * When the profile becomes usable: the later end of its cooldown and its disable, `undefined` when it is
 * usable. A window further ahead than any window can be (a clock that was wrong) is cut for good.
 */
export function resolveProfileUnusableUntil(
  store: ProfileStore,
  id: string,
  now: Date = new Date(),
): Date | undefined {
  const stats = store.usageStats[id]
  if (stats === undefined) return undefined
  overwrite(stats, clampWithoutConfig(stats, now))
  const provider = providerOf(store, id)
  return laterWindow(
    holdingWindow(stats, COOLDOWN, provider, now),
    holdingWindow(stats, DISABLE, provider, now),
  )?.until
}

/** Whether windows about the credential's login mean nothing for this profile: true for OpenRouter. */
export function isAuthCooldownBypassedForProfile(store: ProfileStore, id: string): boolean {
  return bypassesAuthWindows(providerOf(store, id))
}

function providerOf(store: ProfileStore, id: string): string {
  return store.get(id)?.provider ?? profileProvider(id)
}

function withTotals(
  stats: ProfileUsageStats,
  reason: FailureReason,
  now: Date,
  windowMs: number,
): ProfileUsageStats {
  const forgotten = isForgotten(stats.lastFailureAt, now, windowMs)
  const counts = forgotten ? {} : stats.failureCounts
  return {
    ...stats,
    errorCount: next(forgotten ? 0 : stats.errorCount),
    failureCounts: { ...counts, [reason]: next(counts[reason] ?? 0) },
    lastFailureAt: now,
  }
}

function next(count: number): number {
  return Math.min(count + 1, Number.MAX_SAFE_INTEGER)
}

// The record is live: others hold it, so it changes in place.
function overwrite(live: ProfileUsageStats, changed: ProfileUsageStats): void {
  if (live === changed) return
  for (const field of Object.keys(live)) {
    if (!(field in changed)) Reflect.deleteProperty(live, field)
  }
  Object.assign(live, changed)
}
