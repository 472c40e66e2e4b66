import type { OAuthCredential } from '../domain/profile.js'
import { refreshDueAt, servableUntil } from '../policy/refresh-due.js'

/** The time limits of a renewal, in milliseconds. */
export interface RenewalTiming {
  /** When the refresher's signal fires. Default 30,000. */
  readonly requestMs: number
  /**
   * When a request has certainly ended, whatever became of it; nobody sends the same refresh token again
   * before. Default 35,000.
   */
  readonly hardDeadlineMs: number
  /** How long to wait for another process's renewal. Default 45,000. */
  readonly lockWaitMs: number
  /** Pauses between attempts to store new tokens that the vault would not take. */
  readonly storePausesMs: readonly number[]
}

export const DEFAULT_TIMING: RenewalTiming = {
  requestMs: 30_000,
  hardDeadlineMs: 35_000,
  lockWaitMs: 45_000,
  storePausesMs: [50, 200, 500, 1_000, 2_000],
}

/** What of a login its renewal goes by. */
type Validity = Pick<OAuthCredential, 'expiresAt' | 'issuedAt'>

/**
 * Between which instants a login needs no renewal, in epoch milliseconds.
 *
 * Under a clock that is ahead a login comes out as valid for that much too long. Once the clock is right, its
 * token was issued in the future: by more than the lead of its renewal, and it counts as due.
 */
export function servedBetween(credential: Validity, jitter: number): { fromMs: number; untilMs: number } {
  const { expiresAt, issuedAt } = credential
  const leadMs = expiresAt.getTime() - refreshDueAt(expiresAt, lifetimeMs(credential), 0).getTime()
  return {
    fromMs: issuedAt === undefined ? 0 : issuedAt.getTime() - leadMs,
    untilMs: refreshDueAt(expiresAt, lifetimeMs(credential), jitter).getTime(),
  }
}

/** Whether a login is due for renewal. */
export function isDue(credential: Validity, jitter: number, nowMs: number): boolean {
  const { fromMs, untilMs } = servedBetween(credential, jitter)
  return nowMs < fromMs || untilMs <= nowMs
}

/** Until when its access token is good enough to be served, in epoch milliseconds. */
export function servableUntilMs(credential: Validity): number {
  return servableUntil(credential.expiresAt, lifetimeMs(credential)).getTime()
}

function lifetimeMs({ expiresAt, issuedAt }: Validity): number | undefined {
  return issuedAt === undefined ? undefined : expiresAt.getTime() - issuedAt.getTime()
}
