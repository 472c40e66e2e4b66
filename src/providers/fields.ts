import { withoutUndefined } from '../domain/defined.js'
import { parseProfileName } from '../domain/ids.js'
import { AUTH_MODES, type AuthMode } from '../domain/profile.js'
import type { AuthHeader, OAuthEndpoint } from '../domain/provider.js'
import { PROXY_HINT, parseProxySetting } from '../domain/proxy.js'
import type { Read } from './place.js'
import { parseBaseUrl, parseSecureUrl } from './url.js'

/** Most entries of a list. */
export const MAX_LIST = 64
const MAX_TEXT = 256
/** RFC 9110 section 5.6.2: what a header name is made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
/** Headers that frame or route the message (RFC 9110 section 7.6.1, RFC 9112), or that browsers own. */
const NOT_FOR_CREDENTIALS =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|host|via|date|origin|referer|range|accept|cookie2?|set-cookie2?|content-.*|accept-.*|proxy-.*|sec-.*|if-.*|x-forwarded-.*|x-keymux-.*)$/
/** The credential is put there by keymux. */
const CARRIES_CREDENTIAL = /^(?:authorization|x-api-key|x-goog-api-key|api-key)$/i
const PROVIDER_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/
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
  if (typeof value === 'object' && value !== null) {
    const fields = at.object(value, ['header', 'prefix'])
    return withoutUndefined({
      header: fields.required('header', credentialHeader),
      prefix: fields.optional('prefix', scheme),
    })
  }
  throw at.fail('bearer, x-api-key, x-goog-api-key or header:NAME, or an object with header and prefix')
}

const credentialHeader: Read<string> = (value, at) => {
  const name = typeof value === 'string' ? value.toLowerCase() : ''
  if (isCredentialHeader(name)) return name
  throw at.fail('the name of a header that may carry a credential')
}

const scheme: Read<string> = (value, at) => {
  if (typeof value === 'string' && TOKEN.test(value)) return value
  throw at.fail('one word, such as Token')
}

export const headers: Read<Readonly<Record<string, string>>> = (value, at) => {
  const expected = 'an object of header names and printable texts'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw at.fail(expected)
  const entries = Object.entries(value).map(([name, one]): [string, string] => {
    if (
      !isCredentialHeader(name.toLowerCase()) ||
      CARRIES_CREDENTIAL.test(name) ||
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

export const boolean: Read<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value
  throw at.fail('true or false')
}

/** What other programs call a provider. */
export const providerNames: Read<readonly string[]> = (value, at) =>
  list(value, (one) => PROVIDER_NAME.test(one)) ??
  raise(at.fail(`a list of at most ${MAX_LIST} provider names in lower case`))

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

/** A list of texts that are all accepted. */
export function list(value: unknown, accepts: (one: string) => boolean): readonly string[] | undefined {
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
