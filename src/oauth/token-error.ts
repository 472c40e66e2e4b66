import type { FailureReason } from '../domain/usage.js'
import { OAuthError } from './errors.js'
import type { HttpAnswer } from './http.js'
import { isObject } from './token-answer.js'

/** Codes that say: this refresh token is worth nothing any more. */
const LOGIN_ENDED = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
  'refresh_token_revoked',
  'refresh_token_not_found',
  'invalid_refresh_token',
])
/** Codes that say: it is the client that is not known. */
const CLIENT_REFUSED = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials'])
/** Whether it is the client, or its secret, that the server did not accept. */
export function isClientRefused(error: unknown): boolean {
  const code = error instanceof OAuthError ? error.failure.serverCode : undefined
  return code !== undefined && CLIENT_REFUSED.has(code)
}

const BUSY = new Set(['temporarily_unavailable', 'server_error'])
/** Longest wait a server may ask for, in milliseconds. */
const LONGEST_WAIT_MS = 86_400_000

/** An endpoint in words, and what it should have given. */
export interface Asked {
  readonly place: string
  readonly wanted: string
}

const TOKEN_ENDPOINT: Asked = { place: 'the token endpoint', wanted: 'token' }

/** What an answer without tokens means. Of the server's words nothing but its code is repeated. */
export function tokenError(
  answer: HttpAnswer,
  fields: Readonly<Record<string, unknown>>,
  now: Date,
  asked: Asked = TOKEN_ENDPOINT,
): OAuthError {
  const serverCode = codeOf(fields)
  const reason = reasonOf(answer.status, serverCode, fields)
  const retryAfterMs = waitOf(answer.headers['retry-after'], now)
  return new OAuthError(
    'refresh_failed',
    sentence(answer, serverCode, asked),
    {
      reason,
      delivery: 'answered',
      ...(serverCode === undefined ? {} : { serverCode }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
    reason === 'auth_permanent' ? { hint: hintOf(serverCode) } : {},
  )
}

function reasonOf(
  status: number,
  code: string | undefined,
  fields: Readonly<Record<string, unknown>>,
): FailureReason {
  if (code !== undefined && LOGIN_ENDED.has(code)) return 'session_expired'
  if (code !== undefined && CLIENT_REFUSED.has(code)) return 'auth_permanent'
  if (status === 429) return 'rate_limit'
  if (status >= 500 || (code !== undefined && BUSY.has(code))) return 'server_error'
  if (code === 'invalid_scope' || code === 'unsupported_grant_type') return 'auth_permanent'
  if (code !== undefined && saysLoginEnded(fields)) return 'session_expired'
  return code === undefined ? 'server_error' : 'unknown'
}

/** Some servers keep the code general and say it in words. */
function saysLoginEnded(fields: Readonly<Record<string, unknown>>): boolean {
  const words = [fields.error_description, isObject(fields.error) ? fields.error.message : undefined]
  return words.some(
    (text) =>
      typeof text === 'string' &&
      /refresh.?token.{0,40}\b(expired|revoked|invalid|reused|already been used)\b/i.test(text.slice(0, 500)),
  )
}

function codeOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  const { error } = fields
  const code = isObject(error) ? (error.code ?? error.type) : error
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : undefined
}

function sentence(
  { status, complete }: HttpAnswer,
  code: string | undefined,
  { place, wanted }: Asked,
): string {
  if (code !== undefined) return `the authorization server answered ${code}`
  if (status >= 300 && status < 400) return `${place} answered with a redirect`
  if (status >= 400) return `${place} answered with status ${status}`
  return complete ? `${place} gave no ${wanted}` : `the answer of ${place} broke off`
}

function hintOf(code: string | undefined): string {
  if (code === 'invalid_scope') return 'check the scopes that the provider is configured with'
  if (code === 'unsupported_grant_type')
    return 'the authorization server does not offer this way of logging in'
  return 'check the client id (and client secret) that this login was made with'
}

/** `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), in milliseconds. */
function waitOf(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now.getTime()
  return ms > 0 ? Math.min(ms, LONGEST_WAIT_MS) : undefined
}
