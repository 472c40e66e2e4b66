import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { KeymuxError } from '../../domain/errors.js'
import { KEY_HEADERS, KEY_SCHEMES } from '../../providers/key-headers.js'
import { keyParameters } from './target.js'

/** Where clients of providers put a key beside `Authorization`. */
const OWN_HEADERS = [...KEY_HEADERS].filter((name) => name !== 'authorization')
const TOKEN_BYTES = 32
const SHORTEST_TOKEN = 16
const LONGEST_TOKEN = 512

/** A new gateway token: 32 random bytes in base64url. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/**
 * Checks a token that somebody chose.
 *
 * @throws KeymuxError `invalid_secret`
 */
export function checkToken(token: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= SHORTEST_TOKEN && token.length <= LONGEST_TOKEN) {
    return token
  }
  throw new KeymuxError('invalid_secret', `${source} is no gateway token`, {
    hint: `use ${SHORTEST_TOKEN} to ${LONGEST_TOKEN} printable ASCII characters without spaces`,
  })
}

/** Compares what callers present with the token, in constant time. */
export class TokenCheck {
  #expected: Buffer

  constructor(token: string) {
    this.#expected = Buffer.from(token)
  }

  /** The token that counts from now on. */
  set(token: string): void {
    this.#expected = Buffer.from(token)
  }

  /** Whether this is the token that counts. */
  is(token: string): boolean {
    return this.#equals(token)
  }

  /**
   * Proves to whoever knows the token that this gateway does, and listens at `url`: whoever passes the question on
   * to it from another place gets a proof that is good for nothing there.
   */
  prove(challenge: string, url: string): string {
    return proofOf(this.#expected, challenge, url)
  }

  /** Whether a request carries the token in one of the places where SDKs put their key. */
  admits(headers: IncomingHttpHeaders, url: string): boolean {
    const { authorization } = headers
    if (authorization !== undefined && this.#equals(afterScheme(authorization))) return true
    return presentedTokens(headers, url).some((token) => this.#equals(token))
  }

  #equals(presented: string | string[] | undefined): boolean {
    if (typeof presented !== 'string' || presented.length !== this.#expected.length) return false
    const bytes = Buffer.from(presented)
    // A length is no secret: all tokens of our own making have the same one.
    return bytes.length === this.#expected.length && timingSafeEqual(bytes, this.#expected)
  }
}

/** What a request carries in the places where SDKs put their key. */
export function presentedTokens(headers: IncomingHttpHeaders, url: string): string[] {
  const { authorization } = headers
  const found = [
    authorization === undefined ? undefined : afterScheme(authorization),
    ...OWN_HEADERS.map((name) => headers[name]),
    ...keyParameters(url),
    ...keyProtocols(headers['sec-websocket-protocol']),
  ]
  return found.filter((token): token is string => typeof token === 'string')
}

/** Clients in browsers, which can send no headers, offer their key as a subprotocol (OpenAI's Realtime guide). */
export const KEY_PROTOCOL = 'openai-insecure-api-key.'

function keyProtocols(offered = ''): string[] {
  return offered
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one.startsWith(KEY_PROTOCOL))
    .map((one) => one.slice(KEY_PROTOCOL.length))
}

function afterScheme(authorization: string): string | undefined {
  const [, scheme = '', token] = /^(\S+) +(\S+) *$/.exec(authorization) ?? []
  return KEY_SCHEMES.has(scheme.toLowerCase()) ? token : undefined
}

/** What a gateway with this token, listening at this URL, answers to a challenge: HMAC-SHA-256 of both. */
export function proofOf(token: string | Buffer, challenge: string, url: string): string {
  return createHmac('sha256', token).update(`keymux-gateway\0${challenge}\0${url}`).digest('base64url')
}
