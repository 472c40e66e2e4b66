import type { EgressOwner } from '../domain/egress.js'
import { KeymuxError } from '../domain/errors.js'
import type { OAuthTokenRefresher, RefreshOptions } from '../domain/ports.js'
import type { OAuthToken } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { accountOfToken } from './account.js'
import { OAuthError } from './errors.js'
import type { Way } from './http.js'
import { renewalObstacle } from './renewable.js'
import type { OAuthSettings } from './settings.js'
import { resolveSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'
import { requestToken } from './token-endpoint.js'

/** What a refresher works with. */
export interface RefresherConfig {
  readonly provider: (name: string) => ProviderMetadata | undefined
  /** Reads a client's secret from where it is kept. */
  readonly readReference: (reference: string, signal?: AbortSignal) => Promise<string>
  readonly now: () => Date
  /** The way out for requests about a login. Straight there by default. */
  readonly way?: ((owner: EgressOwner) => Way) | undefined
}

/** A token whose server does not say how long it lives is taken to live this long, in milliseconds. */
const UNKNOWN_LIFETIME_MS = 3_600_000
/** GitHub's tokens live until they are revoked, and cannot be renewed. */
const FOREVER = new Date('9999-12-31T23:59:59Z')

/** Renews logins at any provider that is known or configured. */
export class ProviderRefresher implements OAuthTokenRefresher {
  readonly #config: RefresherConfig
  /** What issuers said of themselves is asked once, and again when a provider is declared anew. */
  readonly #settings = new WeakMap<ProviderMetadata, Promise<OAuthSettings>>()

  constructor(config: RefresherConfig) {
    this.#config = config
  }

  /** @throws OAuthError; KeymuxError `refresh_failed`, `invalid_provider`, `reference_unresolved` */
  async refreshToken(name: string, refreshToken: string, options: RefreshOptions = {}): Promise<OAuthToken> {
    const settings = await this.#prepared(name, options)
    const issuedAt = this.#config.now()
    const grant = await requestToken({
      endpoint: settings.tokenEndpoint,
      client: settings.client,
      body: settings.body,
      fields: { ...settings.tokenFields, grant_type: 'refresh_token', refresh_token: refreshToken },
      signal: options.signal,
      way: settings.way,
      now: this.#config.now,
    })
    return tokenOf(name, grant, issuedAt, accountOfToken(grant.idToken))
  }

  /** The settings of a login that exists. Nothing has been sent to the token endpoint when this fails. */
  async #prepared(name: string, options: RefreshOptions): Promise<OAuthSettings> {
    try {
      return await this.settings(name, options)
    } catch (error) {
      if (error instanceof OAuthError) throw notSent(error)
      const code = error instanceof KeymuxError ? error.code : 'internal_error'
      throw new OAuthError(
        'refresh_failed',
        error instanceof KeymuxError ? error.message : `logins of ${name} cannot be prepared`,
        { reason: 'auth_permanent', delivery: 'not_sent', serverCode: code },
        {
          hint: error instanceof KeymuxError && error.hint !== undefined ? error.hint : 'check its settings',
          cause: error,
        },
      )
    }
  }

  /** The settings for the client that a login was made with. */
  async settings(name: string, options: RefreshOptions): Promise<OAuthSettings> {
    const provider = this.#config.provider(name)
    if (provider === undefined) {
      throw new KeymuxError('unknown_provider', `there is no provider "${name}" any more`, {
        hint: 'declare it again with keymux providers add FILE',
      })
    }
    const obstacle = renewalObstacle(name, provider, options.clientId)
    if (obstacle !== undefined) {
      const hint = obstacle.hint === undefined ? {} : { hint: obstacle.hint }
      throw new KeymuxError('invalid_provider', obstacle.problem, hint)
    }
    const { oauth } = provider
    // The configured secret is the configured client's, and nobody else's business.
    const isConfigured = options.clientId === undefined || options.clientId === oauth?.clientId
    const reference = options.clientSecretRef ?? (isConfigured ? oauth?.clientSecretRef : undefined)
    const clientSecret =
      reference === undefined ? undefined : await this.#config.readReference(reference, options.signal)
    const way = this.#config.way?.({ provider: name, profileId: options.profileId })
    const known = await this.#known(provider, way)
    const id = options.clientId ?? known.client.id
    return withWay(way, {
      ...known,
      client: {
        id,
        ...(clientSecret === undefined ? {} : { secret: clientSecret }),
        ...(known.client.secretIn === undefined ? {} : { secretIn: known.client.secretIn }),
      },
    })
  }

  #known(provider: ProviderMetadata, way: Way | undefined): Promise<OAuthSettings> {
    let settings = this.#settings.get(provider)
    if (settings === undefined) {
      settings = resolveSettings(provider, { way })
      this.#settings.set(provider, settings)
      settings.catch(() => this.#settings.delete(provider))
    }
    return settings
  }
}

/** A grant as the rest of keymux speaks of it. */
export function tokenOf(
  provider: string,
  grant: TokenGrant,
  issuedAt: Date,
  account: { readonly subject?: string; readonly email?: string },
): OAuthToken {
  const unknown =
    grant.refreshToken === undefined ? FOREVER : new Date(issuedAt.getTime() + UNKNOWN_LIFETIME_MS)
  return {
    provider,
    accessToken: grant.accessToken,
    expiresAt: grant.expiresAt ?? unknown,
    issuedAt,
    ...(grant.refreshToken === undefined ? {} : { refreshToken: grant.refreshToken }),
    ...(grant.scopes === undefined ? {} : { scopes: grant.scopes }),
    ...(account.email === undefined ? {} : { email: account.email }),
    ...(account.subject === undefined ? {} : { metadata: { subject: account.subject } }),
  }
}

/** What issuers say is asked for once, and each login has a way of its own. */
function withWay(way: Way | undefined, { way: _asked, ...settings }: OAuthSettings): OAuthSettings {
  return way === undefined ? settings : { ...settings, way }
}

/** Whatever became of the lookup, the refresh token has not been spent. */
function notSent(error: OAuthError): OAuthError {
  return new OAuthError(
    error.code,
    error.message,
    { ...error.failure, delivery: 'not_sent' },
    { cause: error },
  )
}
