import type { CandidateReason, KeymuxError } from './errors.js'
import type { AuthMode, AuthProfile, OAuthCredential, OAuthToken } from './profile.js'
import type { Certainty, FailureReason, OutcomeOrigin, Told } from './usage.js'

/** A source of time. The system's, or the fake one of `keymux/testing`. */
export interface Clock {
  /** The present instant. */
  now(): Date
}

/** A source of randomness in [0, 1), for jitter only. */
export type Random = () => number

/** The global `fetch`'s shape. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** Where keymux reports what it does. Messages and fields never carry a secret. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Options of everything that does I/O. */
export interface CallOptions {
  /** Aborts the wait of this caller; work shared with others goes on. */
  readonly signal?: AbortSignal | undefined
}

/** Named secrets in an encrypted vault. */
export interface VaultInterface {
  /** @throws KeymuxError `secret_not_found`, `vault_locked` */
  get(name: string, options?: CallOptions): Promise<string>
  set(name: string, value: string, options?: CallOptions): Promise<void>
  has(name: string, options?: CallOptions): Promise<boolean>
  /** Deleting what is not there is no error. */
  delete(name: string, options?: CallOptions): Promise<void>
  isUnlocked(): boolean
  /** The manager of the profiles that this vault keeps as records of their own; absent where it keeps none so. */
  readonly profileManager?: ProfileManager | undefined
}

/**
 * How to order several usable profiles of a provider.
 *
 * - `default`: the profile named `default`, then priority, then name
 * - `valid`: valid ones, priority, last good, most recently used, name
 * - `recent`: most recently used, then priority, name
 * - `type`: oauth, token, api_key; least recently used within a type
 * - `quota`: priority, then most left of its limits; what is not known counts as untouched
 * - `reset`: priority, then whose limits reset soonest, so that what would lapse is used
 * - `weighted`: priority, then in turn, each as often as its weight says
 *
 * In each, profiles that are kept in reserve come last.
 */
export type ProfilePreference = 'default' | 'valid' | 'recent' | 'type' | 'quota' | 'reset' | 'weighted'

/** All preferences. */
export const PROFILE_PREFERENCES: readonly ProfilePreference[] = [
  'default',
  'valid',
  'recent',
  'type',
  'quota',
  'reset',
  'weighted',
]

/** A profile that a request is bound to, though others may serve it. */
export interface Familiar {
  readonly profileId: string
  /** Whether it goes before profiles of a higher priority too. */
  readonly above: boolean
}

/** Which profile is wanted. */
export interface ResolutionOptions {
  readonly provider: string
  /** The name (or id) of a profile that goes first unless it is unusable. */
  readonly preferredProfile?: string | undefined
  readonly preference?: ProfilePreference | undefined
  /** Leave out profiles whose credential has expired and cannot be renewed. */
  readonly requireValid?: boolean | undefined
  readonly mode?: AuthMode | undefined
  /** Leave out profiles that may not, or cannot at present, serve this model. */
  readonly model?: string | undefined
  /** Take the preferred profile or none. */
  readonly strict?: boolean | undefined
  /** Ids of the only profiles that may serve. */
  readonly only?: ReadonlySet<string> | undefined
  /**
   * The pool to stay in; `null` is that of profiles without one. Absent: that of the preferred profile, or of the one
   * that comes first, usable now or not. Without effect at a provider that has no pools.
   */
  readonly pool?: string | null | undefined
  /** Goes after the preferred profile and before the order of preference, where it is usable. */
  readonly familiar?: Familiar | undefined
}

/** The seed's resolution result: either a profile with its credential, or an error. */
export interface ProfileResolutionResult {
  readonly profile?: AuthProfile
  readonly credential: string
  readonly provider: string
  readonly email?: string
  readonly error?: KeymuxError
  readonly attemptedProfiles: readonly string[]
}

/** A resolution that succeeded. */
export interface Resolution extends ProfileResolutionResult {
  readonly profile: AuthProfile
  readonly error?: never
  /** When the credential expires, if it does. */
  readonly expiresAt?: Date
  /** To be handed back with the outcome of a request. From managers of keymux's own. */
  readonly origin?: OutcomeOrigin
}

/** What accompanies a reported failure. */
export interface FailureOptions extends CallOptions {
  /** The wait that the provider stated, in milliseconds; capped at 24 h, or at 8 days for a rate limit with a `certainty`. */
  readonly retryAfterMs?: number | undefined
  /** The model the request was for: makes a rate limit model-scoped. */
  readonly model?: string | undefined
  /** A message for `last_error`; it is redacted before it is stored. */
  readonly message?: string | undefined
  /** What an answer or a message told the reason by. Absent: a caller's own word, which has its full effect. */
  readonly certainty?: Certainty | undefined
  /** What the answer told it by, for people. */
  readonly told?: Told | undefined
  /**
   * Which credential the request was sent with: of a {@link Resolution}. A failure of one that was replaced or reset
   * since has no effect. Absent: the present one.
   */
  readonly origin?: OutcomeOrigin | undefined
}

/** Keeps profiles, and what is known of their use. */
export interface ProfileManager {
  get(id: string, options?: CallOptions): Promise<AuthProfile | undefined>
  /** Profiles of one provider, in the order of `preference`; cooling and switched-off ones included, last. */
  getByProvider(
    provider: string,
    preference?: ProfilePreference,
    options?: CallOptions,
  ): Promise<AuthProfile[]>
  /** Adds or replaces one profile. */
  save(profile: AuthProfile, options?: CallOptions): Promise<void>
  /** @throws KeymuxError `profile_not_found` */
  delete(id: string, options?: CallOptions): Promise<void>
  /** All profiles, by id. */
  list(options?: CallOptions): Promise<AuthProfile[]>
  /** Never throws for want of a usable profile: the result carries `error`. */
  resolve(request: ResolutionOptions, options?: CallOptions): Promise<ProfileResolutionResult>
  markUsed(id: string, options?: CallOptions): Promise<void>
  markError(id: string, error: unknown, options?: CallOptions): Promise<void>
  markFailure(id: string, reason: FailureReason, options?: FailureOptions): Promise<void>
  isInCooldown(id: string, options?: CallOptions): Promise<boolean>
  /** Whether anything changed. */
  clearExpiredCooldowns(options?: CallOptions): Promise<boolean>
}

/** Options of {@link OAuthManager.getValidToken}. */
export interface TokenOptions extends CallOptions {
  /**
   * How long to wait for the renewal of a token that is due and still good, in milliseconds; it is handed out then.
   * Default 0: it is handed out at once, and renewed in the background.
   */
  readonly renewalWaitMs?: number | undefined
}

/** Hands out valid OAuth tokens and stores new ones. Keyed by profile id, never by provider. */
export interface OAuthManager {
  /** A valid credential of the profile, renewed first when that is due. */
  getValidToken(profileId: string, options?: TokenOptions): Promise<OAuthCredential>
  saveCredential(profileId: string, credential: OAuthCredential, options?: CallOptions): Promise<void>
}

/** One request to a token endpoint: a refresh token in, new tokens out. */
export interface OAuthTokenRefresher {
  refreshToken(provider: string, refreshToken: string, options?: RefreshOptions): Promise<OAuthToken>
}

/** What a refresher may need besides the token. */
export interface RefreshOptions extends CallOptions {
  readonly profileId?: string | undefined
  readonly clientId?: string | undefined
  /** Where the secret of that client is kept. */
  readonly clientSecretRef?: string | undefined
  readonly scopes?: readonly string[] | undefined
  /** The credential's own metadata: texts that may come from anywhere. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export type { CandidateReason }
