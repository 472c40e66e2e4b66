import type { ErrorCode, KeymuxErrorOptions } from '../domain/errors.js'
import { KeymuxError } from '../domain/errors.js'
import type { FailureReason } from '../domain/usage.js'

/**
 * What became of a request: it never left this machine, it left and nobody knows the end of it, or the
 * server answered. A refresh token whose request has an unknown outcome may be spent.
 */
export type Delivery = 'not_sent' | 'unknown' | 'answered'

/** What is known of a failed exchange with an authorization server. */
export interface OAuthFailure {
  readonly reason: FailureReason
  readonly delivery: Delivery
  /** The server's own error code (RFC 6749 section 5.2), where it gave one. */
  readonly serverCode?: string
  /** The wait that the server stated, in milliseconds. */
  readonly retryAfterMs?: number
}

/** An exchange with an authorization server failed. */
export class OAuthError extends KeymuxError {
  override readonly name = 'OAuthError'
  readonly failure: OAuthFailure

  constructor(code: ErrorCode, message: string, failure: OAuthFailure, options: KeymuxErrorOptions = {}) {
    super(code, message, options)
    this.failure = failure
  }
}

/** An exchange that failed is a login that failed; nothing was stored. */
export function asLoginError(error: unknown): unknown {
  if (!(error instanceof OAuthError) || error.code !== 'refresh_failed') return error
  return new OAuthError('login_failed', error.message, error.failure, {
    hint: error.hint ?? 'start the login again',
    cause: error,
  })
}
