import { Buffer } from 'node:buffer'
import { parseFlatJson } from '../domain/nesting.js'

// Real ones stay below 4 KiB.
const MAX_TOKEN_CHARACTERS = 64 * 1024

/** What a JSON Web Token says of its owner. Nothing of it is proved: the signature is not checked. */
export interface Claims {
  readonly email?: string
  readonly expiresAt?: Date
  /** The ChatGPT account, in tokens of OpenAI. */
  readonly account?: string
}

/**
 * Reads the payload of a JSON Web Token (RFC 7519) for display, without verification. Whatever is no such
 * token, or too long, claims nothing.
 */
export function readClaims(token: string | undefined): Claims {
  const payload = payloadOf(token)
  const email = payload.email ?? objectAt(payload, 'https://api.openai.com/profile').email
  const account = objectAt(payload, 'https://api.openai.com/auth').chatgpt_account_id
  const expiresAt = typeof payload.exp === 'number' ? new Date(payload.exp * 1000) : undefined
  return {
    ...(isEmail(email) ? { email } : {}),
    ...(expiresAt === undefined || Number.isNaN(expiresAt.getTime()) ? {} : { expiresAt }),
    ...(typeof account === 'string' && account !== '' ? { account } : {}),
  }
}

/** Whether a value looks like an e-mail address that is fit to be shown. */
export function isEmail(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 320 && /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(value)
}

function payloadOf(token: string | undefined): Readonly<Record<string, unknown>> {
  if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) return {}
  const [, part, signature] = token.split('.')
  if (part === undefined || signature === undefined) return {}
  try {
    return asObject(parseFlatJson(Buffer.from(part, 'base64url').toString('utf8')))
  } catch {
    return {}
  }
}

function objectAt(
  object: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  return asObject(object[name])
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.assign(Object.create(null), value) : {}
}
