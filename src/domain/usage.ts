/** Why a credential failed: the nine reasons of the original, and three of ours. */
export type FailureReason =
  | 'auth'
  | 'auth_permanent'
  | 'rate_limit'
  | 'billing'
  | 'timeout'
  | 'format'
  | 'model_not_found'
  | 'session_expired'
  | 'unknown'
  | 'overloaded'
  | 'server_error'
  | 'context_overflow'

/** Every {@link FailureReason}. */
export const FAILURE_REASONS: readonly FailureReason[] = [
  'auth',
  'auth_permanent',
  'rate_limit',
  'billing',
  'timeout',
  'format',
  'model_not_found',
  'session_expired',
  'unknown',
  'overloaded',
  'server_error',
  'context_overflow',
]

/** What a failure sets aside: only the request, one model of the credential, the credential, or nothing durable. */
export type FailureScope = 'request' | 'model' | 'credential' | 'provider'

/** A period in which one model is set aside on one profile. */
export interface ModelCooldown {
  until: Date
  reason: FailureReason
  /** True when the provider itself named the time; our own estimates leave it out. */
  stated?: boolean
  /** True when wording or a status alone led to it: the profile then goes behind others, and stays usable. */
  presumed?: boolean
}

/** A model that a profile refuses for no known reason, and that others served. */
export interface RefusedModel {
  /** The last conversations in which that happened, three at most, as short hashes. */
  conversations: string[]
  lastAt: Date
  /** Until when the profile goes behind others for this model; absent until three conversations tell. */
  until?: Date
  /** So many periods in a row. */
  count: number
}

/** A period in which a profile goes behind others for one model, because its answers broke off. */
export interface BehindOthers {
  until: Date
  /** So many times in a row: once per period, until an answer comes to its end. */
  count: number
}

/** Consecutive failures of one kind, and when the last one was counted. */
export interface FailureRun {
  count: number
  lastAt: Date
}

/**
 * What is remembered of one profile's use: windows, totals and runs. Mutable: `ProfileStore.getUsageStats`
 * hands out the live record.
 *
 * Totals (`errorCount`, `failureCounts`) count every report. Runs count at most one per open window and
 * decide about escalation; they end with a success, with a reset, or when the failure window has passed.
 */
export interface ProfileUsageStats {
  lastUsed?: Date
  /** End of a short pause of the whole profile. */
  cooldownUntil?: Date
  cooldownReason?: FailureReason
  /** True when the provider itself named `cooldownUntil`. */
  cooldownStated?: boolean
  /** End of a long disable. */
  disabledUntil?: Date
  disabledReason?: FailureReason
  disabledStated?: boolean
  /** True when wording or a status alone led to it: it keeps the profile away only while another one can serve. */
  disabledPresumed?: boolean
  /** When a request last went out to see whether a disable still holds. */
  trialAt?: Date
  errorCount: number
  failureCounts: Partial<Record<FailureReason, number>>
  lastFailureAt?: Date
  modelCooldowns?: Record<string, ModelCooldown>
  /** Models for which the profile is asked after others; the empty name stands for requests that name none. */
  behind?: Record<string, BehindOthers>
  /** Models that it refuses for no known reason while other accounts serve them; the empty name as in `behind`. */
  refused?: Record<string, RefusedModel>
  /**
   * Consecutive failures by class: `auth`; `transient` (timeout and server_error together); `overloaded`;
   * `billing` and `auth_permanent`, whose count is the exponent of the disable; `presumed`, the same of those that wording
   * or a status alone led to.
   */
  runs?: Partial<Record<RunClass, FailureRun>>
  /**
   * Counts resets, new credentials and disables that a trial has lifted. Outcomes of requests from an earlier epoch
   * have no effect. 0 when absent.
   */
  epoch?: number
  /** The credential generation that `auth`, `auth_permanent` and `session_expired` were said of. */
  generation?: number
}

/** Which credential a request was sent with, and in which epochs: what its outcome speaks of. */
export interface OutcomeOrigin {
  /** Of the profile's credentials; 0 while it has had none. */
  readonly generation: number
  /** Of what is remembered of the profile. */
  readonly epoch: number
  /** Of what is remembered of its account. */
  readonly accountEpoch: number
}

/** A class of failures that is counted together. */
export type RunClass = 'auth' | 'transient' | 'overloaded' | 'billing' | 'auth_permanent' | 'presumed'

/** A rule of an owner's own about failures of a provider. All conditions that it has must hold. */
export interface OwnFailureRule {
  /** Its name; `*` for all. */
  readonly provider: string
  /** The status of the answer, 400 to 599. */
  readonly status?: number
  /** A part of the message, in any case. */
  readonly message?: string
  readonly reason: FailureReason
  /** What it sets aside, where that is not what the reason sets aside anyway. */
  readonly scope?: FailureScope
}

/** Whether a documented code, type or header says what failed, or wording or a status alone. */
export type Certainty = 'stated' | 'presumed'

/** Fresh, empty statistics. */
export function newUsageStats(): ProfileUsageStats {
  return { errorCount: 0, failureCounts: {} }
}

/** Cooldown settings of one provider. Absent or non-positive values fall back to the general ones. */
export interface ProviderCooldownOverride {
  /** Seconds. */
  readonly rateLimitSeconds?: number
  /** Hours. */
  readonly billingBackoffHours?: number
}

/** Cooldown settings. Absent or non-positive values fall back to the defaults. */
export interface ProfileCooldownConfig {
  /** Pause after a rate limit without a stated time, in seconds. Default 30. */
  readonly rateLimitSeconds?: number
  /** First disable after a billing failure, in hours; doubles each time. Default 5. */
  readonly billingBackoffHours?: number
  /** Longest disable, in hours. Default 24. */
  readonly billingMaxHours?: number
  /** Failures older than this are forgotten, in hours. Default 24. */
  readonly failureWindowHours?: number
  readonly byProvider?: Readonly<Record<string, ProviderCooldownOverride>>
}
