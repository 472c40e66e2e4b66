import type { FailureReason } from '../domain/usage.js'

/** The longest wait after a failed renewal, in milliseconds: the provider itself may name a long one. */
export function longestBackoffMs(reason: FailureReason): number {
  return reason === 'rate_limit' ? 86_400_000 : 600_000
}
