import { parseFlatJson } from '../domain/nesting.js'
import { sendOnce, type Way } from './http.js'
import type { OAuthSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'
import { isObject } from './token-answer.js'

/** Whose tokens they are. */
export interface Account {
  /** The account's own id at the provider. */
  readonly subject?: string
  readonly email?: string
  /** The name it goes by there: GitHub's `login`, `preferred_username` (OpenID Connect Core section 5.1). */
  readonly login?: string
}

const ACCOUNT_LIMIT_MS = 10_000
const ACCOUNT_TRIES = 2
const LONGEST = 256

/**
 * The claims of an identity token, not validated: it came from the token endpoint itself on a connection of
 * our own (OpenID Connect Core section 3.1.3.7), and a wrong clock must not cost a login.
 */
export function claimsOf(idToken: string | undefined): Readonly<Record<string, unknown>> {
  const payload = idToken?.split('.')[1]
  if (payload === undefined) return {}
  try {
    const claims: unknown = parseFlatJson(Buffer.from(payload, 'base64url').toString())
    return isObject(claims) ? claims : {}
  } catch {
    return {}
  }
}

/** The account that an identity token names. Never throws. */
export function accountOfToken(idToken: string | undefined): Account {
  return accountOf(claimsOf(idToken))
}

/** The account behind a login: from the identity token, else by asking. A provider that does not tell is no error. */
export async function findAccount(
  settings: OAuthSettings,
  grant: TokenGrant,
  signal?: AbortSignal,
): Promise<Account> {
  const told = accountOfToken(grant.idToken)
  if (told.email !== undefined || settings.accountEndpoint === undefined) return told
  const asked = await askAccount(settings.accountEndpoint, grant.accessToken, { signal, way: settings.way })
  // An answer about somebody else must not be believed (OpenID Connect Core section 5.3.2).
  const same = told.subject === undefined || asked.subject === told.subject
  return same ? { ...asked, ...told } : told
}

/** Asks twice where the first answer says nothing about the account: whose login it is decides what it may replace. */
async function askAccount(
  url: string,
  accessToken: string,
  { signal, way }: { readonly signal: AbortSignal | undefined; readonly way: Way | undefined },
): Promise<Account> {
  const headers = { authorization: `Bearer ${accessToken}` }
  for (let tries = 0; tries < ACCOUNT_TRIES && signal?.aborted !== true; tries += 1) {
    try {
      const answer = await sendOnce({ method: 'GET', url, headers, timeoutMs: ACCOUNT_LIMIT_MS, signal, way })
      const fields: unknown = answer.status === 200 ? parseFlatJson(answer.body) : undefined
      if (isObject(fields)) return accountOf(fields)
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) break
    } catch {
      // Unreachable or garbage: once more.
    }
  }
  return {}
}

function accountOf(fields: Readonly<Record<string, unknown>>): Account {
  const subject = text(fields.sub) ?? (typeof fields.id === 'number' ? String(fields.id) : text(fields.id))
  const email = text(fields.email)
  const login = text(fields.login) ?? text(fields.preferred_username)
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(email?.includes('@') === true ? { email } : {}),
    ...(login === undefined ? {} : { login }),
  }
}

/** A text that may be shown: short, on one line, nothing invisible in it. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST) return undefined
  return /[\p{Cc}\p{Cf}]/u.test(value) || value.trim() !== value ? undefined : value
}
