import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName, quote } from '../domain/ids.js'
import type {
  BrowserLogin,
  DeviceLoginAttempt,
  LoginResult,
  Logins,
  LoginTarget,
  LogoutResult,
} from '../domain/logins.js'
import type { CallOptions } from '../domain/ports.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { CodeLogin } from '../oauth/code-flow.js'
import { startCodeLogin } from '../oauth/code-flow.js'
import { startDeviceLogin } from '../oauth/device-flow.js'
import type { OAuthSettings } from '../oauth/settings.js'
import { loginMetadataOf, refuseLogin, resolveSettings } from '../oauth/settings.js'
import { taken, withKnownClient } from './login-account.js'
import { refuseUnknownKey } from './login-keys.js'
import { connectedPage, failedPage } from './login-pages.js'
import { LoginStore } from './login-store.js'
import type { LoginsConfig } from './logins-config.js'
import { logOut } from './logout.js'

/**
 * Logs accounts in and out. What is stored is stored in one step at the end: a login that fails or is
 * interrupted leaves nothing behind, and one account never takes the place of another.
 */
export class LoginManager implements Logins {
  readonly #config: LoginsConfig
  readonly #store: LoginStore

  constructor(config: LoginsConfig) {
    this.#config = config
    const { profiles, secrets } = config
    this.#store = new LoginStore({ profiles, secrets, now: () => this.#now() })
  }

  prefersDevice(provider: string): boolean {
    const metadata = loginMetadataOf(this.#provider(provider))
    if (metadata === undefined) return false
    const { preferred, issuer, authorizationEndpoint, deviceAuthorizationEndpoint } = metadata
    const byBrowser = issuer ?? authorizationEndpoint
    return preferred === 'device' || (byBrowser === undefined && deviceAuthorizationEndpoint !== undefined)
  }

  asksForSecret(provider: string): boolean {
    return loginMetadataOf(this.#provider(provider))?.asksForSecret === true
  }

  async check(target: LoginTarget): Promise<void> {
    await this.prepare(target)
  }

  async prepare(target: LoginTarget): Promise<LoginTarget> {
    const provider = this.#provider(target.provider)
    const { name } = target
    const id = name === undefined ? undefined : newProfileId(provider.name, parseProfileName(name))
    const known = id === undefined ? undefined : await this.#config.profiles.get(id, target)
    const complete = withKnownClient(target, provider, known?.oauth)
    refuseLogin(provider, complete.clientId ?? provider.oauth?.clientId)
    if (known === undefined) return complete
    if (loginMetadataOf(provider)?.yields === 'api_key') refuseUnknownKey(known, target)
    else if (known.mode !== 'oauth') throw taken(known.id)
    return complete
  }

  async browser(wanted: LoginTarget): Promise<BrowserLogin> {
    const { settings, target } = await this.#prepared(wanted)
    const login = await startCodeLogin(settings, {
      now: () => this.#now(),
      hostId: this.#config.hostId,
      port: target.port,
      timeLimitMs: target.timeLimitMs,
      signal: target.signal,
    })
    return {
      url: login.url,
      paste: (text) => login.paste(text),
      complete: () => this.#completeInBrowser(login, settings, target),
      close: () => login.close(),
      [Symbol.asyncDispose]: () => login.close(),
    }
  }

  async device(wanted: LoginTarget): Promise<DeviceLoginAttempt> {
    const { settings, target } = await this.#prepared(wanted)
    const { sleep } = this.#config
    const { signal } = target
    const login = await startDeviceLogin(settings, {
      now: () => this.#now(),
      sleep,
      signal,
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
        return this.#store.store({ kind: 'tokens', grant, clientId: settings.client.id }, settings, target)
      },
    }
  }

  logout(id: string, options: CallOptions = {}): Promise<LogoutResult> {
    return logOut(this.#config, id, options)
  }

  async #completeInBrowser(
    login: CodeLogin,
    settings: OAuthSettings,
    target: LoginTarget,
  ): Promise<LoginResult> {
    try {
      const result = await this.#store.store(await login.result, settings, target)
      await login.finish(connectedPage(result, this.#provider(target.provider)))
      return result
    } catch (error) {
      await login.finish(failedPage(error))
      throw error
    }
  }

  async #prepared(wanted: LoginTarget): Promise<{ settings: OAuthSettings; target: LoginTarget }> {
    const target = await this.prepare(wanted)
    const provider = this.#provider(target.provider)
    const { clientId, scopes, signal } = target
    const clientSecret = target.clientSecret ?? (await this.#secretOf(target, provider))
    const { name } = target
    const profileId = name === undefined ? undefined : newProfileId(provider.name, parseProfileName(name))
    const way = this.#config.way({ provider: provider.name, profileId })
    return {
      target,
      settings: await resolveSettings(provider, { clientId, clientSecret, scopes, signal, way }),
    }
  }

  async #secretOf(target: LoginTarget, { oauth }: ProviderMetadata): Promise<string | undefined> {
    // The configured secret is the configured client's, and nobody else's business.
    const isConfigured = target.clientId === undefined || target.clientId === oauth?.clientId
    const reference = target.clientSecretRef ?? (isConfigured ? oauth?.clientSecretRef : undefined)
    return reference === undefined ? undefined : this.#config.readReference(reference, target.signal)
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
