import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { parseProviderName, quote } from '../domain/ids.js'
import type { ProviderMetadata, ProviderOAuthConfig } from '../domain/provider.js'
import { failureRules } from './failure-rules.js'
import * as field from './fields.js'
import * as api from './fields-api.js'
import { login } from './fields-login.js'
import { Place, type Read, type Spelling } from './place.js'
import { parseSecureUrl } from './url.js'

/** The keys of {@link ProviderMetadata} that a declaration may hold, apart from its name. */
export type ProviderKey = Exclude<keyof ProviderMetadata, 'name'>

/** All of them. */
export const PROVIDER_KEYS: readonly ProviderKey[] = [
  'label',
  'description',
  'modes',
  'envKey',
  'website',
  'scopes',
  'oauthEndpoint',
  'parentProvider',
  'baseUrl',
  'auth',
  'headers',
  'family',
  'failureRules',
  'failureFamily',
  'docs',
  'aliases',
  'keyless',
  'baseUrlExample',
  'apiPrefix',
  'apiPaths',
  'compatiblePath',
  'realtime',
  'unpaid',
  'envAliases',
  'directEnvKeys',
  'tokenEnvKey',
  'tokenEnvKeys',
  'tokenHeaders',
  'ownBaseUrls',
  'baseUrlEnv',
  'baseUrlAliases',
  'relatedEnv',
  'check',
  'health',
  'proxy',
  'login',
  'oauth',
  'suggestedNames',
]

const OAUTH_KEYS = [
  'issuer',
  'authorizationEndpoint',
  'tokenEndpoint',
  'deviceAuthorizationEndpoint',
  'revocationEndpoint',
  'clientId',
  'clientSecretRef',
  'scopes',
  'tokenRequest',
  'redirectUri',
] as const

/**
 * Checks a provider's declaration and brings it into one form: the name and header names in lower case,
 * the base URL without trailing slash. What it leaves out: the label is the name, the mode is API key
 * (and OAuth where OAuth is configured).
 *
 * @throws KeymuxError `invalid_provider`, naming the key and what was expected there
 */
export function readProvider(
  name: string,
  value: unknown,
  spelling: Spelling,
  keys: readonly ProviderKey[] = PROVIDER_KEYS,
): ProviderMetadata {
  const provider = readName(name)
  const fields = new Place(provider, spelling).object(value, keys)
  const label = fields.optional('label', field.text) ?? provider
  return withoutUndefined({
    name: provider,
    label,
    description: fields.optional('description', field.text) ?? label,
    modes:
      fields.optional('modes', field.modes) ?? (fields.has('oauth') ? ['api_key', 'oauth'] : ['api_key']),
    envKey: fields.optional('envKey', field.envName),
    website: fields.optional('website', field.endpoint),
    scopes: fields.optional('scopes', field.scopes),
    oauthEndpoint: fields.optional('oauthEndpoint', field.oauthEndpoint),
    parentProvider: fields.optional('parentProvider', parentName),
    baseUrl: fields.optional('baseUrl', field.baseUrl),
    auth: fields.optional('auth', field.authHeader),
    headers: fields.optional('headers', field.headers),
    family: fields.optional('family', api.family),
    failureRules: fields.optional('failureRules', failureRules),
    failureFamily: fields.optional('failureFamily', api.failureFamily),
    docs: fields.optional('docs', field.endpoint),
    aliases: fields.optional('aliases', field.providerNames),
    keyless: fields.optional('keyless', field.boolean),
    baseUrlExample: fields.optional('baseUrlExample', field.text),
    apiPrefix: fields.optional('apiPrefix', api.pathPrefix),
    apiPaths: fields.optional('apiPaths', api.pathNames),
    compatiblePath: fields.optional('compatiblePath', api.pathPrefix),
    realtime: fields.optional('realtime', field.boolean),
    unpaid: fields.optional('unpaid', api.unpaid),
    envAliases: fields.optional('envAliases', field.envNames),
    directEnvKeys: fields.optional('directEnvKeys', field.envNames),
    tokenEnvKey: fields.optional('tokenEnvKey', field.envName),
    tokenEnvKeys: fields.optional('tokenEnvKeys', field.envNamesByPrefix),
    tokenHeaders: fields.optional('tokenHeaders', field.headersByPrefix),
    ownBaseUrls: fields.optional('ownBaseUrls', field.baseUrls),
    baseUrlEnv: fields.optional('baseUrlEnv', field.envName),
    baseUrlAliases: fields.optional('baseUrlAliases', field.envNames),
    relatedEnv: fields.optional('relatedEnv', field.envNames),
    check: fields.optional('check', api.check),
    health: fields.optional('health', field.boolean),
    proxy: fields.optional('proxy', field.proxy),
    login: fields.optional('login', login),
    oauth: fields.optional('oauth', oauth),
    suggestedNames: fields.optional('suggestedNames', field.profileNames),
  })
}

const oauth: Read<ProviderOAuthConfig> = (value, at) => {
  refuseLiteralSecret(value, at)
  const fields = at.object(value, OAUTH_KEYS)
  const config = withoutUndefined({
    issuer: fields.optional('issuer', field.endpoint),
    authorizationEndpoint: fields.optional('authorizationEndpoint', field.endpoint),
    tokenEndpoint: fields.optional('tokenEndpoint', field.endpoint),
    deviceAuthorizationEndpoint: fields.optional('deviceAuthorizationEndpoint', field.endpoint),
    revocationEndpoint: fields.optional('revocationEndpoint', field.endpoint),
    clientId: fields.required('clientId', field.text),
    clientSecretRef: fields.optional('clientSecretRef', field.reference),
    scopes: fields.optional('scopes', field.scopes),
    tokenRequest: fields.optional('tokenRequest', tokenRequest),
    redirectUri: fields.optional('redirectUri', redirectUri),
  })
  const begins = config.authorizationEndpoint ?? config.deviceAuthorizationEndpoint
  if (config.issuer === undefined && (begins === undefined || config.tokenEndpoint === undefined)) {
    const [issuer, token, authorization] = ['issuer', 'tokenEndpoint', 'authorizationEndpoint'].map((key) =>
      at.spell(key),
    )
    throw at.child('issuer').fail('given', `name the ${issuer}, or a ${token} and an ${authorization}`)
  }
  return config
}

const tokenRequest: Read<'form' | 'json'> = (value, at) => {
  if (value === 'form' || value === 'json') return value
  throw at.fail('form or json')
}

/** The listener is on 127.0.0.1, speaks plain HTTP, and adds the query itself (RFC 8252 section 7.3). */
const redirectUri: Read<string> = (value, at) => {
  const url = typeof value === 'string' ? parseSecureUrl(value) : undefined
  const here = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost'
  if (url?.protocol === 'http:' && here && !String(value).includes('?')) return url.href
  throw at.fail(
    'http://127.0.0.1 or http://localhost, a port if it must be that one, and a path',
    'leave the query out',
  )
}

const parentName: Read<string> = (value, at) => {
  try {
    if (typeof value === 'string') return parseProviderName(value)
  } catch {
    // Said below, with the key's name.
  }
  throw at.fail('the name of a provider')
}

// A file of providers is no place for a secret: it would be read aloud by `providers show` and backups.
function refuseLiteralSecret(value: unknown, at: Place): void {
  if (typeof value !== 'object' || value === null) return
  for (const key of ['clientSecret', 'client_secret']) {
    if (!Object.hasOwn(value, key)) continue
    const instead = at.spell('clientSecretRef')
    throw at
      .child('clientSecret')
      .fail(
        `kept as a named secret and given as ${instead}`,
        `keymux secret set NAME, then ${instead}: vault://NAME`,
      )
  }
}

function readName(name: string): string {
  try {
    return parseProviderName(name)
  } catch (cause) {
    throw new KeymuxError('invalid_provider', `${quote(String(name))} is not a provider name`, {
      hint: 'use 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit',
      cause,
    })
  }
}
