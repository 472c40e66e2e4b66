import { withoutUndefined } from '../domain/defined.js'
import { parseProfileName } from '../domain/ids.js'
import type { JsonReader } from '../domain/json-reader.js'
import type { Reading } from './collector.js'
import type { ImportDraft } from './draft.js'
import { isEmail, readClaims } from './jwt.js'

// The largest instant of JavaScript, in milliseconds (ECMA-262, Time Values).
const LATEST_MS = 8.64e15
// Milliseconds have passed this since 1973, seconds reach it in the year 5138.
const FEWEST_MS = 1e11

/** An OAuth login as another tool keeps it. */
export interface ForeignLogin {
  readonly provider: string
  readonly name: string
  /** The tool names its logins itself; otherwise the e-mail address, where it is known, becomes the name. */
  readonly named?: boolean
  readonly accessToken: string | undefined
  readonly refreshToken: string | undefined
  readonly idToken?: string | undefined
  readonly expiresAt?: Date | undefined
  readonly email?: string | undefined
  readonly account?: string | undefined
  readonly clientId?: string | undefined
  readonly scopes?: readonly string[] | undefined
  /** Texts that go along with a login that is taken over. */
  readonly metadata?: Readonly<Record<string, string | undefined>>
  readonly baseUrl?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly source: string
  readonly extra?: Pick<ImportDraft, 'priority' | 'usage' | 'lastGood'>
}

/**
 * Reads a login: a `token` draft of its access token with its expiry, or the whole login where it is taken
 * over and has a refresh token. Two programs that renew the same login break it for each other.
 *
 * @param otherwise the name to use when the first is taken
 */
export function readLogin(
  login: ForeignLogin,
  takeOver: boolean | undefined,
  otherwise: string = login.name,
): Reading {
  const { accessToken, refreshToken } = login
  const [identity, access] = [readClaims(login.idToken), readClaims(accessToken)]
  const email = [login.email, identity.email, access.email].find(isEmail)
  const expiresAt = login.expiresAt ?? access.expiresAt
  const common = withoutUndefined({
    provider: login.provider,
    name: login.named === true ? login.name : profileNameOr(email, login.name),
    email,
    account: login.account ?? identity.account ?? access.account,
    baseUrl: login.baseUrl,
    headers: login.headers,
    source: login.source,
    ...login.extra,
  })
  if (takeOver === true && refreshToken !== undefined) {
    const oauth = withoutUndefined({
      accessToken: accessToken ?? '',
      refreshToken,
      // Without a known expiry the access token is renewed before it is used.
      expiresAt: expiresAt ?? new Date(0),
      email,
      clientId: login.clientId,
      scopes: login.scopes,
      metadata: textsOf(login.metadata),
    })
    return { draft: { ...common, mode: 'oauth', oauth }, otherwise }
  }
  if (accessToken === undefined) {
    const rest = refreshToken === undefined ? '' : ', only a refresh token; --take-over imports it'
    return { skipped: `the login holds no access token${rest}` }
  }
  const ofLogin = refreshToken === undefined ? undefined : (true as const)
  const token = withoutUndefined({ secret: accessToken, expiresAt, ofLogin })
  return { draft: { ...common, mode: 'token', ...token }, otherwise }
}

/**
 * A field that holds an instant as milliseconds since 1970 (seconds are understood); 0 means none.
 *
 * @throws KeymuxError `invalid_import`
 */
export function readEpoch(fields: JsonReader, name: string): Date | undefined {
  const count = fields.optionalInteger(name, 0)
  if (count === undefined || count === 0) return undefined
  const ms = count < FEWEST_MS ? count * 1000 : count
  if (ms > LATEST_MS) throw fields.wrong(name, 'milliseconds since 1970')
  return new Date(ms)
}

/** `text` where it can be a profile's name, else `otherwise`. */
export function profileNameOr(text: string | undefined, otherwise: string): string {
  if (text === undefined) return otherwise
  try {
    return parseProfileName(text)
  } catch {
    return otherwise
  }
}

function textsOf(
  metadata: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> | undefined {
  const texts = Object.entries(metadata).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))
  return texts.length === 0 ? undefined : Object.fromEntries(texts)
}
