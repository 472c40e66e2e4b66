import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { formatTime } from '../domain/rfc3339.js'
import type { FailureReason } from '../domain/usage.js'
import { OAuthError } from '../oauth/errors.js'

/** How a renewal failed, for {@link renewalFailed}. */
export interface FailedRenewal {
  readonly reason: FailureReason
  readonly error: unknown
  /** When the next try may be; absent when somebody else's tokens stand there by now. */
  readonly until: Date | undefined
}

/** A request for new tokens has failed. */
export function renewalFailed(id: string, { reason, error, until }: FailedRenewal): KeymuxError {
  if (error instanceof KeymuxError && isKeymuxError(error, 'conflict')) return error
  const detail = error instanceof OAuthError ? `: ${error.message}` : ''
  return new KeymuxError('refresh_failed', `${id} could not be renewed (${reason})${detail}`, {
    hint: hintFor(id, reason, error, until),
    cause: error,
  })
}

/** Nothing but a new login helps. */
export function loginNeeded(id: string): KeymuxError {
  return new KeymuxError('refresh_failed', `${id} cannot be renewed: it needs a new login`, {
    hint: `run keymux login ${id}`,
  })
}

/** The wait after a failure is not over. */
export function backingOff(
  id: string,
  { until, reason }: { readonly until: Date; readonly reason: FailureReason },
): KeymuxError {
  return new KeymuxError('refresh_failed', `${id} could not be renewed a moment ago (${reason})`, {
    hint: nextTry(id, until),
  })
}

/** Another process holds the profile's lock for longer than anybody waits. */
export function stillLocked(id: string): KeymuxError {
  return new KeymuxError('refresh_failed', `another process is renewing ${id} and does not come to an end`, {
    hint: 'try again, or end that process',
  })
}

/** The answer is somebody else's: nothing of it is stored. */
export function anotherAccount(id: string): OAuthError {
  return new OAuthError(
    'conflict',
    `the renewed token of ${id} belongs to another account`,
    { reason: 'auth_permanent', delivery: 'answered' },
    { hint: `nothing was changed; run keymux login ${id} with the account it is meant for` },
  )
}

function hintFor(id: string, reason: FailureReason, error: unknown, until: Date | undefined): string {
  if (reason === 'session_expired') return `run keymux login ${id}`
  if (error instanceof OAuthError && error.hint !== undefined) return error.hint
  return until === undefined ? 'try again' : nextTry(id, until)
}

function nextTry(id: string, until: Date): string {
  return `it is tried again at ${formatTime(until)}; keymux reset ${id} lifts the wait`
}
