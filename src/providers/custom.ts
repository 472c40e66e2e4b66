import { withoutUndefined } from '../domain/defined.js'
import type { ProviderMetadata, ProviderOAuthConfig } from '../domain/provider.js'
import { type ProviderKey, readProvider } from './declaration.js'
import { Place } from './place.js'

/** What a custom provider may say of itself in the config or a file. */
const CUSTOM_KEYS: readonly ProviderKey[] = [
  'label',
  'baseUrl',
  'auth',
  'modes',
  'envKey',
  'baseUrlEnv',
  'family',
  'check',
  'proxy',
  'oauth',
]

/**
 * Reads a custom provider as config and `providers add` write it:
 * `{label, base_url, auth, modes, env_key, base_url_env?, family?, check?, proxy?, oauth?}`.
 *
 * `base_url` alone is required. By default the label is the name, `auth` is `bearer`, `modes` is
 * `[api_key]` (and `oauth` where OAuth is configured), `env_key` is `NAME_API_KEY`, `family` is `openai`.
 *
 * @throws KeymuxError `invalid_provider`, naming the key and what was expected there
 */
export function parseCustomProvider(name: string, value: unknown): ProviderMetadata {
  const provider = readProvider(name, value, 'snake', CUSTOM_KEYS)
  if (provider.baseUrl === undefined) {
    throw new Place(provider.name, 'snake').child('baseUrl').fail('given', 'base_url: https://HOST/PATH')
  }
  return {
    ...provider,
    description: 'Custom provider',
    auth: provider.auth ?? 'bearer',
    family: provider.family ?? 'openai',
    envKey: provider.envKey ?? defaultEnvKey(provider.name),
  }
}

/** The declaration that {@link parseCustomProvider} reads back into the same provider. */
export function customProviderToJson(provider: ProviderMetadata): Record<string, unknown> {
  return withoutUndefined({
    label: provider.label,
    base_url: provider.baseUrl,
    auth: provider.auth,
    modes: [...provider.modes],
    env_key: provider.envKey,
    base_url_env: provider.baseUrlEnv,
    family: provider.family,
    check: provider.check === undefined ? undefined : { ...provider.check },
    proxy: provider.proxy,
    oauth: provider.oauth === undefined ? undefined : oauthToJson(provider.oauth),
  })
}

function oauthToJson(oauth: ProviderOAuthConfig): Record<string, unknown> {
  return withoutUndefined({
    issuer: oauth.issuer,
    authorization_endpoint: oauth.authorizationEndpoint,
    token_endpoint: oauth.tokenEndpoint,
    device_authorization_endpoint: oauth.deviceAuthorizationEndpoint,
    revocation_endpoint: oauth.revocationEndpoint,
    client_id: oauth.clientId,
    client_secret_ref: oauth.clientSecretRef,
    scopes: oauth.scopes === undefined ? undefined : [...oauth.scopes],
    token_request: oauth.tokenRequest,
    redirect_uri: oauth.redirectUri,
  })
}

function defaultEnvKey(name: string): string {
  const stem = name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
  return `${/^\d/.test(stem) ? '_' : ''}${stem}_API_KEY`
}
