import { KeymuxError } from '../domain/errors.js'
import { type AuthMode, NO_KEY } from '../domain/profile.js'
import type { CredentialHeader, ProviderMetadata } from '../domain/provider.js'
import { apiPath } from './api-paths.js'
import { builtinProviders } from './registry.js'

const BEARER: CredentialHeader = { header: 'authorization', prefix: 'Bearer' }

/** A request that tells whether a credential works. */
export interface CheckRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** The header (name in lower case) that carries a credential of this mode, and what stands before it there. */
export function credentialHeader(provider: ProviderMetadata, mode: AuthMode): CredentialHeader {
  const auth = mode === 'api_key' ? (provider.auth ?? 'bearer') : 'bearer'
  if (typeof auth === 'object') return auth
  if (auth === 'bearer') return BEARER
  return { header: auth.startsWith('header:') ? auth.slice('header:'.length) : auth }
}

/**
 * The one header (name in lower case) that carries the credential: the provider's own for API keys,
 * `authorization: Bearer` for tokens and OAuth; none for an account that has no key because it needs none.
 *
 * @throws KeymuxError `invalid_secret` when it cannot be sent in a header
 */
export function authHeaders(
  provider: ProviderMetadata,
  mode: AuthMode,
  credential: string,
): Record<string, string> {
  if (provider.keyless === true && credential === NO_KEY) return {}
  // RFC 9110 section 5.5: visible ASCII, obs-text and spaces; a line break would start another header.
  if (!/^[\x20-\x7e\x80-\xff]+$/.test(credential)) {
    throw new KeymuxError(
      'invalid_secret',
      `the credential for ${provider.name} cannot be sent in a header: it is empty or has a line break or another character that headers cannot carry`,
      { hint: 'store it again, as one line' },
    )
  }
  const { header, prefix } = credentialHeader(provider, mode)
  return { [header]: prefix === undefined ? credential : `${prefix} ${credential}` }
}

/**
 * Environment variables that hand a credential to a program: the key under every name that the provider's
 * official SDKs read, and the base URL where it is not the one the program uses anyway (`baseUrl`, or that
 * of a custom provider).
 *
 * @throws KeymuxError `invalid_secret` for a credential with a NUL character
 */
export function providerEnv(
  provider: ProviderMetadata,
  mode: AuthMode,
  credential: string,
  baseUrl?: string,
): Record<string, string> {
  if (credential.includes('\0')) {
    throw new KeymuxError(
      'invalid_secret',
      `the credential for ${provider.name} has a NUL character, which no environment variable can hold`,
    )
  }
  const url = baseUrl ?? (builtinProviders[provider.name] === undefined ? provider.baseUrl : undefined)
  const direct = mode === 'api_key' && url === undefined ? (provider.directEnvKeys ?? []) : []
  const names = tokenVariable(provider, mode, credential) ?? [...keyNames(provider, mode), ...direct]
  const variables = names.map((name): [string, string] => [name, credential])
  if (provider.baseUrlEnv !== undefined && url !== undefined) variables.push([provider.baseUrlEnv, url])
  return Object.fromEntries(variables)
}

/**
 * Every variable that may carry a credential of this provider, in any mode, or lead a program to another address or
 * account. A program that is handed one credential must not inherit the rest of another.
 */
export function providerEnvNames(provider: ProviderMetadata): string[] {
  const { tokenEnvKeys = {}, directEnvKeys = [], relatedEnv = [] } = provider
  const tokens = [...keyNames(provider, 'token'), ...Object.values(tokenEnvKeys)]
  return [
    ...new Set([
      ...keyNames(provider, 'api_key'),
      ...directEnvKeys,
      ...tokens,
      ...addressEnvNames(provider),
      ...relatedEnv,
    ]),
  ]
}

/** The variables that programs take the provider's base URL from, the preferred one first. */
export function addressEnvNames({ baseUrlEnv, baseUrlAliases = [] }: ProviderMetadata): string[] {
  return [baseUrlEnv, ...baseUrlAliases].filter((name) => name !== undefined)
}

/**
 * Appends a path (with or without leading slash, query included) to a base URL.
 *
 * @throws KeymuxError `foreign_host` when the path leads out of the base URL
 */
export function joinUrl(base: string, path: string): string {
  const root = base.replace(/\/+$/, '')
  const joined = path === '' ? root : `${root}${/^[/?]/.test(path) ? '' : '/'}${path}`
  const url = new URL(joined)
  const home = new URL(root)
  const prefix = home.pathname.replace(/\/+$/, '')
  const inside = url.pathname === prefix || url.pathname.startsWith(`${prefix}/`)
  if (url.origin === home.origin && inside) return url.href
  throw new KeymuxError('foreign_host', 'a request path leads out of its base URL', {
    hint: 'leave out dot segments',
  })
}

/**
 * The provider's cheap check with this credential, or `undefined` where the provider has none.
 *
 * @throws KeymuxError `invalid_secret`
 */
export function checkRequest(
  provider: ProviderMetadata,
  mode: AuthMode,
  credential: string,
  baseUrl: string | undefined = provider.baseUrl,
): CheckRequest | undefined {
  if (provider.check === undefined || baseUrl === undefined) return undefined
  const { method, path } = provider.check
  const headers = {
    accept: 'application/json',
    ...provider.headers,
    ...authHeaders(provider, mode, credential),
  }
  const mark = path.indexOf('?')
  const [place, query] = mark < 0 ? [path, ''] : [path.slice(0, mark), path.slice(mark)]
  const url = joinUrl(baseUrl, `${apiPath(provider, pathOf(baseUrl), place)}${query}`)
  if (method === 'GET') return { url, method, headers }
  return { url, method, headers: { ...headers, 'content-type': 'application/json' }, body: '{}' }
}

function pathOf(baseUrl: string): string {
  return new URL(baseUrl).pathname.replace(/\/+$/, '')
}

/** The variable of a token that is told by how it begins. */
function tokenVariable(
  { tokenEnvKeys = {} }: ProviderMetadata,
  mode: AuthMode,
  credential: string,
): string[] | undefined {
  if (mode === 'api_key') return undefined
  const [, name] = Object.entries(tokenEnvKeys).find(([begin]) => credential.startsWith(begin)) ?? []
  return name === undefined ? undefined : [name]
}

function keyNames(provider: ProviderMetadata, mode: AuthMode): string[] {
  if (mode !== 'api_key' && provider.tokenEnvKey !== undefined) return [provider.tokenEnvKey]
  return [provider.envKey, ...(provider.envAliases ?? [])].filter((name) => name !== undefined)
}
