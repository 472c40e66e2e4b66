import type { CheckSaid, LastCheck, ProfileCooldownConfig, ProfileUsageStats } from '../domain/usage.js'
import { calculateBillingDisable, failureWindowMs, PRESUMED_MODEL_MS } from './cooldown.js'
import { currentRuns, lengthened } from './runs.js'
import {
  bypassesAuthWindows,
  DISABLE,
  holdingWindow,
  instantAfter,
  isOfCredential,
  isOpen,
  modelSlot,
  readWindow,
  type Window,
  withWindow,
} from './windows.js'

/*
 * A verdict is a hypothesis. What sets a profile aside as a whole is put to the provider's cheap check: a presumption
 * at once, and every other disable now and then, for keys are restored and accounts are topped up.
 */

/** A presumption is put to the check this often at most, among all processes: 60 s, in milliseconds. */
export const CHECK_INTERVAL_MS: number = 60_000
/** Other disables are looked at this often at most, among all processes: 30 minutes, in milliseconds. */
export const LOOK_INTERVAL_MS: number = 1_800_000

/** How long it counts that somebody wants a profile to be checked: 10 minutes, in milliseconds. */
const WANTED_MS = 600_000

/** Why a profile is to be checked, and when the next check may be made. */
export interface CheckNeed {
  /** `confirm` a presumption, or `look` whether a disable still holds. */
  readonly kind: 'confirm' | 'look'
  /** What is asked: whether the credential is good, or whether the account can pay. */
  readonly about: 'credential' | 'money'
  /** Epoch milliseconds. */
  readonly dueMs: number
}

/** What decides on whether a profile is to be checked. */
export interface CheckFacts {
  readonly provider: string
  readonly now: Date
  /** Whether the provider's check tells of money too. */
  readonly tellsCredit: boolean
}

/** Whether the check has something to say about a profile that is set aside, and when it may be asked. */
export function checkNeed(
  stats: ProfileUsageStats,
  accountStats: ProfileUsageStats | undefined,
  { provider, now, tellsCredit }: CheckFacts,
): CheckNeed | undefined {
  const windows = [stats, accountStats].map((row) => holdingWindow(row, DISABLE, provider, now))
  const window = windows.find((one) => one !== undefined && (isOfKey(one) || tellsCredit))
  if (window === undefined) {
    const isAsked = isWanted(stats, now) && !bypassesAuthWindows(provider)
    return isAsked ? { kind: 'confirm', about: 'credential', dueMs: dueMs(stats, 'confirm', now) } : undefined
  }
  const kind = window.presumed === true ? 'confirm' : 'look'
  const about = isOfKey(window) ? 'credential' : 'money'
  return { kind, about, dueMs: dueMs(stats, kind, now) }
}

function isOfKey({ reason }: Window): boolean {
  return reason !== undefined && isOfCredential(reason)
}

/** What is in the future is of a clock that was wrong, and counts as never. */
function dueMs({ check, lastFailureAt }: ProfileUsageStats, kind: CheckNeed['kind'], now: Date): number {
  const passed = (at: Date | undefined): number =>
    at === undefined || at > now ? Number.NEGATIVE_INFINITY : at.getTime()
  if (kind === 'confirm') return passed(check?.at) + CHECK_INTERVAL_MS
  return Math.max(passed(check?.at), passed(lastFailureAt)) + LOOK_INTERVAL_MS
}

function isWanted({ check, checkWanted }: ProfileUsageStats, now: Date): boolean {
  if (checkWanted === undefined || (check !== undefined && check.at >= checkWanted)) return false
  const since = now.getTime() - checkWanted.getTime()
  return since >= 0 && since < WANTED_MS
}

/** The statistics with the wish for a check, or `undefined` where it is known, or was answered less than a minute ago. */
export function withCheckWanted(stats: ProfileUsageStats, now: Date): ProfileUsageStats | undefined {
  const isRecent = stats.check !== undefined && dueMs(stats, 'confirm', now) > now.getTime()
  return isRecent || isWanted(stats, now) ? undefined : { ...stats, checkWanted: now }
}

/** The statistics with a check that begins now, or `undefined` where there is none to be made. */
export function withCheckBegun(
  stats: ProfileUsageStats,
  need: CheckNeed | undefined,
  now: Date,
): ProfileUsageStats | undefined {
  if (need === undefined || need.dueMs > now.getTime()) return undefined
  const { checkWanted: _wanted, ...rest } = stats
  return { ...rest, check: { at: now } }
}

/** What a check came to. */
export interface CheckOutcome {
  readonly said: CheckSaid
  /** It says that the account can pay, too. */
  readonly hasCredit?: boolean | undefined
  /** The check itself, such as `GET /models`. */
  readonly by: string
  /** When it was begun: it says nothing of a window that was opened later. */
  readonly begunAt: Date
}

/** The circumstances under which a check's answer counts. */
export interface CheckContext {
  readonly now: Date
  readonly provider: string
  readonly config?: ProfileCooldownConfig | undefined
}

/**
 * The statistics after a check of the present credential in the present epoch. A good answer lifts a disable that was
 * said of the credential, which begins an epoch; what was presumed of a request for a model is held against that model
 * alone. A refusal lets the disable stand. No answer changes nothing: the window ends by itself.
 */
export function applyCheck(
  stats: ProfileUsageStats,
  outcome: CheckOutcome,
  context: CheckContext,
): ProfileUsageStats {
  const { said, begunAt } = outcome
  const check: LastCheck = { at: stats.check?.at ?? begunAt, said }
  const noted = { ...stats, check }
  if (said === 'unasked') return noted
  return said === 'valid' ? proven(noted, outcome, context) : confirmed(noted, outcome, context)
}

/** The same for what the profiles of an account share, which is never about a credential. */
export function applyCredit(stats: ProfileUsageStats): ProfileUsageStats {
  const window = readWindow(stats, DISABLE)
  return window === undefined || isOfKey(window) ? stats : lifted(stats)
}

function proven(
  stats: ProfileUsageStats,
  { hasCredit }: CheckOutcome,
  { now }: CheckContext,
): ProfileUsageStats {
  const { auth: _auth, auth_permanent: _permanent, presumed: _presumed, ...runs } = stats.runs ?? {}
  const window = readWindow(stats, DISABLE)
  if (window !== undefined && !isOfKey(window)) return hasCredit === true ? lifted(stats) : stats
  const rested = stats.runs === undefined ? stats : { ...stats, runs }
  if (window === undefined) return rested
  const free = lifted(rested)
  // Nothing else is known of a disable that was certain: it is over.
  return window.presumed === true ? withModelInPlace(free, window.evidence?.model, now) : free
}

function lifted(stats: ProfileUsageStats): ProfileUsageStats {
  const { trialAt: _trial, ...rest } = stats
  const { billing: _billing, presumed: _presumed, ...runs } = stats.runs ?? {}
  const rested = stats.runs === undefined ? rest : { ...rest, runs }
  return withWindow({ ...rested, epoch: (stats.epoch ?? 0) + 1 }, DISABLE, undefined)
}

function confirmed(
  stats: ProfileUsageStats,
  { by }: CheckOutcome,
  { now, provider, config }: CheckContext,
): ProfileUsageStats {
  const window = readWindow(stats, DISABLE)
  const evidence = { ...window?.evidence, checkedBy: by, checkedAt: now }
  const stands = isOpen(window, now) && window.presumed !== true
  if (stands) return isOfKey(window) ? withWindow(stats, DISABLE, { ...window, evidence }) : stats
  const remembered = currentRuns(stats, now, failureWindowMs(config))
  const { presumed: _presumed, ...runs } = remembered
  const run = lengthened(runs, 'auth_permanent', now)
  const until = instantAfter(now, calculateBillingDisable(run.count, config, provider))
  return withWindow({ ...stats, runs: { ...runs, auth_permanent: run } }, DISABLE, {
    until,
    reason: 'auth_permanent',
    evidence,
  })
}

/** What a refusal is that a check has just contradicted. */
export interface Contradicted {
  readonly now: Date
  readonly certainty?: 'stated' | 'presumed' | undefined
  readonly isStatic?: boolean | undefined
}

/**
 * Whether a refusal of the credential, presumed or the first of a static one, is disproved already: the check has said
 * less than a minute ago that the credential works, and is not to be asked again before that is over.
 */
export function isDisproved(
  { check }: ProfileUsageStats,
  reason: string,
  { now, certainty, isStatic }: Contradicted,
): boolean {
  if (check?.said !== 'valid' || certainty === undefined) return false
  const isPresumed = certainty === 'presumed' && (reason === 'auth_permanent' || reason === 'auth')
  if (!isPresumed && !(reason === 'auth' && isStatic === true)) return false
  const since = now.getTime() - check.at.getTime()
  return since >= 0 && since < CHECK_INTERVAL_MS
}

/** The statistics with a model set aside in place of its profile: for 10 min, unless it is already. */
export function withModelInPlace(
  stats: ProfileUsageStats,
  model: string | undefined,
  now: Date,
): ProfileUsageStats {
  if (model === undefined || model === '') return stats
  const slot = modelSlot(model)
  if (isOpen(readWindow(stats, slot), now)) return stats
  const until = instantAfter(now, PRESUMED_MODEL_MS)
  return withWindow(stats, slot, { until, reason: 'model_not_found', presumed: true })
}
