const LONGEST_LEAD_MS = 300_000
const LEAD_SHARE = 0.1
// Processes that share a token spread their refreshes over this share of the lead.
const JITTER_SHARE = 0.2

/**
 * When an access token is due for renewal: min(5 min, 10 % of its lifetime) before it expires, and up to
 * a fifth of that earlier by jitter.
 *
 * @param lifetimeMs how long the token lived when it was issued, in milliseconds; unknown counts as long
 * @param jitter in [0, 1); 0 is the exact time
 */
export function refreshDueAt(expiresAt: Date, lifetimeMs: number | undefined, jitter: number): Date {
  const share = lifetimeMs !== undefined && lifetimeMs > 0 ? lifetimeMs * LEAD_SHARE : LONGEST_LEAD_MS
  const lead = Math.min(LONGEST_LEAD_MS, share)
  return new Date(expiresAt.getTime() - Math.round(lead * (1 + JITTER_SHARE * jitter)))
}

/** A token is served while it is renewed as long as it has this much left: a request must still get through. */
const STILL_SERVABLE_MS = 30_000

/**
 * Until when an access token is good enough to be handed out: 30 s before it expires, or half the lead of its
 * renewal if that is less, so that tokens that live for a minute are good for most of it.
 *
 * @param lifetimeMs as for {@link refreshDueAt}
 */
export function servableUntil(expiresAt: Date, lifetimeMs: number | undefined): Date {
  const lead = expiresAt.getTime() - refreshDueAt(expiresAt, lifetimeMs, 0).getTime()
  return new Date(expiresAt.getTime() - Math.min(STILL_SERVABLE_MS, lead / 2))
}
