import { withoutUndefined } from '../domain/defined.js'
import type { Random } from '../domain/ports.js'
import type {
  Certainty,
  FailureReason,
  FailureScope,
  ProfileCooldownConfig,
  ProfileUsageStats,
  RunClass,
  Told,
} from '../domain/usage.js'
import { backoffMs, doubled } from './backoff.js'
import { isDisproved, withModelInPlace } from './checks.js'
import {
  calculateBillingDisable,
  calculateRateLimitCooldown,
  MAX_STATED_WAIT_MS,
  MAX_WINDOW_WAIT_MS,
  MODEL_NOT_FOUND_MS,
  OVERLOADED_BASE_MS,
  OVERLOADED_MAX_MS,
  PRESUMED_BASE_MS,
  PRESUMED_MODEL_MS,
  PRESUMED_REFUSED_MAX_MS,
  SHORT_PAUSE_MS,
  statedWaitMs,
} from './cooldown.js'
import { LONG_WINDOW_MS } from './half-open.js'
import { lengthened } from './runs.js'
import {
  COOLDOWN,
  DISABLE,
  instantAfter,
  isBypassed,
  isOpen,
  laterWindow,
  modelKey,
  modelSlot,
  readWindow,
  type Window,
  type WindowSlot,
  withWindow,
} from './windows.js'

/** So many time-outs, server errors or refused credentials in a row are no accident. */
const RUN_LIMIT = 3

/** What an outcome speaks of. */
export interface SentIn {
  readonly epoch: number
  readonly generation: number
  /** It was to show whether a long window still holds: its success lifts that. */
  readonly trial?: boolean | undefined
}

/** The circumstances of a failure. */
export interface FailureContext {
  readonly now: Date
  readonly provider: string
  readonly config?: ProfileCooldownConfig | undefined
  /**
   * The wait the provider stated, in milliseconds; ignored unless positive and finite, capped at 24 h, or at 8 days where
   * an answer told of a rate limit.
   */
  readonly retryAfterMs?: number | undefined
  /** The model of the request. */
  readonly model?: string | undefined
  /** The credential and epoch that the request was sent in. Absent: the present ones. */
  readonly sent?: SentIn | undefined
  /**
   * The answer broke off after content: the profile goes behind others for this model. `stated` where an error in the
   * answer says why, which then has its effect; otherwise there is no window, and no run grows.
   */
  readonly brokeOff?: 'stated' | 'unstated' | undefined
  /** Another account has served what this one refused: what tells the conversation from others. */
  readonly servedElsewhere?: string | undefined
  /**
   * What the reason was told by. A presumption sets a profile aside for 60 s, doubling to 10 min where its credential seems
   * to be refused and to the first length of a disable where it seems to be unpaid, and a model for 10 min. Absent: a
   * caller's own word, which has the original's effect.
   */
  readonly certainty?: Certainty | undefined
  /** What an answer told the reason by, for people. */
  readonly told?: Told | undefined
  /** Nothing renews the credential: its first refusal sets the profile aside for 60 s. Counts with a `certainty` alone. */
  readonly isStatic?: boolean | undefined
  /** Jitter of the backoff when a provider is overloaded; none without it. */
  readonly random?: Random | undefined
}

/** What a failure of this reason sets aside. */
export function scopeOf(reason: FailureReason, model: string | undefined): FailureScope {
  switch (reason) {
    case 'format':
    case 'context_overflow':
      return 'request'
    case 'overloaded':
    case 'server_error':
    case 'timeout':
      return 'provider'
    case 'model_not_found':
      return 'model'
    case 'rate_limit':
      return model ? 'model' : 'credential'
    default:
      return 'credential'
  }
}

/**
 * The statistics with the failure's effect on windows and runs; `stats.runs` holds the current runs. Inside
 * an open window only a stated time has an effect: it replaces our own estimate, and the later of two
 * stated times stands.
 */
export function withEffect(
  stats: ProfileUsageStats,
  reason: FailureReason,
  context: FailureContext,
): ProfileUsageStats {
  const slot = slotOf(reason, context.model)
  if (slot === undefined) return stats
  // The provider has just said itself that the credential works: the refusal is of the model, or of the request.
  if (isDisproved(stats, reason, context)) return withModelInPlace(stats, context.model, context.now)
  const stated = statedWindow(reason, context)
  const old = readWindow(stats, slot)
  const isPresumed = context.certainty === 'presumed' && runClassOf(reason) !== undefined && slot === DISABLE
  // What is known for sure goes before what was presumed.
  const isOutranked = slot === DISABLE && old?.presumed === true && !isPresumed
  if (isOpen(old, context.now) && !yields(old, reason, context.provider) && !isOutranked) {
    if (stated === undefined || yields(stated, old.reason, context.provider)) return stats
    const replaced = described(stated, slot, context, old)
    return withWindow(stats, slot, old.stated ? laterWindow(old, replaced) : replaced)
  }
  const longer = isPresumed
    ? { presumed: lengthened(stats.runs, 'presumed', context.now) }
    : lengthenedRuns(stats, reason, context.now)
  const counted = { ...stats, runs: { ...stats.runs, ...longer } }
  const estimate = isPresumed
    ? presumedMs(reason, counted.runs, context)
    : estimateMs(reason, counted.runs, context)
  if (estimate === undefined) return counted
  const until = instantAfter(context.now, estimate)
  const isFirst = reason === 'auth' && (counted.runs.auth?.count ?? 0) < RUN_LIMIT
  const isLoose = isPresumed || isFirst || (reason === 'model_not_found' && context.certainty === 'presumed')
  const own: Window = { until, reason: isPresumed || isFirst ? reason : recordedReason(reason) }
  const window = stated ?? (isLoose ? { ...own, presumed: true } : own)
  return withWindow(counted, slot, described(window, slot, context))
}

/** The window with what it was told by, and since when it is open. */
function described(window: Window, slot: WindowSlot, context: FailureContext, old?: Window): Window {
  return slot === DISABLE ? withEvidence(window, context) : since(window, context, old)
}

/** What people are told of a disable, and what a check of it needs to know. */
function withEvidence(window: Window, { told, model }: FailureContext): Window {
  const evidence = withoutUndefined({ told, model: modelKey(model) || undefined })
  return Object.keys(evidence).length === 0 ? window : { ...window, evidence }
}

/** The window, with the instant that it was opened at if it is a long one, and what it was told by. */
function since(window: Window, { now, certainty }: FailureContext, old?: Window): Window {
  const isLong = window.until.getTime() - now.getTime() > LONG_WINDOW_MS
  const from = old?.since ?? (isLong ? now : undefined)
  return withoutUndefined({ ...window, presumed: certainty === 'presumed' || undefined, since: from })
}

/** How long a profile is set aside on a presumption. */
function presumedMs(reason: FailureReason, runs: Runs, { config, provider }: FailureContext): number {
  const longest =
    reason === 'billing' ? calculateBillingDisable(1, config, provider) : PRESUMED_REFUSED_MAX_MS
  return doubled(PRESUMED_BASE_MS, runs.presumed?.count ?? 1, longest)
}

function slotOf(reason: FailureReason, model: string | undefined): WindowSlot | undefined {
  switch (reason) {
    case 'rate_limit':
    case 'overloaded':
      return model ? modelSlot(model) : COOLDOWN
    case 'model_not_found':
      return model ? modelSlot(model) : undefined
    case 'session_expired':
    case 'timeout':
    case 'server_error':
      return COOLDOWN
    case 'billing':
    case 'auth':
    case 'auth_permanent':
      return DISABLE
    default:
      return undefined
  }
}

// A refused credential is set aside only once that counts as permanent.
function recordedReason(reason: FailureReason): FailureReason {
  return reason === 'auth' ? 'auth_permanent' : reason
}

// No wait mends a refused credential, whatever the answer states.
function statedWindow(reason: FailureReason, context: FailureContext): Window | undefined {
  // Days are the windows of subscriptions, and what a caller says may be any mistake.
  const isWindow = reason === 'rate_limit' && context.certainty !== undefined
  const longestMs = isWindow ? MAX_WINDOW_WAIT_MS : MAX_STATED_WAIT_MS
  const wait = reason === 'auth' ? undefined : statedWaitMs(context.retryAfterMs, longestMs)
  return wait === undefined ? undefined : { until: instantAfter(context.now, wait), reason, stated: true }
}

// A window that is bypassed must not keep out, nor replace, one that holds.
function yields(window: Window, other: FailureReason | undefined, provider: string): boolean {
  return isBypassed(provider, window.reason) && !isBypassed(provider, other)
}

type Runs = NonNullable<ProfileUsageStats['runs']>

function lengthenedRuns({ runs }: ProfileUsageStats, reason: FailureReason, now: Date): Runs {
  const name = runClassOf(reason)
  if (name === undefined) return {}
  const run = lengthened(runs, name, now)
  const permanent = name === 'auth' && run.count >= RUN_LIMIT
  return {
    [name]: run,
    ...(permanent ? { auth_permanent: lengthened(runs, 'auth_permanent', now) } : {}),
  }
}

function runClassOf(reason: FailureReason): RunClass | undefined {
  switch (reason) {
    case 'timeout':
    case 'server_error':
      return 'transient'
    case 'overloaded':
    case 'billing':
    case 'auth':
    case 'auth_permanent':
      return reason
    default:
      return undefined
  }
}

/** Our own estimate of how long to wait; `undefined` while the failure is only tracked. */
function estimateMs(reason: FailureReason, runs: Runs, context: FailureContext): number | undefined {
  const { config, provider, random } = context
  const length = (name: RunClass): number => runs[name]?.count ?? 0
  switch (reason) {
    case 'rate_limit':
      return calculateRateLimitCooldown(config, provider)
    case 'session_expired':
      return SHORT_PAUSE_MS
    case 'model_not_found':
      return context.certainty === 'presumed' ? PRESUMED_MODEL_MS : MODEL_NOT_FOUND_MS
    case 'overloaded':
      return backoffMs(length('overloaded'), { baseMs: OVERLOADED_BASE_MS, maxMs: OVERLOADED_MAX_MS, random })
    case 'timeout':
    case 'server_error':
      return length('transient') >= RUN_LIMIT ? SHORT_PAUSE_MS : undefined
    case 'billing':
    case 'auth_permanent':
      return calculateBillingDisable(length(reason), config, provider)
    case 'auth': {
      if (length('auth') >= RUN_LIMIT)
        return calculateBillingDisable(length('auth_permanent'), config, provider)
      return context.certainty !== undefined && context.isStatic === true ? PRESUMED_BASE_MS : undefined
    }
    default:
      return undefined
  }
}
