import type { Answer, RawHeaders } from '../domain/forwarding.js'
import type { AuthMode } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { ACCOUNT_HEADERS } from '../providers/account-headers.js'
import { KEY_HEADERS } from '../providers/key-headers.js'
import { authHeaders, credentialHeader } from '../providers/request.js'

/** Hop-by-hop (RFC 9110 section 7.6.1, RFC 9112): they speak of one connection alone. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What a caller proves himself with, in any provider's manner; none of it is the upstream's business. */
const CREDENTIALS = [...KEY_HEADERS, 'authorization', 'api-key', 'cookie', 'cookie2']

/** Made anew for every try. */
const OF_THE_TRY = ['host', 'content-length', 'expect']

const NOT_SENT: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...CREDENTIALS, ...OF_THE_TRY])
/** Cookies belong to one account, and the next request may use another; `alt-svc` to the upstream's origin. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'set-cookie', 'set-cookie2', 'alt-svc'])

const OWN = 'x-keymux-'
/** Codings whose beginning can be decoded to look for an error. */
const DECODABLE = /^(?:gzip|x-gzip|deflate|br|identity)$/

/** The caller's headers without those that must not or cannot be sent on. */
export function callerHeaders(raw: RawHeaders): string[] {
  const named = connectionOptions(raw)
  const kept: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    const key = name.toLowerCase()
    if (NOT_SENT.has(key) || key.startsWith(OWN) || named?.has(key) === true) continue
    kept.push(name, key === 'accept-encoding' ? decodable(value) : value)
  }
  return kept
}

/** Whose credential a try is sent with. */
export interface SentAs {
  readonly mode: AuthMode
  readonly credential: string
  /** Headers of the account. */
  readonly own: Readonly<Record<string, string>>
  /** Is told of a header that named another account and is not sent. */
  readonly removed?: ((name: string) => void) | undefined
}

/**
 * The headers of one try: the caller's but for those of another account, the credential in the provider's own header,
 * those of the account, and what the provider needs and the caller did not send (such as `anthropic-version`).
 *
 * @throws KeymuxError `invalid_secret` when the credential cannot be sent in a header
 */
export function upstreamHeaders(
  caller: readonly string[],
  provider: ProviderMetadata,
  { mode, credential, own, removed }: SentAs,
): string[] {
  const auth = Object.entries(authHeaders(provider, mode, credential))
  const kept = ofOneAccount(caller, own, removed)
  const { header } = credentialHeader(provider, 'api_key')
  const headers = KEY_HEADERS.has(header) ? [...kept] : without(kept, header)
  for (const [name, value] of auth) headers.push(name, value)
  for (const [name, value] of Object.entries(own)) headers.push(name, value)
  addTokenHeaders(headers, provider, mode, credential)
  for (const [name, value] of Object.entries(provider.headers ?? {})) {
    if (headerValue(kept, name) === undefined) headers.push(name, value)
  }
  return headers
}

/** The caller's headers without those that the account sets itself, or that name another account. */
function ofOneAccount(
  caller: readonly string[],
  own: Readonly<Record<string, string>>,
  removed: ((name: string) => void) | undefined,
): string[] {
  const kept: string[] = []
  for (let index = 0; index < caller.length; index += 2) {
    const name = caller[index] ?? ''
    const value = caller[index + 1] ?? ''
    const key = name.toLowerCase()
    const replaced = own[key] !== undefined
    if (!replaced && !ACCOUNT_HEADERS.has(key)) kept.push(name, value)
    else if (own[key] !== value) removed?.(key)
  }
  return kept
}

/** What goes with a token that is told by how it begins, added to a list that the caller sent. */
function addTokenHeaders(
  headers: string[],
  { tokenHeaders = {} }: ProviderMetadata,
  mode: AuthMode,
  credential: string,
): void {
  if (mode === 'api_key') return
  const [, added] = Object.entries(tokenHeaders).find(([begin]) => credential.startsWith(begin)) ?? []
  for (const [name, value] of Object.entries(added ?? {})) {
    const at = headers.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name)
    const listed = at < 0 ? undefined : headers[at + 1]
    if (listed === undefined) headers.push(name, value)
    else if (!listed.split(',').some((each) => each.trim() === value)) headers[at + 1] = `${listed},${value}`
  }
}

/** An upstream's headers as they may be passed on. */
export function answerHeaders(raw: RawHeaders): string[] {
  const named = connectionOptions(raw)
  const kept: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const key = name.toLowerCase()
    if (NOT_PASSED_ON.has(key) || key.startsWith(OWN) || named?.has(key) === true) continue
    kept.push(name, raw[index + 1] ?? '')
  }
  return kept
}

/** The first value of a header; `name` in lower case. */
export function headerValue(raw: RawHeaders, name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) {
    const candidate = raw[index] ?? ''
    if (candidate.length === name.length && candidate.toLowerCase() === name) return raw[index + 1]
  }
  return undefined
}

/** Headers as an object, names in lower case; of repeated ones the first counts. */
export function headerObject(raw: RawHeaders): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  for (let index = 0; index < raw.length; index += 2) {
    headers[(raw[index] ?? '').toLowerCase()] ??= raw[index + 1] ?? ''
  }
  return headers
}

/** A copy without a header; `name` in lower case. */
export function without(raw: RawHeaders, name: string): string[] {
  return raw.filter((_, index) => (raw[index - (index % 2)] ?? '').toLowerCase() !== name)
}

/**
 * What an answer says about its own making: `x-keymux-attempts`, `x-keymux-profile` (percent-encoded where a
 * header cannot carry a name's characters), and `x-keymux-replay: no` for a body too large to be sent twice.
 */
export function makingHeaders(answer: Pick<Answer, 'profileId' | 'attempts' | 'replayable'>): string[] {
  const headers = ['x-keymux-attempts', String(answer.attempts)]
  if (answer.profileId !== undefined) {
    headers.push('x-keymux-profile', answer.profileId.replace(/[^\x21-\x24\x26-\x7e]+/gu, encodeURIComponent))
  }
  if (!answer.replayable) headers.push('x-keymux-replay', 'no')
  return headers
}

/** The headers that `Connection` names: hop-by-hop as well. */
function connectionOptions(raw: RawHeaders): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = raw[index + 1] ?? ''
    if (/^(?:keep-alive|close)$/i.test(value)) continue
    named ??= new Set()
    for (const option of value.split(',')) named.add(option.trim().toLowerCase())
  }
  return named
}

/** Leaves only codings that can be looked into; identity when there is none. */
function decodable(value: string): string {
  const codings = value
    .split(',')
    .filter((coding) => DECODABLE.test(coding.split(';', 1)[0]?.trim().toLowerCase() ?? ''))
  return codings.length === 0 ? 'identity' : codings.join(',')
}
