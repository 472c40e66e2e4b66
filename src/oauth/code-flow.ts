import {
  type AuthorizationServer,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  validateAuthResponse,
} from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { claimsOf } from './account.js'
import { OAuthError } from './errors.js'
import { sendOnce } from './http.js'
import type { Loopback } from './loopback.js'
import { isState, listenOnLoopback } from './loopback.js'
import type { PageText } from './page.js'
import type { OAuthSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'
import { isObject, readFields } from './token-answer.js'
import { requestToken } from './token-endpoint.js'

/** Options of {@link startCodeLogin}. */
export interface CodeLoginOptions {
  /** Port of the listener; a free one by default. */
  readonly port?: number
  readonly now: () => Date
  /** How long the person may take, in milliseconds. Default 5 minutes. */
  readonly timeLimitMs?: number
  readonly signal?: AbortSignal
}

/** What a login yields. */
export type LoginYield =
  | { readonly kind: 'tokens'; readonly grant: TokenGrant }
  | { readonly kind: 'api_key'; readonly key: string; readonly account?: string }

/** A login in a browser that is under way. */
export interface CodeLogin {
  /** To be opened in a browser. */
  readonly url: string
  /**
   * Takes the address that the browser was sent back to, for a browser on another machine.
   *
   * @throws KeymuxError `invalid_value` when it does not belong to this login; it goes on waiting
   */
  paste(text: string): void
  /** What came of it. @throws KeymuxError `login_failed`, `login_expired`, `login_denied`, `provider_unreachable` */
  readonly result: Promise<LoginYield>
  /** Shows the browser, if it still waits, how it ended. */
  finish(page: PageText): Promise<void>
  /** Stops listening. Always to be called. */
  close(): Promise<void>
}

const TIME_LIMIT_MS = 5 * 60_000
const LONGEST_PASTE = 8_192

/**
 * Starts an authorization code login with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 8252) on a loopback
 * redirect.
 *
 * @throws KeymuxError `login_failed` when the port is taken, `unsupported_mode` without an authorization endpoint
 */
export async function startCodeLogin(settings: OAuthSettings, options: CodeLoginOptions): Promise<CodeLogin> {
  if (settings.authorizationEndpoint === undefined) {
    throw new KeymuxError('unsupported_mode', `${quote(settings.provider)} has no login in the browser`, {
      hint: settings.deviceAuthorizationEndpoint === undefined ? 'configure its endpoints' : 'use --device',
    })
  }
  const secrets = {
    verifier: generateRandomCodeVerifier(),
    state: settings.yields === 'api_key' ? undefined : generateRandomState(),
    nonce: settings.scopes.includes('openid') ? generateRandomNonce() : undefined,
  }
  const listener = await listenOnLoopback({
    state: secrets.state,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(settings.redirectUri === undefined ? {} : { redirectUri: settings.redirectUri }),
  })
  try {
    const url = await authorizationUrl(settings, secrets, listener.redirectUri)
    return new RunningLogin(settings, options, secrets, listener, url)
  } catch (error) {
    await listener.close()
    throw error
  }
}

interface LoginSecrets {
  readonly verifier: string
  readonly state: string | undefined
  readonly nonce: string | undefined
}

class RunningLogin implements CodeLogin {
  readonly url: string
  readonly result: Promise<LoginYield>
  readonly #settings: OAuthSettings
  readonly #options: CodeLoginOptions
  readonly #secrets: LoginSecrets
  readonly #listener: Loopback
  #accept: (params: URLSearchParams) => void = () => {}

  constructor(
    settings: OAuthSettings,
    options: CodeLoginOptions,
    secrets: LoginSecrets,
    listener: Loopback,
    url: string,
  ) {
    this.#settings = settings
    this.#options = options
    this.#secrets = secrets
    this.#listener = listener
    this.url = url
    const pasted = new Promise<URLSearchParams>((resolve) => {
      this.#accept = resolve
    })
    this.result = this.#run(pasted)
    // Whoever has given up does not listen any more.
    this.result.catch(() => {})
  }

  paste(text: string): void {
    const params = pastedParams(text)
    const { state } = this.#secrets
    const right = params !== undefined && (state === undefined || isState(params.get('state'), state))
    if (!right || !(params.has('code') || params.has('error'))) {
      throw new KeymuxError('invalid_value', 'that is not the address this login ends at', {
        hint: 'paste the whole address from the browser after logging in',
      })
    }
    this.#accept(params)
  }

  finish(page: PageText): Promise<void> {
    return this.#listener.finish(page)
  }

  close(): Promise<void> {
    return this.#listener.close()
  }

  async #run(pasted: Promise<URLSearchParams>): Promise<LoginYield> {
    const params = await this.#withinTime(Promise.race([this.#listener.answer, pasted]))
    const code = checkedCode(this.#settings, params, this.#secrets.state)
    if (this.#settings.yields === 'api_key') return this.#exchangeForKey(code)
    return { kind: 'tokens', grant: await this.#exchange(code) }
  }

  async #exchange(code: string): Promise<TokenGrant> {
    const { client, tokenEndpoint, body } = this.#settings
    const grant = await requestToken({
      endpoint: tokenEndpoint,
      client,
      body,
      fields: {
        grant_type: 'authorization_code',
        code,
        redirect_uri: this.#listener.redirectUri,
        code_verifier: this.#secrets.verifier,
      },
      signal: this.#options.signal,
      now: this.#options.now,
    }).catch((error: unknown) => {
      throw asLoginError(error)
    })
    checkIdToken(this.#settings, grant, this.#secrets.nonce)
    return grant
  }

  /** OpenRouter gives an API key for a code (https://openrouter.ai/docs/oauth). */
  async #exchangeForKey(code: string): Promise<LoginYield> {
    const answer = await sendOnce({
      method: 'POST',
      url: this.#settings.tokenEndpoint,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, code_verifier: this.#secrets.verifier, code_challenge_method: 'S256' }),
      signal: this.#options.signal,
    })
    const fields = readFields(answer)
    const { key, user_id: account } = isObject(fields) ? fields : {}
    if (answer.status !== 200 || typeof key !== 'string' || !/^[\x21-\x7e]{8,4096}$/.test(key)) {
      throw new KeymuxError(
        'login_failed',
        `${quote(this.#settings.provider)} gave no API key (status ${answer.status})`,
      )
    }
    return { kind: 'api_key', key, ...(typeof account === 'string' ? { account } : {}) }
  }

  #withinTime<T>(work: Promise<T>): Promise<T> {
    const { signal, timeLimitMs = TIME_LIMIT_MS } = this.#options
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal?.reason as Error)
      const timer = setTimeout(
        () =>
          reject(
            new KeymuxError(
              'login_expired',
              `nobody logged in within ${Math.round(timeLimitMs / 60_000)} min`,
              {
                hint: 'start the login again',
              },
            ),
          ),
        timeLimitMs,
      )
      signal?.addEventListener('abort', abort, { once: true })
      work.then(resolve, reject).finally(() => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      })
    })
  }
}

async function authorizationUrl(
  settings: OAuthSettings,
  { verifier, state, nonce }: LoginSecrets,
  redirectUri: string,
): Promise<string> {
  const url = new URL(settings.authorizationEndpoint ?? '')
  const challenge = await calculatePKCECodeChallenge(verifier)
  const fields: Record<string, string | undefined> =
    settings.yields === 'api_key'
      ? { callback_url: redirectUri, code_challenge: challenge, code_challenge_method: 'S256' }
      : {
          response_type: 'code',
          client_id: settings.client.id,
          redirect_uri: redirectUri,
          scope: settings.scopes.length === 0 ? undefined : settings.scopes.join(' '),
          state,
          nonce,
          code_challenge: challenge,
          code_challenge_method: 'S256',
          ...settings.authorizationFields,
        }
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) url.searchParams.set(name, value)
  return url.href
}

/** The code of an authorization response that is right in every respect. */
function checkedCode(settings: OAuthSettings, params: URLSearchParams, state: string | undefined): string {
  const error = params.get('error')
  if (state !== undefined) checkResponse(settings, params, state, error !== null)
  if (error !== null) throw authorizationError(error)
  const code = params.get('code')
  if (code === null || code === '' || code.length > LONGEST_PASTE)
    throw new KeymuxError('login_failed', 'the login ended without a code')
  return code
}

/** State and issuer (RFC 9207). An error's own words are left to the caller. */
function checkResponse(
  settings: OAuthSettings,
  params: URLSearchParams,
  state: string,
  isError: boolean,
): void {
  const iss = params.get('iss')
  const issuer = settings.issuer ?? (iss !== null && isOfOrigin(iss, settings) ? iss : 'urn:unknown')
  const server: AuthorizationServer = {
    issuer,
    authorization_response_iss_parameter_supported: settings.namesIssuer,
  }
  const checked = new URLSearchParams(params)
  if (isError) {
    checked.delete('error')
    checked.delete('error_description')
    checked.set('code', 'none')
  }
  try {
    validateAuthResponse(server, { client_id: settings.client.id }, checked, state)
  } catch {
    throw new KeymuxError('login_failed', 'the answer came from another authorization server', {
      hint: 'start again, and be wary: somebody may have mixed up two logins',
    })
  }
}

/** Without a configured issuer, one on the host of the authorization endpoint is believed. */
function isOfOrigin(iss: string, { authorizationEndpoint }: OAuthSettings): boolean {
  return URL.canParse(iss) && new URL(iss).origin === new URL(authorizationEndpoint ?? '').origin
}

function authorizationError(error: string): KeymuxError {
  if (error === 'access_denied') {
    return new KeymuxError('login_denied', 'the login was denied', { hint: 'nothing was changed' })
  }
  // A provider's words, or anybody's: a code is repeated, prose is not.
  const code = /^[a-z0-9_.-]{1,64}$/i.test(error) ? error : 'an error of its own'
  return new KeymuxError('login_failed', `the authorization server answered ${code}`, {
    hint:
      code === 'invalid_scope'
        ? 'check the configured scopes'
        : 'check the client id and its redirect address',
  })
}

/** The identity token must be about this login; times are not looked at, for clocks are wrong. */
function checkIdToken(settings: OAuthSettings, { idToken }: TokenGrant, nonce: string | undefined): void {
  if (idToken === undefined) return
  const { aud, iss, nonce: given } = claimsOf(idToken)
  const audience = Array.isArray(aud) ? aud : [aud]
  const wrong =
    (aud !== undefined && !audience.includes(settings.client.id)) ||
    (settings.issuer !== undefined && typeof iss === 'string' && !sameIssuer(iss, settings.issuer)) ||
    (nonce !== undefined && given !== undefined && given !== nonce)
  if (wrong) throw new KeymuxError('login_failed', 'the identity token belongs to another login')
}

function sameIssuer(a: string, b: string): boolean {
  return a.replace(/\/$/, '') === b.replace(/\/$/, '')
}

function pastedParams(text: string): URLSearchParams | undefined {
  const line = text.trim()
  if (line === '' || line.length > LONGEST_PASTE) return undefined
  if (URL.canParse(line)) return new URL(line).searchParams
  return line.includes('=') ? new URLSearchParams(line.replace(/^[?#]/, '')) : undefined
}

/** An exchange that failed is a login that failed; nothing was stored. */
export function asLoginError(error: unknown): unknown {
  if (!(error instanceof OAuthError) || error.code !== 'refresh_failed') return error
  return new OAuthError('login_failed', error.message, error.failure, {
    hint: error.hint ?? 'start the login again',
    cause: error,
  })
}
