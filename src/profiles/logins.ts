import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName, quote } from '../domain/ids.js'
import type { CallOptions, Clock } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential, OAuthToken } from '../domain/profile.js'
import { fromOAuthToken, isSameAccount } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { findAccount } from '../oauth/account.js'
import type { CodeLogin, LoginYield } from '../oauth/code-flow.js'
import { startCodeLogin } from '../oauth/code-flow.js'
import type { DeviceLogin } from '../oauth/device-flow.js'
import { startDeviceLogin } from '../oauth/device-flow.js'
import type { PageText } from '../oauth/page.js'
import type { ProviderRefresher } from '../oauth/refresher.js'
import { SECRET_REFERENCE, tokenOf } from '../oauth/refresher.js'
import { revoke } from '../oauth/revocation.js'
import type { OAuthSettings } from '../oauth/settings.js'
import { loginMetadataOf, refuseLogin, resolveSettings } from '../oauth/settings.js'
import type { Profiles } from './types.js'
import type { ProviderLookup } from './validate.js'

/** What logins work with. */
export interface LoginsConfig {
  readonly profiles: Profiles
  readonly providers: ProviderLookup
  readonly refresher: ProviderRefresher
  readonly readReference: (reference: string, signal?: AbortSignal) => Promise<string>
  readonly clock: Clock
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Keeps renewals of the profile away meanwhile. */
  readonly exclusively: <T>(profileId: string, waitMs: number, body: () => Promise<T>) => Promise<T>
}

/** Who logs in where. */
export interface LoginTarget extends CallOptions {
  readonly provider: string
  /** The profile's name. By default the e-mail address that comes back, else `default`. */
  readonly name?: string
  readonly clientId?: string
  /** Where the client's secret is kept: `vault://NAME`, `env://VAR`, `file:///path`. */
  readonly clientSecretRef?: string
  readonly scopes?: readonly string[]
  /** Port of the loopback listener. */
  readonly port?: number
  /** How long the person may take, in milliseconds. Default 5 minutes. */
  readonly timeLimitMs?: number
}

/** What a login left in the vault. */
export interface LoginResult {
  readonly profileId: string
  readonly email?: string
  /** Whether the profile was there before. */
  readonly renewed: boolean
}

/** A login in the browser: open its URL, wait for the result, close it. */
export interface BrowserLogin extends AsyncDisposable {
  readonly url: string
  /** @throws KeymuxError `invalid_value` */
  paste(text: string): void
  /** Waits for the person, then stores what came of it. Nothing is stored when this fails. */
  complete(): Promise<LoginResult>
  close(): Promise<void>
}

/** A login on another device: show the code, wait for the result. */
export interface DeviceLoginAttempt
  extends Pick<DeviceLogin, 'verificationUri' | 'verificationUriComplete' | 'userCode' | 'expiresInSeconds'> {
  complete(): Promise<LoginResult>
}

/** How a profile was logged out. */
export interface LogoutResult {
  readonly profileId: string
  /** Whether the provider confirmed that the tokens are void. */
  readonly revoked: boolean
}

/** How long a renewal under way may delay a logout, in milliseconds. */
const LOGOUT_WAIT_MS = 10_000

/**
 * Logs accounts in and out. What is stored is stored in one step at the end: a login that fails or is
 * interrupted leaves nothing behind, and one account never takes the place of another.
 */
export class Logins {
  readonly #config: LoginsConfig

  constructor(config: LoginsConfig) {
    this.#config = config
  }

  /** Whether logins at this provider go by device unless told otherwise. */
  prefersDevice(provider: string): boolean {
    return loginMetadataOf(this.#provider(provider))?.preferred === 'device'
  }

  /** Whether a client of one's own has a secret that must be known. */
  asksForSecret(provider: string): boolean {
    return loginMetadataOf(this.#provider(provider))?.asksForSecret === true
  }

  /**
   * Refuses what cannot succeed, before anybody is bothered.
   *
   * @throws KeymuxError `unknown_provider`, `unsupported_mode`, `usage`, `profile_exists`
   */
  async check(target: LoginTarget): Promise<void> {
    const provider = this.#provider(target.provider)
    refuseLogin(provider, target.clientId ?? provider.oauth?.clientId)
    if (target.name === undefined) return
    const id = newProfileId(provider.name, parseProfileName(target.name))
    const known = await this.#config.profiles.get(id, target)
    const mode = loginMetadataOf(provider)?.yields === 'api_key' ? 'api_key' : 'oauth'
    if (known !== undefined && known.mode !== mode) throw taken(id)
  }

  /** Starts a login in the browser. @throws as {@link Logins.check}, and `login_failed`, `provider_unreachable` */
  async browser(target: LoginTarget): Promise<BrowserLogin> {
    const settings = await this.#settings(target)
    const login = await startCodeLogin(settings, {
      now: () => this.#now(),
      ...(target.port === undefined ? {} : { port: target.port }),
      ...(target.timeLimitMs === undefined ? {} : { timeLimitMs: target.timeLimitMs }),
      ...(target.signal === undefined ? {} : { signal: target.signal }),
    })
    return {
      url: login.url,
      paste: (text) => login.paste(text),
      complete: () => this.#completeInBrowser(login, settings, target),
      close: () => login.close(),
      [Symbol.asyncDispose]: () => login.close(),
    }
  }

  /** Starts a login on another device. */
  async device(target: LoginTarget): Promise<DeviceLoginAttempt> {
    const settings = await this.#settings(target)
    const { sleep } = this.#config
    const { signal } = target
    const login = await startDeviceLogin(settings, {
      now: () => this.#now(),
      sleep,
      ...(signal === undefined ? {} : { signal }),
    })
    return {
      verificationUri: login.verificationUri,
      ...(login.verificationUriComplete === undefined
        ? {}
        : { verificationUriComplete: login.verificationUriComplete }),
      userCode: login.userCode,
      expiresInSeconds: login.expiresInSeconds,
      complete: async () => {
        const grant = await login.poll()
        return this.#store({ kind: 'tokens', grant }, settings, target)
      },
    }
  }

  /**
   * Asks the provider to void the tokens (best effort, 10 s), then drops them. The profile stays, and says that
   * it needs a login.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  async logout(id: string, options: CallOptions = {}): Promise<LogoutResult> {
    const { profiles, exclusively } = this.#config
    await this.#mustHaveLogin(id, options)
    return exclusively(id, LOGOUT_WAIT_MS, async () => {
      const { oauth } = await this.#mustHaveLogin(id, options)
      const revoked = await this.#revoke(oauth, options)
      await profiles.change(id, (known) => loggedOut(id, known))
      return { profileId: id, revoked }
    })
  }

  async #revoke(oauth: OAuthCredential, { signal }: CallOptions): Promise<boolean> {
    if (oauth.accessToken === '' && oauth.refreshToken === '') return false
    try {
      const settings = await this.#config.refresher.settings(oauth.provider, {
        ...(oauth.clientId === undefined ? {} : { clientId: oauth.clientId }),
        ...(oauth.metadata === undefined ? {} : { metadata: oauth.metadata }),
        ...(signal === undefined ? {} : { signal }),
      })
      return await revoke(settings, oauth, signal)
    } catch {
      signal?.throwIfAborted()
      return false
    }
  }

  async #mustHaveLogin(id: string, options: CallOptions): Promise<{ oauth: OAuthCredential }> {
    const profile = await this.#config.profiles.get(id, options)
    if (profile === undefined)
      throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
        hint: 'see keymux list',
      })
    if (profile.mode !== 'oauth')
      throw new KeymuxError('unsupported_mode', `${id} holds no OAuth login`, {
        hint: `use keymux remove ${id}`,
      })
    const empty = { provider: profile.provider, profileName: profile.name, accessToken: '', refreshToken: '' }
    return {
      oauth: profile.oauth === undefined ? { ...empty, expiresAt: new Date(0) } : { ...profile.oauth },
    }
  }

  async #completeInBrowser(
    login: CodeLogin,
    settings: OAuthSettings,
    target: LoginTarget,
  ): Promise<LoginResult> {
    try {
      const result = await this.#store(await login.result, settings, target)
      await login.finish(connectedPage(result, this.#provider(target.provider)))
      return result
    } catch (error) {
      await login.finish(failedPage(error))
      throw error
    }
  }

  async #store(outcome: LoginYield, settings: OAuthSettings, target: LoginTarget): Promise<LoginResult> {
    target.signal?.throwIfAborted()
    if (outcome.kind === 'api_key') return this.#storeKey(outcome.key, outcome.account, target)
    const issuedAt = this.#now()
    const account = await findAccount(settings, outcome.grant, target.signal)
    target.signal?.throwIfAborted()
    const token = tokenOf(settings.provider, outcome.grant, issuedAt, account)
    const { name, explicit } = await this.#nameFor(token, target)
    const reference = target.clientSecretRef
    const metadata = {
      ...token.metadata,
      ...(reference === undefined ? {} : { [SECRET_REFERENCE]: reference }),
    }
    const oauth: OAuthCredential = {
      ...fromOAuthToken(token, name),
      clientId: settings.client.id,
      scopes: token.scopes ?? settings.scopes,
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    }
    const id = newProfileId(settings.provider, name)
    let renewed = false
    await this.#config.profiles.change(id, (known) => {
      renewed = known !== undefined
      if (known !== undefined) refuseOther(known, oauth, explicit)
      const kept = known?.oauth?.email === undefined ? {} : { email: known.oauth.email }
      return { ...(known ?? this.#blank(settings.provider, name, 'oauth')), oauth: { ...kept, ...oauth } }
    })
    return { profileId: id, renewed, ...(token.email === undefined ? {} : { email: token.email }) }
  }

  async #storeKey(key: string, account: string | undefined, target: LoginTarget): Promise<LoginResult> {
    const provider = this.#provider(target.provider).name
    const name = target.name ?? 'default'
    const id = newProfileId(provider, name)
    let renewed = false
    await this.#config.profiles.change(id, (known) => {
      renewed = known !== undefined
      if (
        known !== undefined &&
        (known.mode !== 'api_key' || account === undefined || known.account !== account)
      )
        throw taken(id)
      const { oauth: _none, token: _neither, ...base } = known ?? this.#blank(provider, name, 'api_key')
      return { ...base, apiKey: { key }, ...(account === undefined ? {} : { account }) }
    })
    return { profileId: id, renewed }
  }

  /** The name a login is kept under: the one wanted, that of the account's profile, its e-mail, `default`. */
  async #nameFor(token: OAuthToken, target: LoginTarget): Promise<{ name: string; explicit: boolean }> {
    if (target.name !== undefined) return { name: parseProfileName(target.name), explicit: true }
    for (const { provider, mode, name, oauth } of await this.#config.profiles.list()) {
      if (provider !== token.provider || mode !== 'oauth' || oauth === undefined) continue
      if (isKnownAccount(oauth, token)) return { name, explicit: true }
    }
    const { email } = token
    try {
      if (email !== undefined) return { name: parseProfileName(email), explicit: false }
    } catch {
      // An address that cannot be a name.
    }
    return { name: 'default', explicit: false }
  }

  #blank(provider: string, name: string, mode: 'oauth' | 'api_key'): AuthProfile {
    const now = this.#now()
    const id = newProfileId(provider, name)
    return { id, provider, name, mode, priority: 0, enabled: true, createdAt: now, updatedAt: now }
  }

  async #settings(target: LoginTarget): Promise<OAuthSettings> {
    await this.check(target)
    const provider = this.#provider(target.provider)
    const reference = target.clientSecretRef ?? provider.oauth?.clientSecretRef
    const clientSecret =
      reference === undefined ? undefined : await this.#config.readReference(reference, target.signal)
    return resolveSettings(provider, {
      clientId: target.clientId,
      clientSecret,
      scopes: target.scopes,
      signal: target.signal,
    })
  }

  #provider(name: string): ProviderMetadata {
    const provider = this.#config.providers.get(name)
    if (provider !== undefined) return provider
    throw new KeymuxError('unknown_provider', `there is no provider ${quote(name)}`, {
      hint: 'see keymux providers, or declare it with keymux providers add FILE',
    })
  }

  #now(): Date {
    return new Date(Number(this.#config.clock.now()))
  }
}

/** Whether both name the same account, not merely no different one. */
function isKnownAccount(oauth: OAuthCredential, token: OAuthToken): boolean {
  const named = oauth.metadata?.subject !== undefined && token.metadata?.subject !== undefined
  const mailed = oauth.email !== undefined && token.email !== undefined
  return (named || mailed) && isSameAccount(oauth, token)
}

/** @throws KeymuxError `profile_exists`, `conflict` */
function refuseOther(known: AuthProfile, fresh: OAuthCredential, explicit: boolean): void {
  if (known.mode !== 'oauth') throw taken(known.id)
  const { oauth } = known
  if (oauth === undefined) return
  if (!isSameAccount(oauth, fresh)) {
    throw new KeymuxError('conflict', `${known.id} is the login of another account`, {
      hint: 'nothing was changed; keep both with --name NAME',
    })
  }
  // Nothing tells whether they are the same: overwriting a working login takes an explicit name.
  if (!explicit && oauth.loginNeeded !== true && !isKnownAccount(oauth, fresh)) throw taken(known.id)
}

function loggedOut(id: string, known: AuthProfile | undefined): AuthProfile {
  if (known === undefined) throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`)
  // Whose login it was stays, so that the next one can be told to be the same account's.
  const { email, clientId, scopes, metadata } = known.oauth ?? {}
  return {
    ...known,
    oauth: withoutUndefined({
      provider: known.provider,
      profileName: known.name,
      accessToken: '',
      refreshToken: '',
      expiresAt: new Date(0),
      loginNeeded: true,
      email,
      clientId,
      scopes,
      metadata,
    }),
  }
}

function taken(id: string): KeymuxError {
  return new KeymuxError('profile_exists', `${id} exists already`, {
    hint: 'choose another name with --name NAME',
  })
}

function connectedPage({ profileId, email, renewed }: LoginResult, { label }: ProviderMetadata): PageText {
  const who = email === undefined ? `Your ${label} account` : email
  return {
    good: true,
    title: `${label} is connected`,
    lines: [
      `${who} is ${renewed ? 'connected again' : 'now connected'} to the profile ${profileId}.`,
      'You can close this page and go back to the terminal.',
    ],
  }
}

function failedPage(error: unknown): PageText {
  return {
    good: false,
    title: 'The login did not work',
    lines: [
      error instanceof KeymuxError ? `${error.message}.` : 'Something unexpected happened.',
      'Nothing was changed. The terminal tells more.',
    ],
  }
}
