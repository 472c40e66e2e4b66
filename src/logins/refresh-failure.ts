import type { FailureReason } from '../domain/usage.js'
import type { Delivery } from '../oauth/errors.js'
import { OAuthError } from '../oauth/errors.js'
import { classifyFailure } from '../policy/classify-message.js'

/** What a failed renewal means. */
export interface RefreshFailure {
  readonly reason: FailureReason
  readonly delivery: Delivery
  readonly retryAfterMs?: number
}

/** Errors of the system that come before anything was sent. */
const NOT_SENT = /\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)\b/
/** How deep a chain of causes is looked at. */
const MAX_CAUSES = 8

/** What an error of a refresher means, be it ours or somebody else's. */
export function refreshFailureOf(error: unknown): RefreshFailure {
  if (error instanceof OAuthError) return error.failure
  const reason = classifyFailure(error)
  if (causesOf(error).some((text) => NOT_SENT.test(text))) return { reason: 'timeout', delivery: 'not_sent' }
  return { reason, delivery: reason === 'timeout' ? 'unknown' : 'answered' }
}

function causesOf(error: unknown): string[] {
  const texts: string[] = []
  for (let at = error; at instanceof Error && texts.length < MAX_CAUSES; at = at.cause) {
    texts.push(`${'code' in at ? String(at.code) : ''} ${at.message}`)
  }
  return texts
}
