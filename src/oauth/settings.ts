import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { ClientRegistration, DeviceDialect, LoginMetadata } from '../domain/login-metadata.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { Discovered } from './discovery.js'
import { discover } from './discovery.js'
import type { Way } from './http.js'
import type { OAuthClient } from './token-endpoint.js'

/** Everything about logins at one provider with one client: endpoints known, nothing left to look up. */
export interface OAuthSettings {
  readonly provider: string
  readonly issuer?: string
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint: string
  readonly deviceAuthorizationEndpoint?: string
  readonly revocationEndpoint?: string
  readonly accountEndpoint?: string
  readonly client: OAuthClient
  readonly scopes: readonly string[]
  readonly body: 'form' | 'json'
  /** Where the browser is sent back to, when the provider insists on a certain place. */
  readonly redirectUri?: string
  /** The authorization response must name its issuer (RFC 9207). */
  readonly namesIssuer: boolean
  readonly authorizationFields: Readonly<Record<string, string>>
  readonly tokenFields: Readonly<Record<string, string>>
  readonly callbackPath?: string
  readonly neededScope?: string
  /** How the first login of all registers a client; the client's id is the entry then. */
  readonly registration?: ClientRegistration
  readonly yields: 'tokens' | 'api_key'
  /** Where a person deletes keys that logins yielded. */
  readonly keyPage?: string
  readonly preferred: 'code' | 'device'
  readonly device: DeviceDialect
  /** The way out for requests about this login. Straight there by default. */
  readonly way?: Way
}

/** The client that asks, where it is not the provider's configured one. */
export interface ClientChoice {
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly way?: Way | undefined
  readonly signal?: AbortSignal | undefined
}

/** What is known of logins at a provider, without asking anybody. */
export function loginMetadataOf(provider: ProviderMetadata): LoginMetadata | undefined {
  const { oauth, login } = provider
  if (oauth === undefined) return login
  const {
    clientId: _client,
    clientSecretRef: _secret,
    tokenRequest: _body,
    redirectUri: _uri,
    ...places
  } = oauth
  return { ...login, ...places, status: 'configured', note: 'as its declaration says' }
}

/**
 * What is known of logins at a provider, or a refusal where one is not possible or not allowed.
 *
 * @throws KeymuxError `unsupported_mode`, `usage`
 */
export function refuseLogin(provider: ProviderMetadata, clientId: string | undefined): LoginMetadata {
  const metadata = loginMetadataOf(provider)
  const name = quote(provider.name)
  if (metadata === undefined) {
    throw new KeymuxError('unsupported_mode', `keymux knows no OAuth login of ${name}`, {
      hint: 'use an API key, or declare a provider with oauth: see keymux providers',
    })
  }
  const { status, note } = metadata
  if (status === 'discontinued') {
    throw new KeymuxError('unsupported_mode', `there are no OAuth logins at ${name} any more`, { hint: note })
  }
  if (status === 'first-party-only' && (clientId === undefined || metadata.tokenEndpoint === undefined)) {
    throw new KeymuxError('unsupported_mode', `OAuth logins at ${name} are not open to other programs`, {
      hint: note,
    })
  }
  if (status === 'own-client' && clientId === undefined) {
    throw new KeymuxError('usage', `a login at ${name} needs an OAuth client of your own: --client-id`, {
      hint: note,
    })
  }
  return metadata
}

/**
 * The settings of a provider, with what its issuer says of itself looked up where endpoints are missing.
 *
 * @throws KeymuxError `unsupported_mode`, `provider_unreachable`, `invalid_provider`
 */
export async function resolveSettings(
  provider: ProviderMetadata,
  choice: ClientChoice,
): Promise<OAuthSettings> {
  const metadata = loginMetadataOf(provider) ?? refuseLogin(provider, choice.clientId)
  const { oauth } = provider
  const found = await discovered(provider, metadata, choice)
  const tokenEndpoint = metadata.tokenEndpoint ?? found.tokenEndpoint
  if (tokenEndpoint === undefined) {
    throw new KeymuxError(
      'invalid_provider',
      `the issuer of ${quote(provider.name)} names no token endpoint`,
      {
        hint: 'configure token_endpoint',
      },
    )
  }
  const { registration } = metadata
  const id = choice.clientId ?? oauth?.clientId ?? registration?.entry ?? ''
  const client = withoutUndefined({
    id,
    secret: choice.clientSecret,
    secretIn: found.wantsBasic === true ? ('header' as const) : undefined,
  })
  return withoutUndefined({
    provider: provider.name,
    issuer: metadata.issuer,
    authorizationEndpoint: metadata.authorizationEndpoint ?? found.authorizationEndpoint,
    tokenEndpoint,
    deviceAuthorizationEndpoint: metadata.deviceAuthorizationEndpoint ?? found.deviceAuthorizationEndpoint,
    revocationEndpoint: metadata.revocationEndpoint ?? found.revocationEndpoint,
    accountEndpoint: metadata.accountEndpoint ?? found.accountEndpoint,
    client,
    scopes: choice.scopes ?? metadata.scopes ?? provider.scopes ?? [],
    body: oauth?.tokenRequest ?? ('form' as const),
    redirectUri: oauth?.redirectUri,
    namesIssuer: found.namesIssuer ?? false,
    authorizationFields: metadata.authorizationFields ?? {},
    tokenFields: metadata.tokenFields ?? {},
    callbackPath: metadata.callbackPath,
    neededScope: metadata.neededScope,
    registration,
    yields: metadata.yields ?? ('tokens' as const),
    keyPage: metadata.keyPage,
    preferred: metadata.preferred ?? ('code' as const),
    device: metadata.device ?? {},
    way: choice.way,
  })
}

/**
 * What the issuer says where something is missing. It must answer where there is no way without; of a declared
 * provider it is asked for the rest too, and not missed when it does not answer.
 *
 * @throws KeymuxError `provider_unreachable`, `invalid_provider`
 */
async function discovered(
  provider: ProviderMetadata,
  metadata: LoginMetadata,
  { signal, way }: ClientChoice,
): Promise<Discovered> {
  const { issuer, tokenEndpoint, authorizationEndpoint, deviceAuthorizationEndpoint } = metadata
  if (issuer === undefined) return {}
  if (tokenEndpoint === undefined || authorizationEndpoint === undefined)
    return discover(issuer, signal, { way })
  const rest = [deviceAuthorizationEndpoint, metadata.revocationEndpoint]
  if (provider.oauth === undefined || !rest.includes(undefined)) return {}
  return discover(issuer, signal, { way }).catch(() => {
    signal?.throwIfAborted()
    return {}
  })
}
