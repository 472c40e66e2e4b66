import { generateRandomCodeVerifier, generateRandomNonce, generateRandomState } from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { LoginSecrets } from './authorization-request.js'
import { authorizationUrl } from './authorization-request.js'
import { checkedCode, pastedParams } from './authorization-response.js'
import { asLoginError } from './errors.js'
import { checkIdToken } from './id-token.js'
import { checkScope, clientOf } from './issued-client.js'
import type { KeyYield } from './key-exchange.js'
import { exchangeForKey } from './key-exchange.js'
import type { Loopback } from './loopback.js'
import { isState, listenOnLoopback } from './loopback.js'
import type { PageText } from './page.js'
import type { OAuthSettings } from './settings.js'
import { withinTime } from './time-limit.js'
import type { TokenGrant } from './token-answer.js'
import { requestToken } from './token-endpoint.js'

/** Options of {@link startCodeLogin}. */
export interface CodeLoginOptions {
  /** Port of the listener; a free one by default. */
  readonly port?: number | undefined
  readonly now: () => Date
  /** Names the place keymux runs at, for providers that ask for it. */
  readonly hostId?: string | undefined
  /** How long the person may take, in milliseconds. Default 5 minutes. */
  readonly timeLimitMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a login yields. */
export type LoginYield = TokenYield | KeyYield

/** Tokens, and the client they were given to. */
export interface TokenYield {
  readonly kind: 'tokens'
  readonly grant: TokenGrant
  readonly clientId: string
}

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
    ...(settings.callbackPath === undefined ? {} : { path: settings.callbackPath }),
    ...(settings.redirectUri === undefined ? {} : { redirectUri: settings.redirectUri }),
  })
  try {
    const url = await authorizationUrl(settings, secrets, listener.redirectUri, options.hostId)
    return new RunningLogin(settings, options, secrets, listener, url)
  } catch (error) {
    await listener.close()
    throw error
  }
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
    if (params === undefined || !this.#isOwn(text, params) || !(params.has('code') || params.has('error'))) {
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

  /** Told by its state; without one by the whole address, whose path nobody else knows. */
  #isOwn(text: string, params: URLSearchParams): boolean {
    const { state } = this.#secrets
    if (state !== undefined) return isState(params.get('state'), state)
    const line = text.trim()
    if (!URL.canParse(line)) return false
    const { origin, pathname } = new URL(line)
    return `${origin}${pathname}` === this.#listener.redirectUri
  }

  async #run(pasted: Promise<URLSearchParams>): Promise<LoginYield> {
    const { signal, timeLimitMs = TIME_LIMIT_MS } = this.#options
    const params = await withinTime(Promise.race([this.#listener.answer, pasted]), timeLimitMs, signal)
    const { state, verifier } = this.#secrets
    const code = checkedCode(this.#settings, params, state)
    if (this.#settings.yields === 'api_key') return exchangeForKey(this.#settings, code, verifier, signal)
    const settings = withClient(this.#settings, clientOf(this.#settings, params))
    return { kind: 'tokens', grant: await this.#exchange(settings, code), clientId: settings.client.id }
  }

  async #exchange(settings: OAuthSettings, code: string): Promise<TokenGrant> {
    const { client, tokenEndpoint, body, tokenFields, way } = settings
    const grant = await requestToken({
      endpoint: tokenEndpoint,
      client,
      body,
      fields: {
        ...tokenFields,
        grant_type: 'authorization_code',
        code,
        redirect_uri: this.#listener.redirectUri,
        code_verifier: this.#secrets.verifier,
      },
      signal: this.#options.signal,
      way,
      now: this.#options.now,
    }).catch((error: unknown) => {
      throw asLoginError(error)
    })
    checkIdToken(settings, grant, this.#secrets.nonce)
    checkScope(settings, grant)
    return grant
  }
}

function withClient(settings: OAuthSettings, id: string): OAuthSettings {
  return { ...settings, client: { ...settings.client, id } }
}
