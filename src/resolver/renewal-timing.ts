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

/** When a login is due for renewal, in epoch milliseconds. */
export function renewalDueMs(
  credential: Pick<OAuthCredential, 'expiresAt' | 'issuedAt'>,
  jitter: number,
): number {
  return refreshDueAt(credential.expiresAt, lifetimeMs(credential), jitter).getTime()
}

/** Until when its access token is good enough to be served, in epoch milliseconds. */
export function servableUntilMs(credential: Pick<OAuthCredential, 'expiresAt' | 'issuedAt'>): number {
  return servableUntil(credential.expiresAt, lifetimeMs(credential)).getTime()
}

function lifetimeMs({
  expiresAt,
  issuedAt,
}: Pick<OAuthCredential, 'expiresAt' | 'issuedAt'>): number | undefined {
  return issuedAt === undefined ? undefined : expiresAt.getTime() - issuedAt.getTime()
}
