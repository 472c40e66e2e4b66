import { calculatePKCECodeChallenge, generateRandomCodeVerifier, generateRandomState } from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { Begun } from './device-answer.js'
import { LONGEST_PAUSE_MS, readBegun, SHORTEST_INTERVAL_MS } from './device-answer.js'
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
  readonly signal?: AbortSignal | undefined
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

const DEVICE_ENDPOINT = { place: 'the device endpoint', wanted: 'usable code' }
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code'
/** RFC 8628 section 3.5: for good. */
const SLOW_DOWN_MS = 5_000
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
  const state = device.state === true ? generateRandomState() : undefined
  const answer = await sendOnce(
    tokenMessage({
      endpoint,
      client: settings.client,
      body: settings.body,
      signal: options.signal,
      way: settings.way,
      fields: {
        ...device.fields,
        scope: scopes.length === 0 ? undefined : scopes.join(' '),
        state,
        ...(verifier === undefined
          ? {}
          : { code_challenge: await calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }),
      },
    }),
  )
  const fields = readFields(answer)
  const begun = readBegun(fields, settings, options.now())
  if (begun === undefined) throw asLoginError(tokenError(answer, fields, options.now(), DEVICE_ENDPOINT))
  if (state !== undefined && fields.state !== undefined && fields.state !== state)
    throw new KeymuxError('login_failed', 'the answer of the device endpoint belongs to another login', {
      hint: 'start the login again',
    })
  return new Polling(settings, options, begun, verifier)
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
  }

  async poll(): Promise<TokenGrant> {
    const { sleep, signal } = this.#options
    const lifeMs = this.#begun.expiresInSeconds * 1_000
    let { intervalMs } = this.#begun
    let troubles = 0
    // Counted, not read from a clock: one that is set meanwhile must not end a login.
    let passedMs = 0
    for (;;) {
      let pauseMs = Math.max(intervalMs, Math.min(intervalMs * 2 ** troubles, LONGEST_PAUSE_MS))
      // A code that lives no longer than the interval is asked about once, shortly before its end.
      if (passedMs === 0) pauseMs = Math.min(pauseMs, Math.max(lifeMs - 1_000, SHORTEST_INTERVAL_MS))
      else if (passedMs + pauseMs >= lifeMs) throw expired()
      await sleep(pauseMs, signal)
      const askedAt = performance.now()
      const outcome = await this.#ask()
      if (typeof outcome !== 'string') return outcome
      if (outcome === 'slow_down') intervalMs += SLOW_DOWN_MS
      troubles = outcome === 'trouble' ? troubles + 1 : 0
      passedMs += pauseMs + performance.now() - askedAt
    }
  }

  async #ask(): Promise<TokenGrant | 'pending' | 'slow_down' | 'trouble'> {
    const { client, tokenEndpoint, body, device, way } = this.#settings
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
        way,
        timeoutMs: POLL_LIMIT_MS,
        statusField: device.statusField,
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
