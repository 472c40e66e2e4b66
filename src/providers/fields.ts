import { withoutUndefined } from '../domain/defined.js'
import { parseProfileName } from '../domain/ids.js'
import { AUTH_MODES, type AuthMode } from '../domain/profile.js'
import type { AuthHeader, OAuthEndpoint, ProviderCheck, ProviderFamily } from '../domain/provider.js'
import { PROXY_HINT, parseProxySetting } from '../domain/proxy.js'
import type { Read } from './place.js'
import { parseBaseUrl, parseSecureUrl } from './url.js'

const MAX_LIST = 64
const MAX_TEXT = 256
/** RFC 9110 section 5.6.2: what a header name is made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
/** Headers that frame or route the message (RFC 9110 section 7.6.1, RFC 9112), or that browsers own. */
const NOT_FOR_CREDENTIALS =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|host|via|date|origin|referer|range|accept|cookie2?|set-cookie2?|content-.*|accept-.*|proxy-.*|sec-.*|if-.*|x-forwarded-.*|x-keymux-.*)$/
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
/** Variables that decide how programs run: a credential or URL has no business there. */
const ENV_RESERVED =
  /^(?:PATH|HOME|SHELL|USER|PWD|TMPDIR|TERM|LANG|IFS|ENV|BASH_ENV|NODE_.*|PYTHON.*|LD_.*|DYLD_.*|KEYMUX_.*)$/i
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const REFERENCE = /^(?:vault|env|file|exec):\/\/\S/

export const text: Read<string> = (value, at) => {
  if (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= MAX_TEXT &&
    !/\p{Cc}/u.test(value)
  ) {
    return value
  }
  throw at.fail(`a text of 1 to ${MAX_TEXT} characters without control characters`)
}

export const modes: Read<readonly AuthMode[]> = (value, at) => {
  const known = (mode: unknown): mode is AuthMode => AUTH_MODES.some((one) => one === mode)
  if (Array.isArray(value) && value.length > 0 && value.every(known) && isDistinct(value)) return [...value]
  throw at.fail('a list of distinct modes out of api_key, oauth, token')
}

export const envName: Read<string> = (value, at) => {
  if (typeof value === 'string' && ENV_NAME.test(value) && !ENV_RESERVED.test(value)) return value
  throw at.fail('the name of an environment variable (letters, digits, underscores) that nothing else owns')
}

export const baseUrl: Read<string> = (value, at) => {
  const url = typeof value === 'string' ? parseBaseUrl(value) : undefined
  if (url !== undefined) return url
  throw at.fail(
    'an https URL without user name, query or fragment',
    'plain http is allowed on loopback alone',
  )
}

export const endpoint: Read<string> = (value, at) => {
  if (typeof value === 'string' && parseSecureUrl(value) !== undefined) return value
  throw at.fail('an https URL without user name or fragment', 'plain http is allowed on loopback alone')
}

export const authHeader: Read<AuthHeader> = (value, at) => {
  if (value === 'bearer' || value === 'x-api-key' || value === 'x-goog-api-key') return value
  if (typeof value === 'string' && value.startsWith('header:')) {
    const name = value.slice('header:'.length).toLowerCase()
    if (isCredentialHeader(name)) return `header:${name}`
    throw at.fail('header: and the name of a header that may carry a credential')
  }
  throw at.fail('bearer, x-api-key, x-goog-api-key or header:NAME')
}

export const headers: Read<Readonly<Record<string, string>>> = (value, at) => {
  const expected = 'an object of header names and printable texts'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw at.fail(expected)
  const entries = Object.entries(value).map(([name, one]): [string, string] => {
    if (
      !isCredentialHeader(name.toLowerCase()) ||
      typeof one !== 'string' ||
      !/^[\x20-\x7e]{1,256}$/.test(one)
    ) {
      throw at.fail(expected)
    }
    return [name.toLowerCase(), one]
  })
  if (entries.length > MAX_LIST) throw at.fail(expected)
  return Object.fromEntries(entries)
}

export const family: Read<ProviderFamily> = (value, at) => {
  if (value === 'openai' || value === 'anthropic' || value === 'gemini') return value
  throw at.fail('openai, anthropic or gemini')
}

export const check: Read<ProviderCheck> = (value, at) => {
  const fields = at.object(value, ['method', 'path'])
  return { method: fields.required('method', method), path: fields.required('path', path) }
}

const method: Read<'GET' | 'POST'> = (value, at) => {
  if (value === 'GET' || value === 'POST') return value
  throw at.fail('GET or POST')
}

// The path is appended to the base URL and must not lead out of it.
const path: Read<string> = (value, at) => {
  const sound =
    typeof value === 'string' &&
    /^\/(?!\/)[\x21-\x7e]{0,1023}$/.test(value) &&
    !/[#\\]/.test(value) &&
    !/(?:^|\/)(?:\.|%2e){1,2}(?:[/?]|$)/i.test(value)
  if (sound) return value
  throw at.fail('a path that begins with one slash, without fragment or dot segments')
}

export const scopes: Read<readonly string[]> = (value, at) =>
  list(value, (one) => SCOPE.test(one)) ?? raise(at.fail(`a list of at most ${MAX_LIST} OAuth scopes`))

export const envNames: Read<readonly string[]> = (value, at) =>
  list(value, (one) => ENV_NAME.test(one) && !ENV_RESERVED.test(one)) ??
  raise(at.fail(`a list of at most ${MAX_LIST} environment variable names`))

/** Headers by how a token begins. */
export const headersByPrefix: Read<Readonly<Record<string, Readonly<Record<string, string>>>>> = (
  value,
  at,
) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw at.fail('headers by how a token begins')
  }
  return Object.fromEntries(Object.entries(value).map(([begin, each]) => [begin, headers(each, at)]))
}

export const baseUrls: Read<readonly string[]> = (value, at) => {
  if (!Array.isArray(value) || value.length > MAX_LIST)
    throw at.fail(`a list of at most ${MAX_LIST} base URLs`)
  return value.map((each: unknown) => baseUrl(each, at))
}

/** Names of environment variables by how a token begins. */
export const envNamesByPrefix: Read<Readonly<Record<string, string>>> = (value, at) => {
  const wrong = `up to ${MAX_LIST} environment variable names by how a token begins`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw at.fail(wrong)
  const entries = Object.entries(value)
  const sound = entries.every(
    ([begin, name]) =>
      /^[\x21-\x7e]{1,64}$/.test(begin) &&
      typeof name === 'string' &&
      ENV_NAME.test(name) &&
      !ENV_RESERVED.test(name),
  )
  if (!sound || entries.length > MAX_LIST) throw at.fail(wrong)
  return Object.fromEntries(entries)
}

export const profileNames: Read<readonly string[]> = (value, at) =>
  list(value, isProfileName) ?? raise(at.fail(`a list of at most ${MAX_LIST} profile names`))

export const oauthEndpoint: Read<OAuthEndpoint> = (value, at) => {
  const fields = at.object(value, ['authUrl', 'tokenUrl', 'scopes'])
  return withoutUndefined({
    authUrl: fields.optional('authUrl', endpoint),
    tokenUrl: fields.optional('tokenUrl', endpoint),
    scopes: fields.optional('scopes', scopes),
  })
}

export const proxy: Read<string> = (value, at) => {
  const setting = typeof value === 'string' ? parseProxySetting(value) : undefined
  if (setting !== undefined) return setting
  throw at.fail('the URL of a proxy without a login, a reference to one, or none', PROXY_HINT)
}

export const reference: Read<string> = (value, at) => {
  if (typeof value === 'string' && value.length <= 4096 && REFERENCE.test(value)) return value
  throw at.fail('a reference such as vault://NAME or env://VAR, never the secret itself')
}

function isCredentialHeader(name: string): boolean {
  return TOKEN.test(name) && !NOT_FOR_CREDENTIALS.test(name)
}

function isProfileName(name: string): boolean {
  try {
    return parseProfileName(name) === name
  } catch {
    return false
  }
}

function list(value: unknown, accepts: (one: string) => boolean): readonly string[] | undefined {
  const sound =
    Array.isArray(value) &&
    value.length <= MAX_LIST &&
    value.every((one): one is string => typeof one === 'string' && accepts(one))
  return sound ? [...value] : undefined
}

function isDistinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length
}

function raise(error: Error): never {
  throw error
}
