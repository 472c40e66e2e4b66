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

/** Why a profile or a model is set aside: a failure, or an answer that said that nothing is left (`quota`). */
export type UnusableReason = FailureReason | 'quota'

/** What a failure sets aside: only the request, one model of the credential, the credential, or nothing durable. */
export type FailureScope = 'request' | 'model' | 'credential' | 'provider'

/** A period in which one model is set aside on one profile. */
export interface ModelCooldown {
  until: Date
  reason: FailureReason
  /** True when the provider itself named the time; our own estimates leave it out. */
  stated?: boolean
  /**
   * True when wording or a status alone led to it. Where a model is presumed to be missing the profile goes behind others,
   * and stays usable.
   */
  presumed?: boolean
  /** When it was opened. Only of a window that is longer than 15 minutes. */
  since?: Date
}

/** How an answer told what failed: by wording, by its status alone, or by something that is documented. */
export type ToldBy = 'words' | 'status' | 'code'

/** What an answer told a failure by. */
export interface Told {
  readonly by: ToldBy
  /** The status of the answer, 100 to 599; absent where a message alone was given. */
  readonly status?: number
}

/** What led to a disable, and what confirmed it. */
export interface DisableEvidence {
  readonly told?: Told
  /** The model of the request that led to it. */
  readonly model?: string
  /** The check that confirmed it, such as `GET /models`, and when. */
  readonly checkedBy?: string
  readonly checkedAt?: Date
}

/**
 * What the provider's cheap check said of a credential: it works (`valid`); a stated code says that it is invalid,
 * revoked or deactivated (`refused`); nothing was learnt (`unasked`).
 */
export type CheckSaid = 'valid' | 'refused' | 'unasked'

/** Every {@link CheckSaid}. */
export const CHECK_SAID: readonly CheckSaid[] = ['valid', 'refused', 'unasked']

/** The last time that a provider's cheap check was asked about a profile. */
export interface LastCheck {
  /** When a process took it upon itself to ask. */
  readonly at: Date
  /** Absent while the answer is not known, and where that process never told. */
  readonly said?: CheckSaid
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
  /** True when wording or a status alone led to it. */
  cooldownPresumed?: boolean
  /** When it was opened. Only of a pause that is longer than 15 minutes. */
  cooldownSince?: Date
  /** End of a long disable. */
  disabledUntil?: Date
  disabledReason?: FailureReason
  disabledStated?: boolean
  /** True when wording or a status alone led to it: it keeps the profile away only while another one can serve. */
  disabledPresumed?: boolean
  disabledEvidence?: DisableEvidence
  /** When a request last went out to see whether a long window still holds. */
  trialAt?: Date
  check?: LastCheck
  /** When a program came back from the profile and gave no reason: whoever runs for long is to ask about it. */
  checkWanted?: Date
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
  /** How far the profile has come in the order of `weighted`: each use moves it on by a million divided by its weight. */
  turn?: number
}

/** Which credential a request was sent with, and in which epochs: what its outcome speaks of. */
export interface OutcomeOrigin {
  /** Of the profile's credentials; 0 while it has had none. */
  readonly generation: number
  /** Of what is remembered of the profile. */
  readonly epoch: number
  /** Of what is remembered of its account. */
  readonly accountEpoch: number
  /** True of a request that was to show whether a long window still holds: its success lifts that. */
  readonly trial?: boolean
}

/** A class of failures that is counted together. */
export type RunClass = 'auth' | 'transient' | 'overloaded' | 'billing' | 'auth_permanent' | 'presumed'

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
