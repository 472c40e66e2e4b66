import { parseSecureUrl } from '../domain/secure-url.js'
import type { OAuthSettings } from './settings.js'

const DEFAULT_INTERVAL_S = 5
const DEFAULT_LIFETIME_S = 900
const LONGEST_LIFETIME_S = 3_600
/** A server is not asked more often than this. */
export const SHORTEST_INTERVAL_MS = 1_000
/** No pause between polls is longer. */
export const LONGEST_PAUSE_MS = 60_000

/** A login that a person may finish on another device (RFC 8628 section 3.2). */
export interface Begun {
  readonly code: string
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  readonly expiresInSeconds: number
  readonly intervalMs: number
}

/** What a device endpoint answered; `undefined` where nobody could log in with it. */
export function readBegun(
  fields: Readonly<Record<string, unknown>>,
  { device }: OAuthSettings,
  now: Date,
): Begun | undefined {
  const userCode = fields.user_code
  const code = device.pollsWith === 'user_code' ? userCode : fields.device_code
  const verificationUri = fields.verification_uri ?? fields.verification_url
  const usable = [userCode, code, verificationUri].every(
    (value) => typeof value === 'string' && /^[\x20-\x7e]{1,2048}$/.test(value),
  )
  if (!usable || parseSecureUrl(String(verificationUri)) === undefined) return undefined
  const complete = fields.verification_uri_complete
  return {
    code: String(code),
    userCode: String(userCode),
    verificationUri: String(verificationUri),
    verificationUriComplete:
      typeof complete === 'string' && parseSecureUrl(complete) !== undefined ? complete : undefined,
    expiresInSeconds: lifetimeOf(fields, now),
    intervalMs: intervalOf(fields.interval, device.intervalUnit),
  }
}

function lifetimeOf(fields: Readonly<Record<string, unknown>>, now: Date): number {
  const value = Number(fields.expires_in ?? fields.expired_in)
  if (!(value > 0)) return DEFAULT_LIFETIME_S
  // MiniMax names the instant, in milliseconds.
  const seconds = value > 1e11 ? (value - now.getTime()) / 1_000 : value
  // A code that has expired already was made by another clock than ours.
  if (seconds <= 0) return DEFAULT_LIFETIME_S
  return Math.min(Math.max(1, Math.floor(seconds)), LONGEST_LIFETIME_S)
}

function intervalOf(value: unknown, unit: 'milliseconds' | undefined): number {
  const number = Number(value)
  if (!(number > 0)) return DEFAULT_INTERVAL_S * 1_000
  const ms = unit === 'milliseconds' ? number : number * 1_000
  return Math.min(Math.max(ms, SHORTEST_INTERVAL_MS), LONGEST_PAUSE_MS)
}
