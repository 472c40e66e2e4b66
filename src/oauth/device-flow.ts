import { calculatePKCECodeChallenge, generateRandomCodeVerifier } from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { parseSecureUrl } from '../domain/secure-url.js'
import { asLoginError, OAuthError } from './errors.js'
import { sendOnce } from './http.js'
import type { OAuthSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'
import { readFields } from './token-answer.js'
import { requestToken, tokenMessage } from './token-endpoint.js'
import { tokenError } from './token-error.js'

/** Options of {@link startDeviceLogin}. */
export interface DeviceLoginOptions {
  readonly now: () => Date
  /** Waits, in milliseconds; rejects when the signal fires. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly signal?: AbortSignal
}

/** A login on another device that is under way. */
export interface DeviceLogin {
  readonly verificationUri: string
  readonly verificationUriComplete?: string
  readonly userCode: string
  /** Seconds until the code is void. */
  readonly expiresInSeconds: number
  /** Polls until the person has decided. @throws KeymuxError `login_denied`, `login_expired`, `login_failed` */
  poll(): Promise<TokenGrant>
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code'
const DEFAULT_INTERVAL_S = 5
const DEFAULT_LIFETIME_S = 900
const LONGEST_LIFETIME_S = 3_600
/** RFC 8628 section 3.5: for good. */
const SLOW_DOWN_MS = 5_000
/** After a network error the pause doubles up to this. */
const LONGEST_PAUSE_MS = 60_000
const POLL_LIMIT_MS = 30_000

/**
 * Starts a login of the device flow (RFC 8628).
 *
 * @throws KeymuxError `unsupported_mode`, `provider_unreachable`, `login_failed`
 */
export async function startDeviceLogin(
  settings: OAuthSettings,
  options: DeviceLoginOptions,
): Promise<DeviceLogin> {
  const { deviceAuthorizationEndpoint: endpoint, device, scopes } = settings
  if (endpoint === undefined) {
    throw new KeymuxError('unsupported_mode', `${quote(settings.provider)} has no device login`, {
      hint: 'log in without --device',
    })
  }
  const verifier = device.pkce === true ? generateRandomCodeVerifier() : undefined
  const answer = await sendOnce(
    tokenMessage({
      endpoint,
      client: settings.client,
      body: settings.body,
      signal: options.signal,
      fields: {
        ...device.fields,
        scope: scopes.length === 0 ? undefined : scopes.join(' '),
        ...(verifier === undefined
          ? {}
          : { code_challenge: await calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }),
      },
    }),
  )
  const fields = readFields(answer)
  const begun = readBegun(fields, settings, options.now())
  if (begun === undefined) throw asLoginError(tokenError(answer, fields, options.now()))
  return new Polling(settings, options, begun, verifier)
}

interface Begun {
  readonly code: string
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  readonly expiresInSeconds: number
  readonly intervalMs: number
}

class Polling implements DeviceLogin {
  readonly verificationUri: string
  readonly verificationUriComplete?: string
  readonly userCode: string
  readonly expiresInSeconds: number
  readonly #settings: OAuthSettings
  readonly #options: DeviceLoginOptions
  readonly #begun: Begun
  readonly #verifier: string | undefined
  readonly #endMs: number

  constructor(
    settings: OAuthSettings,
    options: DeviceLoginOptions,
    begun: Begun,
    verifier: string | undefined,
  ) {
    this.verificationUri = begun.verificationUri
    if (begun.verificationUriComplete !== undefined)
      this.verificationUriComplete = begun.verificationUriComplete
    this.userCode = begun.userCode
    this.expiresInSeconds = begun.expiresInSeconds
    this.#settings = settings
    this.#options = options
    this.#begun = begun
    this.#verifier = verifier
    this.#endMs = options.now().getTime() + begun.expiresInSeconds * 1_000
  }

  async poll(): Promise<TokenGrant> {
    const { now, sleep, signal } = this.#options
    let intervalMs = this.#begun.intervalMs
    let troubles = 0
    for (;;) {
      const pauseMs = Math.max(intervalMs, Math.min(intervalMs * 2 ** troubles, LONGEST_PAUSE_MS))
      if (now().getTime() + pauseMs >= this.#endMs) throw expired()
      await sleep(pauseMs, signal)
      const outcome = await this.#ask()
      if (typeof outcome !== 'string') return outcome
      if (outcome === 'slow_down') intervalMs += SLOW_DOWN_MS
      troubles = outcome === 'trouble' ? troubles + 1 : 0
    }
  }

  async #ask(): Promise<TokenGrant | 'pending' | 'slow_down' | 'trouble'> {
    const { client, tokenEndpoint, body, device } = this.#settings
    const { signal, now } = this.#options
    try {
      return await requestToken({
        endpoint: tokenEndpoint,
        client,
        body,
        fields: {
          grant_type: device.grantType ?? GRANT_TYPE,
          [device.pollsWith ?? 'device_code']: this.#begun.code,
          code_verifier: this.#verifier,
        },
        signal,
        timeoutMs: POLL_LIMIT_MS,
        now,
      })
    } catch (error) {
      signal?.throwIfAborted()
      return judged(error)
    }
  }
}

function judged(error: unknown): 'pending' | 'slow_down' | 'trouble' {
  if (!(error instanceof OAuthError)) throw error
  const { serverCode, reason } = error.failure
  switch (serverCode) {
    case 'authorization_pending':
    case 'pending':
      return 'pending'
    case 'slow_down':
      return 'slow_down'
    case 'access_denied':
      throw new KeymuxError('login_denied', 'the login was denied', { hint: 'nothing was changed' })
    case 'expired_token':
      throw expired()
  }
  // A server in trouble is asked again; one that refuses is not.
  if (reason === 'timeout' || reason === 'server_error' || reason === 'rate_limit') return 'trouble'
  throw asLoginError(error)
}

function expired(): KeymuxError {
  return new KeymuxError('login_expired', 'the code was not used in time', { hint: 'start the login again' })
}

function readBegun(
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
  return Math.min(Math.max(1, Math.floor(seconds)), LONGEST_LIFETIME_S)
}

function intervalOf(value: unknown, unit: 'milliseconds' | undefined): number {
  const number = Number(value)
  if (!(number > 0)) return DEFAULT_INTERVAL_S * 1_000
  return Math.min(unit === 'milliseconds' ? number : number * 1_000, LONGEST_PAUSE_MS)
}
