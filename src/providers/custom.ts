import { withoutUndefined } from '../domain/defined.js'
import type { ProviderFailureRule } from '../domain/failure-rule.js'
import type { ProviderMetadata, ProviderOAuthConfig } from '../domain/provider.js'
import { ruleToJson } from '../rules/read.js'
import { type ProviderKey, readProvider } from './declaration.js'
import { Place } from './place.js'

/** What a custom provider may say of itself in the config or a file. */
const CUSTOM_KEYS = [
  'label',
  'baseUrl',
  'auth',
  'modes',
  'envKey',
  'baseUrlEnv',
  'family',
  'failureRules',
  'check',
  'health',
  'proxy',
  'oauth',
  'failureFamily',
  'headers',
  'keyless',
  'apiPrefix',
  'apiPaths',
  'compatiblePath',
  'realtime',
  'unpaid',
  'docs',
  'aliases',
  'ownBaseUrls',
  'envAliases',
  'directEnvKeys',
  'tokenEnvKey',
  'tokenEnvKeys',
  'tokenHeaders',
  'baseUrlAliases',
  'relatedEnv',
] as const satisfies readonly ProviderKey[]

/**
 * Reads a custom provider as config and `providers add` write it, with what a built-in one can say:
 * `{label, base_url, auth, modes, env_key, base_url_env?, family?, failure_family?, failure_rules?, check?, health?, proxy?, oauth?, …}`.
 *
 * `base_url` alone is required. By default the label is the name, `auth` is `bearer`, `modes` is
 * `[api_key]` (and `oauth` where OAuth is configured), `env_key` is `NAME_API_KEY`, `family` is `openai`.
 *
 * @param where names a setting of it for messages
 * @throws KeymuxError `invalid_provider`, naming the key and what was expected there
 */
export function parseCustomProvider(
  name: string,
  value: unknown,
  where?: (...path: readonly (string | number)[]) => string,
): ProviderMetadata {
  const { failureRules, ...provider } = readProvider(name, value, 'snake', CUSTOM_KEYS)
  if (provider.baseUrl === undefined) {
    throw new Place(provider.name, 'snake').child('baseUrl').fail('given', 'base_url: https://HOST/PATH')
  }
  return {
    ...provider,
    ...(failureRules === undefined ? {} : { failureRules: placed(failureRules, where) }),
    description: 'Custom provider',
    auth: provider.auth ?? 'bearer',
    family: provider.family ?? 'openai',
    envKey: provider.envKey ?? defaultEnvKey(provider.name),
  }
}

function placed(
  rules: readonly ProviderFailureRule[],
  where: ((...path: readonly (string | number)[]) => string) | undefined,
): readonly ProviderFailureRule[] {
  if (where === undefined) return rules
  return rules.map((rule, index) => ({ ...rule, where: where('failure_rules', index) }))
}

/** The declaration that {@link parseCustomProvider} reads back into the same provider. */
export function customProviderToJson(provider: ProviderMetadata): Record<string, unknown> {
  const { check, oauth, failureRules, ...rest } = provider
  const spell = new Place(provider.name, 'snake')
  return withoutUndefined({
    ...Object.fromEntries(
      CUSTOM_KEYS.flatMap((key) =>
        key === 'check' || key === 'oauth' || key === 'failureRules'
          ? []
          : [[spell.spell(key), plain(rest[key])]],
      ),
    ),
    failure_rules: failureRules?.map(ruleToJson),
    check: check === undefined ? undefined : { ...check },
    oauth: oauth === undefined ? undefined : oauthToJson(oauth),
  })
}

/** A copy that is not frozen. */
function plain(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value
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
