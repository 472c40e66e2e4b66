import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { AuthProfile } from '../domain/profile.js'
import type { NewProfile, ProfilePatch } from '../domain/profiles.js'
import { PROXY_HINT, parseProxySetting } from '../domain/proxy.js'
import { parseBaseUrl } from '../providers/url.js'

/** The highest priority, and the lowest below zero: beyond any that a person gives. */
const MAX_PRIORITY = 100_000
const MAX_CONCURRENCY = 10_000
const MAX_WEIGHT = 100
const MAX_TEXT = 1024
const MAX_MODELS = 256
const MAX_HEADERS = 32
/** RFC 9110, 5.6.2: what a field name is made of. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/
/** RFC 9110, 5.5: visible characters with blanks between them. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/
/** The credential is put there by keymux, and the rest belongs to the connection or the body. */
const NOT_SETTABLE =
  /^(?:authorization|proxy-.*|x-api-key|x-goog-api-key|api-key|cookie|set-cookie|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|accept-encoding|x-keymux-.*)$/

/** What an owner sets, beside the credential. */
const SETTINGS = [
  'account',
  'models',
  'baseUrl',
  'pool',
  'concurrency',
  'weight',
  'headers',
  'proxy',
] as const

/** @throws KeymuxError `invalid_value` */
export function checkSettings(profile: AuthProfile): void {
  checkPriority(profile.priority)
  if (profile.account !== undefined) checkText('account', profile.account)
  if (profile.pool !== undefined) checkText('pool', profile.pool)
  if (profile.models !== undefined) checkModels(profile.models)
  if (profile.baseUrl !== undefined) normalBaseUrl(profile.baseUrl)
  if (profile.headers !== undefined) normalHeaders(profile.headers)
  if (profile.proxy !== undefined) normalProxy(profile.proxy)
  checkCount('concurrency', profile.concurrency, MAX_CONCURRENCY)
  checkCount('weight', profile.weight, MAX_WEIGHT)
}

function checkCount(field: string, value: number | undefined, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0 && value <= most)) return
  throw new KeymuxError('invalid_value', `${field} must be a whole number from 1 to ${most}`)
}

/**
 * A base URL as it is kept: https, or http on loopback; no user name, query or fragment; no trailing slash.
 *
 * @throws KeymuxError `invalid_value`
 */
export function normalBaseUrl(text: string): string {
  const url = typeof text === 'string' ? parseBaseUrl(text) : undefined
  if (url !== undefined) return url
  // A URL may carry a password, so it is not repeated.
  throw new KeymuxError('invalid_value', 'the base URL cannot be used', {
    hint: 'use https://HOST[/PATH] without user name, query or fragment; plain http is for loopback alone',
  })
}

/**
 * A proxy as it is kept: its URL without a login, a reference to where the whole one is, or `none`.
 *
 * @throws KeymuxError `invalid_value`
 */
export function normalProxy(text: string): string {
  const setting = typeof text === 'string' ? parseProxySetting(text) : undefined
  if (setting !== undefined) return setting
  // A URL may carry a password, so it is not repeated.
  throw new KeymuxError('invalid_value', 'the proxy cannot be used', { hint: PROXY_HINT })
}

/**
 * Headers of an account as they are kept: names in lower case, none that carries a credential or belongs to the
 * connection.
 *
 * @throws KeymuxError `invalid_value`
 */
export function normalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  if (entries.length > MAX_HEADERS) {
    throw new KeymuxError('invalid_value', `a profile has at most ${MAX_HEADERS} headers`)
  }
  for (const [name, value] of entries) {
    if (!HEADER_NAME.test(name) || typeof value !== 'string' || !HEADER_VALUE.test(value)) {
      throw new KeymuxError('invalid_value', `the header ${quote(name)} cannot be sent`, {
        hint: 'write NAME=VALUE with printable ASCII characters',
      })
    }
    if (NOT_SETTABLE.test(name)) {
      throw new KeymuxError('invalid_value', `the header ${quote(name)} cannot be set for an account`, {
        hint: 'a credential belongs into the profile itself',
      })
    }
  }
  return Object.fromEntries(entries)
}

/** A profile that takes another's place keeps what its owner has set, unless something else is given. */
export function withKeptSettings(profile: AuthProfile, known: AuthProfile, given: NewProfile): AuthProfile {
  const kept: { -readonly [K in keyof AuthProfile]?: AuthProfile[K] } = {}
  for (const name of SETTINGS) if (given[name] === undefined) Object.assign(kept, optional(name, known[name]))
  if (given.priority === undefined) kept.priority = known.priority
  if (given.enabled === undefined) kept.enabled = known.enabled
  return { ...profile, ...kept, createdAt: known.createdAt }
}

/** The profile as a patch leaves it. @throws KeymuxError `invalid_value` */
export function patched(profile: AuthProfile, patch: ProfilePatch): AuthProfile {
  const { account, models, baseUrl, pool, concurrency, weight, headers, proxy, ...kept } = profile
  const changed = {
    ...patch,
    ...(patch.baseUrl == null ? {} : { baseUrl: normalBaseUrl(patch.baseUrl) }),
    ...(patch.headers == null ? {} : { headers: normalHeaders(patch.headers) }),
    ...(patch.proxy == null ? {} : { proxy: normalProxy(patch.proxy) }),
  }
  return {
    ...kept,
    ...(patch.enabled === undefined ? {} : { enabled: patch.enabled }),
    ...(patch.priority === undefined ? {} : { priority: patch.priority }),
    ...optional('account', orKept(account, changed.account)),
    ...optional('models', orKept(models, changed.models)),
    ...optional('baseUrl', orKept(baseUrl, changed.baseUrl)),
    ...optional('pool', orKept(pool, changed.pool)),
    ...optional('concurrency', orKept(concurrency, changed.concurrency)),
    ...optional('weight', orKept(weight, changed.weight)),
    ...optional('headers', orKept(headers, changed.headers)),
    ...optional('proxy', orKept(proxy, changed.proxy)),
  }
}

/** `undefined` leaves a field, `null` clears it. */
function orKept<V>(before: V | undefined, change: V | null | undefined): V | undefined {
  return change === undefined ? before : (change ?? undefined)
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
}

function checkPriority(value: number): void {
  if (!Number.isSafeInteger(value) || Math.abs(value) > MAX_PRIORITY) {
    throw new KeymuxError(
      'invalid_value',
      `priority must be a whole number between -${MAX_PRIORITY} and ${MAX_PRIORITY}`,
    )
  }
}

function checkText(field: string, text: string): void {
  if (typeof text !== 'string' || text === '' || text.length > MAX_TEXT || /\p{Cc}/u.test(text)) {
    throw new KeymuxError(
      'invalid_value',
      `${field} must be 1 to ${MAX_TEXT} characters without control characters`,
    )
  }
}

function checkModels(models: readonly string[]): void {
  if (!Array.isArray(models) || models.length > MAX_MODELS) {
    throw new KeymuxError('invalid_value', `models must be a list of at most ${MAX_MODELS} globs`)
  }
  for (const glob of models) checkText('models', glob)
}
