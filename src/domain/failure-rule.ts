import type { FailureReason, FailureScope } from './usage.js'

/** A pattern that is looked for in a text. A `RegExp` without the flags `g` and `y` is one too. */
export interface TextPattern {
  /** As it was written. */
  readonly source: string
  test(text: string): boolean
}

/** What an owner says of failures of one provider. All conditions that it has must hold. */
export interface ProviderFailureRule {
  /** The status of the answer, 400 to 599. */
  readonly status?: number
  /** A part of the message, in any case. */
  readonly message?: string
  /** What is looked for in the message. `failurePattern` makes one that takes linear time. */
  readonly pattern?: TextPattern
  readonly reason: FailureReason
  /** What it sets aside, where that is not what the reason sets aside anyway. */
  readonly scope?: FailureScope
  /** The wait where the answer states none, in seconds; counts with reasons that pass with time. */
  readonly retryAfterSeconds?: number
  /** Where it is written, such as `config.yaml:12:5: failure_rules[0]`. */
  readonly where?: string
}

/** A rule of an owner's own about failures. The first one that fits decides, before all others. */
export interface OwnFailureRule extends ProviderFailureRule {
  /** The provider's name; `*` for all. */
  readonly provider: string
}

/** The scopes that a reason can have: what it sets aside follows from it, and is narrowed or widened for few. */
export const SCOPES_OF_REASON: Readonly<Record<FailureReason, readonly FailureScope[]>> = {
  rate_limit: ['model', 'credential'],
  billing: ['credential'],
  auth: ['credential'],
  auth_permanent: ['credential'],
  session_expired: ['credential'],
  model_not_found: ['model'],
  overloaded: ['provider'],
  server_error: ['provider'],
  timeout: ['provider'],
  context_overflow: ['request'],
  format: ['request'],
  unknown: ['request', 'credential'],
}

/** Reasons that pass with time: a wait means something. */
export const PASSING_REASONS: ReadonlySet<FailureReason> = new Set([
  'rate_limit',
  'overloaded',
  'server_error',
  'timeout',
  'unknown',
])
