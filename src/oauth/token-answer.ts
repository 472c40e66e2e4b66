import { parseFlatJson } from '../domain/nesting.js'
import type { HttpAnswer } from './http.js'

/** Tokens that a server gave. */
export interface TokenGrant {
  readonly accessToken: string
  readonly refreshToken?: string
  /** Undefined where the server did not say. */
  readonly expiresAt?: Date
  readonly scopes?: readonly string[]
  readonly idToken?: string
}

type Fields = Readonly<Record<string, unknown>>

/** Objects that some servers wrap their answer in. */
const WRAPPERS = ['data', 'result', 'token', 'authed_user']
/** Longest token that is taken for one. */
const LONGEST_TOKEN = 16_384
/** How long a token is taken to live that cannot have expired when it says it has. */
const BELIEVED_LIFETIME_MS = 3_600_000

/** The fields of an answer, whatever it is written in: JSON, a form (GitHub), or the beginning of JSON. */
export function readFields(answer: Pick<HttpAnswer, 'body'>): Fields {
  const text = answer.body.replace(/^\uFEFF/, '').trim()
  const json = parseObject(text)
  if (json !== undefined) return unwrapped(json)
  if (/^[\w.-]+=[^\s<{]*$/.test(text)) return Object.fromEntries(new URLSearchParams(text))
  return salvaged(text)
}

/**
 * The tokens in an answer's fields; `undefined` where there is no usable access token.
 *
 * @param now by our own clock
 * @param date the answer's `Date`: the time by the server's clock (RFC 9110 section 6.6.1)
 */
export function readGrant(fields: Fields, now: Date, date?: string): TokenGrant | undefined {
  const accessToken = token(fields.access_token ?? fields.accessToken)
  if (accessToken === undefined) return undefined
  const refreshToken = token(fields.refresh_token ?? fields.refreshToken)
  const expiresAt = expiryOf(fields, now, date)
  const scopes = scopesOf(fields.scope)
  const idToken = token(fields.id_token)
  return {
    accessToken,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(idToken === undefined ? {} : { idToken }),
  }
}

/** A token can be sent in a header: visible ASCII alone. */
function token(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= LONGEST_TOKEN && /^[\x21-\x7e]+$/.test(value)
    ? value
    : undefined
}

/**
 * When the access token expires: `expires_in` in seconds from now, by our own clock, or an instant in
 * `expires_at` (and in MiniMax's `expired_in`).
 */
function expiryOf(fields: Fields, now: Date, date: string | undefined): Date | undefined {
  for (const value of [fields.expires_in, fields.expires_at, fields.expired_in, fields.expiresIn]) {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number === 'number' && number > 0) return stillAhead(instantOf(number, now), now, date)
    if (typeof value === 'string' && !Number.isNaN(Date.parse(value)))
      return stillAhead(new Date(value), now, date)
  }
  return undefined
}

/**
 * Nobody gives out a token that has expired: our clock is ahead. What is left of it by the server's own clock
 * counts then, and without that an hour.
 */
function stillAhead(instant: Date | undefined, now: Date, date: string | undefined): Date | undefined {
  if (instant === undefined || instant.getTime() > now.getTime()) return instant
  const leftMs = instant.getTime() - Date.parse(date ?? '')
  return new Date(now.getTime() + (leftMs > 0 ? leftMs : BELIEVED_LIFETIME_MS))
}

/** A small number counts from now, a large one from 1970: in seconds, or in milliseconds. */
function instantOf(number: number, now: Date): Date | undefined {
  const ms = number < 1e9 ? now.getTime() + number * 1_000 : number < 1e11 ? number * 1_000 : number
  return ms < 8.64e15 ? new Date(Math.round(ms)) : undefined
}

function scopesOf(value: unknown): string[] | undefined {
  if (typeof value !== 'string') return undefined
  // GitHub separates them with commas.
  const scopes = value.split(/[\s,]+/).filter((scope) => scope !== '')
  return scopes.length === 0 ? undefined : scopes
}

function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = parseFlatJson(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function unwrapped(fields: Fields): Fields {
  if ('access_token' in fields || 'error' in fields) return fields
  for (const name of WRAPPERS) {
    const inner = fields[name]
    if (isObject(inner) && 'access_token' in inner) return inner
  }
  return fields
}

/** Fields of JSON that was cut off or wrapped in something else. Only whole texts and numbers count. */
function salvaged(text: string): Fields {
  const fields: Record<string, unknown> = {}
  for (const [, name = '', quoted, number] of text.matchAll(
    /"(access_token|refresh_token|id_token|scope|expires_in|error)"\s*:\s*(?:("(?:[^"\\]|\\.)*")|(\d{1,15})(?=[\s,}]))/g,
  )) {
    fields[name] ??= quoted === undefined ? Number(number) : parseText(quoted)
  }
  return fields
}

function parseText(quoted: string): unknown {
  try {
    return JSON.parse(quoted)
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
