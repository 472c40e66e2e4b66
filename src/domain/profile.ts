import { KeymuxError } from './errors.js'
import type { ProfileId } from './ids.js'

/** How a profile authenticates. */
export type AuthMode = 'api_key' | 'oauth' | 'token'

/** All modes, in the order in which `type` preference tries them. */
export const AUTH_MODES: readonly AuthMode[] = ['oauth', 'token', 'api_key']

/**
 * Stands in place of an API key where a provider needs none ({@link ProviderMetadata.keyless}): programs that insist on a
 * key are given it, and it is never sent.
 */
export const NO_KEY = 'no-key'

/** A static API key, or a reference to where it is kept (`vault://NAME`, `env://VAR`, `file:///path`). */
export interface ApiKeyCredential {
  readonly key?: string
  readonly keyRef?: string
}

/** A static bearer token, or a reference to it, with its optional expiry. */
export interface TokenCredential {
  readonly token?: string
  readonly tokenRef?: string
  readonly expiresAt?: Date
}

/** An OAuth login of one profile. */
export interface OAuthCredential {
  readonly provider: string
  readonly profileName: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly expiresAt: Date
  /** When the access token was obtained: with {@link expiresAt} it tells how long such tokens live. */
  readonly issuedAt?: Date
  /**
   * Which tokens these are: counted up by the profile manager whenever a profile gets others, by a renewal
   * or by a login. What callers put here is not stored.
   */
  readonly generation?: number
  readonly email?: string
  readonly clientId?: string
  /**
   * Where the secret of that client is kept, if it has one: `vault://NAME`, `env://VAR`, `file:///path`. A person
   * names it, at a login; it comes from no metadata, no tool and no answer of a server.
   */
  readonly clientSecretRef?: string
  readonly scopes?: readonly string[]
  /**
   * Provider-specific data such as a project id; `subject` is the account's own id at the provider. Nothing is ever
   * read, run or called because of what stands here.
   */
  readonly metadata?: Readonly<Record<string, string>>
  /** The provider has ended this login for good: nothing but a new one helps. The tokens are kept. */
  readonly loginNeeded?: boolean
}

/** An OAuth credential as the oauth module speaks of it: without the profile it belongs to. */
export interface OAuthToken {
  readonly provider: string
  readonly accessToken: string
  /** Absent in a refresh answer that keeps the old one (RFC 6749 section 6). */
  readonly refreshToken?: string
  readonly expiresAt: Date
  readonly issuedAt?: Date
  readonly email?: string
  readonly clientId?: string
  readonly scopes?: readonly string[]
  readonly metadata?: Readonly<Record<string, string>>
}

/** One named credential of one provider. Plain and read-only: operations return a new profile. */
export interface AuthProfile {
  readonly id: ProfileId
  readonly provider: string
  readonly name: string
  readonly mode: AuthMode
  /** Higher goes first; 0 by default. */
  readonly priority: number
  /** False when its owner switched it off. */
  readonly enabled: boolean
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly lastUsedAt?: Date
  readonly lastError?: string
  readonly lastErrorAt?: Date
  readonly apiKey?: ApiKeyCredential
  readonly oauth?: OAuthCredential
  readonly token?: TokenCredential
  /** The organisation, project or subscription behind the key: provider limits sit there. */
  readonly account?: string
  /** Globs of the models this profile may serve (`gpt-4*`); absent or empty means all. */
  readonly models?: readonly string[]
  /** Accounts of one pool stand in for each other, and for no others. Absent: the pool of those without a name. */
  readonly pool?: string
  /** How many requests it may serve at the same time; absent means any number. */
  readonly concurrency?: number
  /** Its share of the requests under the preference `weighted`: 1 to 100, 1 by default. */
  readonly weight?: number
  /** Headers that go with every request of this account, such as `openai-organization`. Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** Overrides the provider's base URL for this profile. */
  readonly baseUrl?: string
  /** The proxy of this account: a URL without a login, a reference to one with, or `none`. */
  readonly proxy?: string
}

/** An OAuth access token counts as expired this long before its time: 5 minutes, in milliseconds. */
export const OAUTH_EXPIRY_BUFFER_MS = 300_000

/** Reads a named secret for a `vault://` reference; `undefined` when there is none. */
export type VaultGetter = (name: string) => string | undefined | Promise<string | undefined>

/** Whether the access token is expired or will be within `bufferMs` milliseconds. */
export function isOAuthCredentialExpired(
  credential: OAuthCredential,
  bufferMs: number,
  now: Date = new Date(),
): boolean {
  return now.getTime() + bufferMs >= credential.expiresAt.getTime()
}

/** Whether there is an access token that outlives the 5-minute buffer. */
export function isOAuthCredentialValid(credential: OAuthCredential, now: Date = new Date()): boolean {
  return credential.accessToken !== '' && !isOAuthCredentialExpired(credential, OAUTH_EXPIRY_BUFFER_MS, now)
}

/** Whether the profile's own credential has passed its expiry. An API key never expires by itself. */
export function isProfileExpired(profile: AuthProfile, now: Date = new Date()): boolean {
  if (profile.mode === 'oauth') {
    return profile.oauth !== undefined && isOAuthCredentialExpired(profile.oauth, OAUTH_EXPIRY_BUFFER_MS, now)
  }
  if (profile.mode === 'token') {
    const expiresAt = profile.token?.expiresAt
    return expiresAt !== undefined && now.getTime() >= expiresAt.getTime()
  }
  return false
}

/**
 * Whether the profile is switched on and carries a credential that works or can be renewed: a key or
 * key reference; an unexpired token or token reference; an OAuth login whose access token is valid or
 * that has a refresh token.
 */
export function isProfileValid(profile: AuthProfile, now: Date = new Date()): boolean {
  if (!profile.enabled) return false
  switch (profile.mode) {
    case 'api_key':
      return filled(profile.apiKey?.key) || filled(profile.apiKey?.keyRef)
    case 'token':
      return (
        (filled(profile.token?.token) || filled(profile.token?.tokenRef)) && !isProfileExpired(profile, now)
      )
    case 'oauth':
      return (
        profile.oauth !== undefined &&
        profile.oauth.loginNeeded !== true &&
        (filled(profile.oauth.refreshToken) || isOAuthCredentialValid(profile.oauth, now))
      )
  }
}

/**
 * The API key itself; a reference (`vault://NAME`, or a bare `NAME` as DevClaw writes it) is looked up
 * with `vaultGetter`.
 *
 * @throws KeymuxError `unsupported_mode` on a profile of another mode, `reference_unresolved` when there is nothing
 */
export async function getProfileApiKey(profile: AuthProfile, vaultGetter: VaultGetter): Promise<string> {
  if (profile.mode !== 'api_key') throw wrongMode(profile, 'api_key')
  return secretOrReference(profile, profile.apiKey?.key, profile.apiKey?.keyRef, vaultGetter)
}

/**
 * The bearer token itself: the static token, its reference looked up, or the OAuth access token.
 *
 * @throws KeymuxError `unsupported_mode` on an API-key profile, `reference_unresolved` when there is nothing
 */
export async function getProfileToken(profile: AuthProfile, vaultGetter: VaultGetter): Promise<string> {
  if (profile.mode === 'api_key') throw wrongMode(profile, 'token')
  if (profile.mode === 'oauth')
    return secretOrReference(profile, profile.oauth?.accessToken, undefined, vaultGetter)
  return secretOrReference(profile, profile.token?.token, profile.token?.tokenRef, vaultGetter)
}

/** A copy that was used successfully at `now`; its last error is cleared. */
export function markProfileUsed(profile: AuthProfile, now: Date = new Date()): AuthProfile {
  return { ...clearProfileError(profile, now), lastUsedAt: now }
}

/** A copy that remembers `error` (its message alone). */
export function markProfileError(profile: AuthProfile, error: unknown, now: Date = new Date()): AuthProfile {
  const lastError = error instanceof Error ? error.message : String(error)
  return { ...profile, lastError, lastErrorAt: now, updatedAt: now }
}

/** A copy without a last error. */
export function clearProfileError(profile: AuthProfile, now: Date = new Date()): AuthProfile {
  const { lastError: _message, lastErrorAt: _at, ...rest } = profile
  return { ...rest, updatedAt: now }
}

/** The credential as the oauth module speaks of it. */
export function toOAuthToken(credential: OAuthCredential): OAuthToken {
  const {
    profileName: _name,
    loginNeeded: _needed,
    generation: _generation,
    clientSecretRef: _reference,
    ...token
  } = credential
  return token
}

/** The credential of the profile `profileName` made from a token. A missing refresh token becomes empty. */
export function fromOAuthToken(token: OAuthToken, name: string): OAuthCredential {
  return { ...token, refreshToken: token.refreshToken ?? '', profileName: name }
}

/**
 * What a profile holds after a refresh: the new tokens, and from the old credential whatever the answer
 * does not mention — refresh token, scopes, client id, e-mail, metadata (RFC 6749 section 6). The reference to the
 * client's secret is never taken from an answer, and stays with the client that it belongs to.
 */
export function mergeRefreshedCredential(old: OAuthCredential, fresh: OAuthToken): OAuthCredential {
  const email = fresh.email ?? old.email
  const clientId = fresh.clientId ?? old.clientId
  const clientSecretRef = clientId === old.clientId ? old.clientSecretRef : undefined
  const scopes = fresh.scopes !== undefined && fresh.scopes.length > 0 ? fresh.scopes : old.scopes
  const metadata = old.metadata || fresh.metadata ? { ...old.metadata, ...fresh.metadata } : undefined
  return {
    provider: old.provider,
    profileName: old.profileName,
    accessToken: fresh.accessToken,
    refreshToken: filled(fresh.refreshToken) ? fresh.refreshToken : old.refreshToken,
    expiresAt: fresh.expiresAt,
    ...(fresh.issuedAt === undefined ? {} : { issuedAt: fresh.issuedAt }),
    ...(email === undefined ? {} : { email }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecretRef === undefined ? {} : { clientSecretRef }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/** Whether two credentials are the same tokens, not one and what a renewal or login made of it. */
export function isSameVersion(a: OAuthCredential, b: OAuthCredential): boolean {
  return a.generation === b.generation && a.refreshToken === b.refreshToken && a.accessToken === b.accessToken
}

/**
 * Whether two credentials may belong to one account: their subjects agree, else their e-mail addresses do,
 * else there is nothing to tell them apart by.
 */
export function isSameAccount(a: AccountFacts, b: AccountFacts): boolean {
  const [subject, other] = [a.metadata?.subject, b.metadata?.subject]
  if (subject !== undefined && other !== undefined) return subject === other
  if (a.email !== undefined && b.email !== undefined) return a.email.toLowerCase() === b.email.toLowerCase()
  return true
}

/** What tells accounts apart. */
type AccountFacts = Pick<OAuthToken, 'email' | 'metadata'>

/** The secret name behind a `vault://NAME` reference or DevClaw's bare `NAME`; `undefined` for other schemes. */
export function vaultReferenceName(reference: string): string | undefined {
  if (reference.startsWith('vault://')) return reference.slice('vault://'.length)
  return reference.includes('://') ? undefined : reference
}

/** A reference as it may be told to anybody: a command line may hold anything, and is left out. */
export function shownReference(reference: string): string {
  return reference.startsWith('exec://') ? 'exec://…' : reference
}

async function secretOrReference(
  profile: AuthProfile,
  secret: string | undefined,
  reference: string | undefined,
  vaultGetter: VaultGetter,
): Promise<string> {
  if (filled(secret)) return secret
  if (filled(reference)) {
    const found = await vaultGetter(vaultReferenceName(reference) ?? reference)
    if (filled(found)) return found
    throw new KeymuxError(
      'reference_unresolved',
      `${profile.id} refers to ${shownReference(reference)}, which holds nothing`,
      {
        hint: 'set the secret, or replace the profile with keymux add --replace',
      },
    )
  }
  throw new KeymuxError('reference_unresolved', `${profile.id} has no credential`, {
    hint: profile.mode === 'oauth' ? `run keymux login ${profile.id}` : 'add one with keymux add --replace',
  })
}

function wrongMode(profile: AuthProfile, wanted: AuthMode): KeymuxError {
  return new KeymuxError('unsupported_mode', `${profile.id} holds ${profile.mode}, not ${wanted}`)
}

function filled(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}
