import { randomBytes } from 'node:crypto'
import { withoutUndefined } from '../domain/defined.js'
import type { ProfileId } from '../domain/ids.js'
import { profileName, profileProvider } from '../domain/ids.js'
import type {
  ApiKeyCredential,
  AuthMode,
  AuthProfile,
  OAuthCredential,
  TokenCredential,
} from '../domain/profile.js'

/** The texts of a profile that must never be seen by accident. */
export interface ProfileSecrets {
  readonly key?: string
  readonly token?: string
  readonly accessToken?: string
  readonly refreshToken?: string
}

/** What a profile is, whatever it is called and whatever its credential. */
export interface ProfileIdentity {
  /** 16 random bytes in base64url: given once, kept through renames and new credentials, never used again. */
  readonly uid: string
  /** Counts the credentials that it has had: new keys, logins, renewals. From 1; absent while it has had none. */
  readonly generation?: number
  /** The generation that came in the place of another credential, by hand or by a login, not by a renewal. */
  readonly replacedAt?: number
}

/** Everything of a profile but its secrets and the memory of its use. Instants are epoch milliseconds. */
export interface ProfileMeta extends ProfileIdentity {
  readonly id: ProfileId
  readonly mode: AuthMode
  readonly priority: number
  readonly enabled: boolean
  readonly createdAt: number
  readonly updatedAt: number
  /** Whether a key, token or access token is stored. */
  readonly hasSecret: boolean
  readonly hasRefresh: boolean
  readonly reference?: string
  readonly expiresAt?: number
  readonly issuedAt?: number
  readonly email?: string
  readonly clientId?: string
  readonly clientSecretRef?: string
  readonly scopes?: readonly string[]
  readonly metadata?: Readonly<Record<string, string>>
  readonly loginNeeded?: boolean
  readonly account?: string
  readonly models?: readonly string[]
  readonly baseUrl?: string
  readonly pool?: string
  readonly concurrency?: number
  readonly weight?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly proxy?: string
}

/** A stored profile: metadata at hand, secrets opened on demand. */
export interface ProfileRecord {
  readonly meta: ProfileMeta
  /** @throws KeymuxError `vault_locked`, `vault_corrupt` */
  openSecrets(): ProfileSecrets
}

/** Fields that are kept with the memory of use rather than with the profile. */
export interface UsedFacts {
  readonly lastUsedAt?: Date | undefined
  readonly lastError?: string | undefined
  readonly lastErrorAt?: Date | undefined
}

/**
 * Splits a profile into what is listed and what is sealed apart. Credentials of another mode than the profile's own
 * are dropped: nobody has checked them.
 */
export function splitProfile(
  profile: AuthProfile,
  identity: ProfileIdentity,
): { meta: ProfileMeta; secrets: ProfileSecrets } {
  const { mode } = profile
  const apiKey = mode === 'api_key' ? profile.apiKey : undefined
  const token = mode === 'token' ? profile.token : undefined
  const oauth = mode === 'oauth' ? profile.oauth : undefined
  const secrets: ProfileSecrets = withoutUndefined({
    key: filled(apiKey?.key),
    token: filled(token?.token),
    accessToken: filled(oauth?.accessToken),
    refreshToken: filled(oauth?.refreshToken),
  })
  const meta: ProfileMeta = withoutUndefined({
    uid: identity.uid,
    generation: identity.generation,
    replacedAt: identity.replacedAt,
    id: profile.id,
    mode,
    priority: profile.priority,
    enabled: profile.enabled,
    createdAt: profile.createdAt.getTime(),
    updatedAt: profile.updatedAt.getTime(),
    hasSecret: (secrets.key ?? secrets.token ?? secrets.accessToken) !== undefined,
    hasRefresh: secrets.refreshToken !== undefined,
    reference: filled(apiKey?.keyRef ?? token?.tokenRef),
    expiresAt: (oauth?.expiresAt ?? token?.expiresAt)?.getTime(),
    issuedAt: oauth?.issuedAt?.getTime(),
    email: oauth?.email,
    clientId: oauth?.clientId,
    clientSecretRef: filled(oauth?.clientSecretRef),
    scopes: oauth?.scopes,
    metadata: oauth?.metadata,
    loginNeeded: oauth?.loginNeeded === true ? true : undefined,
    account: profile.account,
    models: profile.models !== undefined && profile.models.length > 0 ? profile.models : undefined,
    baseUrl: profile.baseUrl,
    pool: profile.pool,
    concurrency: profile.concurrency,
    weight: profile.weight,
    headers: profile.headers,
    proxy: profile.proxy,
  })
  return { meta, secrets }
}

/** A new uid. */
export function newUid(): string {
  return randomBytes(16).toString('base64url')
}

/**
 * The profile as its users see it. Secret fields are accessors that open the sealed part when they are
 * read, so that listing opens nothing.
 */
export function toProfile(record: ProfileRecord, used: UsedFacts): AuthProfile {
  const { meta } = record
  return withoutUndefined({
    id: meta.id,
    provider: profileProvider(meta.id),
    name: profileName(meta.id),
    mode: meta.mode,
    priority: meta.priority,
    enabled: meta.enabled,
    createdAt: new Date(meta.createdAt),
    updatedAt: new Date(meta.updatedAt),
    lastUsedAt: used.lastUsedAt,
    lastError: used.lastError,
    lastErrorAt: used.lastErrorAt,
    apiKey: meta.mode === 'api_key' ? apiKeyOf(record) : undefined,
    oauth: meta.mode === 'oauth' ? oauthOf(record) : undefined,
    token: meta.mode === 'token' ? tokenOf(record) : undefined,
    account: meta.account,
    models: meta.models,
    baseUrl: meta.baseUrl,
    pool: meta.pool,
    concurrency: meta.concurrency,
    weight: meta.weight,
    headers: meta.headers,
    proxy: meta.proxy,
  })
}

/** Whether anything that authenticates differs between two stored profiles. */
export function credentialChanged(before: ProfileRecord, after: ProfileRecord): boolean {
  if (before.meta.mode !== after.meta.mode || before.meta.reference !== after.meta.reference) return true
  const old = before.openSecrets()
  const fresh = after.openSecrets()
  return (
    old.key !== fresh.key ||
    old.token !== fresh.token ||
    old.accessToken !== fresh.accessToken ||
    old.refreshToken !== fresh.refreshToken
  )
}

function apiKeyOf(record: ProfileRecord): ApiKeyCredential | undefined {
  if (!record.meta.hasSecret && record.meta.reference === undefined) return undefined
  const credential = withoutUndefined({ keyRef: record.meta.reference })
  if (record.meta.hasSecret) lazily(credential, 'key', () => record.openSecrets().key ?? '')
  return credential
}

function tokenOf(record: ProfileRecord): TokenCredential | undefined {
  const { hasSecret, reference, expiresAt } = record.meta
  if (!hasSecret && reference === undefined) return undefined
  const credential = withoutUndefined({
    tokenRef: reference,
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
  })
  if (hasSecret) lazily(credential, 'token', () => record.openSecrets().token ?? '')
  return credential
}

function oauthOf(record: ProfileRecord): OAuthCredential | undefined {
  const { meta } = record
  // After a logout there are no tokens, and whose they were is still known.
  if (!meta.hasSecret && !meta.hasRefresh && meta.loginNeeded !== true) return undefined
  const credential = withoutUndefined({
    provider: profileProvider(meta.id),
    profileName: profileName(meta.id),
    accessToken: '',
    refreshToken: '',
    expiresAt: new Date(meta.expiresAt ?? 0),
    issuedAt: meta.issuedAt === undefined ? undefined : new Date(meta.issuedAt),
    generation: meta.generation,
    email: meta.email,
    clientId: meta.clientId,
    clientSecretRef: meta.clientSecretRef,
    scopes: meta.scopes,
    metadata: meta.metadata,
    loginNeeded: meta.loginNeeded,
  })
  if (meta.hasSecret) lazily(credential, 'accessToken', () => record.openSecrets().accessToken ?? '')
  if (meta.hasRefresh) lazily(credential, 'refreshToken', () => record.openSecrets().refreshToken ?? '')
  return credential
}

function lazily(target: object, field: string, open: () => string): void {
  Object.defineProperty(target, field, { enumerable: true, configurable: true, get: open })
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
