import type { Explanation } from './explanation.js'
import type { CallOptions, Familiar, ProfilePreference, Resolution, ResolutionOptions } from './ports.js'
import type { AuthMode, AuthProfile, OAuthCredential } from './profile.js'

/** Options of a resolution. */
export interface ResolveOptions extends CallOptions {
  readonly mode?: AuthMode | undefined
  readonly model?: string | undefined
  readonly preference?: ProfilePreference | undefined
  /** Take the preferred profile or none. */
  readonly strict?: boolean | undefined
  /** Ids of the only profiles that may serve. Default: all. */
  readonly only?: ReadonlySet<string> | undefined
  /**
   * The pool to stay in; `null` is that of profiles without one. Default: that of the preferred profile, or of the one
   * that comes first, usable now or not. Without effect at a provider that has no pools.
   */
  readonly pool?: string | null | undefined
  /** Goes after the preferred profile and before the order of preference, where it is usable. */
  readonly familiar?: Familiar | undefined
  /** Ids of profiles that are not wanted, such as those that were tried already. */
  readonly exclude?: ReadonlySet<string> | undefined
  /** Those of them that were asked: the request stays in the pool of the first. Default: all that are excluded. */
  readonly tried?: ReadonlySet<string> | undefined
  /**
   * When an OAuth token is due for renewal and still good, wait up to this many milliseconds for the new one.
   * Default 0: it is handed out at once and renewed in the background.
   */
  readonly renewalWaitMs?: number | undefined
  /** When everything is cooling, wait up to this many milliseconds for the soonest. Default 0: throw at once. */
  readonly maxWaitMs?: number | undefined
}

/** What a resolver's cache holds. */
export interface CacheStats {
  readonly totalEntries: number
  readonly valid: number
  readonly expired: number
}

/**
 * Hands out a credential that works now: the first usable profile in the order of preference, OAuth logins
 * renewed, profiles whose credential cannot be had passed over.
 */
export interface CredentialResolver {
  /**
   * A credential of `provider`; the profile named `preferredProfile` goes first unless it is unusable.
   *
   * @throws NoUsableProfileError when nothing can be handed out now
   * @throws KeymuxError `unknown_provider`, `profile_not_found`, `vault_locked`, storage errors
   */
  resolve(provider: string, preferredProfile?: string, options?: ResolveOptions): Promise<Resolution>
  /**
   * What `resolve` would give, when that can be said without waiting for anything: nothing changed elsewhere, and
   * the credential of the profile that is chosen is open already. `undefined` otherwise.
   */
  resolveNow(provider: string, preferredProfile?: string, options?: ResolveOptions): Resolution | undefined
  /**
   * A credential of a disabled profile for one request that shows whether the disable still holds: at most
   * one per profile and 10 minutes, among all processes. For those who report the outcome, and only when
   * nothing else is available. `undefined` when no trial is due.
   */
  resolveTrial(
    provider: string,
    preferredProfile?: string,
    options?: ResolveOptions,
  ): Promise<Resolution | undefined>
  /**
   * Whom {@link CredentialResolver.resolve} would choose among, in which order and why. It opens no credential, and so
   * does not know of one that cannot be had.
   *
   * @throws KeymuxError `unknown_provider`, `profile_not_found`, storage errors
   */
  explain(provider: string, preferredProfile?: string, options?: ResolveOptions): Promise<Explanation>
  /** Like `resolve`, from profiles of one mode alone. */
  resolveWithMode(provider: string, mode: AuthMode, options?: ResolveOptions): Promise<Resolution>
  /** An API key of `provider`. */
  resolveApiKey(provider: string, options?: ResolveOptions): Promise<{ apiKey: string; profile: AuthProfile }>
  /** An OAuth credential of `provider`, renewed first when that is due. */
  resolveOAuth(
    provider: string,
    options?: ResolveOptions,
  ): Promise<{ credential: OAuthCredential; profile: AuthProfile }>
  /** Any credential: oauth first, then api_key, then token. */
  resolveAny(provider: string, options?: ResolveOptions): Promise<Resolution>
  /** Forgets opened credentials of one provider, or all. */
  invalidateCache(provider?: string): void
  /** How many opened credentials are held, and how many of them would be served. */
  getCacheStats(): CacheStats
}

/** Finds what a resolver hands out. Requests name their provider in lower case. */
export interface CredentialFinder {
  /** @throws as `Resolver.resolve` */
  find(request: ResolutionOptions, options: ResolveOptions): Promise<Resolution>
  /** What `find` would give, when that can be said without waiting for anything. */
  findNow(request: ResolutionOptions, options: ResolveOptions): Resolution | undefined
  /** A disabled profile's credential, for the one request in a while that shows whether the disable still holds. */
  findTrial(request: ResolutionOptions, options: ResolveOptions): Promise<Resolution | undefined>
  /** Whom `find` would choose among. Absent where it does not choose itself. */
  explain?(request: ResolutionOptions, options: ResolveOptions): Promise<Explanation>
  /** Forgets opened credentials of one provider; of all where it is empty. */
  forget(provider: string): void
  stats(): CacheStats
}
