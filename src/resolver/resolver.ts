import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Explanation } from '../domain/explanation.js'
import type { Clock, Resolution, ResolutionOptions } from '../domain/ports.js'
import type { AuthMode, AuthProfile, OAuthCredential } from '../domain/profile.js'
import type { CacheStats, CredentialFinder, CredentialResolver, ResolveOptions } from '../domain/resolver.js'
import type { FinderParts, ResolverConfig } from './config.js'
import { NativeFinder } from './native-finder.js'

const NO_OPTIONS: ResolveOptions = {}
const SYSTEM_CLOCK: Clock = { now: () => new Date() }

/**
 * Hands out a credential that works now: the first usable profile in the order of preference, OAuth logins
 * renewed, profiles whose credential cannot be had passed over.
 *
 * What is cached are opened credentials, never decisions: a profile that was cooled, switched off, changed
 * or deleted, here or in another process, is not handed out.
 */
export class Resolver implements CredentialResolver {
  readonly #config: ResolverConfig
  readonly #finder: CredentialFinder

  /** @param foreign Finds credentials through a manager of another make. Without it, there is none. */
  constructor(config: ResolverConfig, foreign: (parts: FinderParts) => CredentialFinder = refuseForeign) {
    this.#config = config
    const { store, oauthManager, logger, clock = SYSTEM_CLOCK, jitter = 0, providers } = config
    const parts = { store, oauthManager, logger, clock, jitter, providers }
    this.#finder = store.native === undefined ? foreign(parts) : new NativeFinder(store.native, parts)
  }

  /**
   * A credential of `provider`; the profile named `preferredProfile` goes first unless it is unusable.
   *
   * @throws NoUsableProfileError when nothing can be handed out now
   * @throws KeymuxError `unknown_provider`, `profile_not_found`, `vault_locked`, storage errors
   */
  resolve(
    provider: string,
    preferredProfile?: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<Resolution> {
    const request = this.#request(provider, preferredProfile, options)
    if (options.signal?.aborted !== true) {
      const now = this.#finder.findNow(request, options)
      if (now !== undefined) return Promise.resolve(now)
    }
    return this.#finder.find(request, options)
  }

  /**
   * What {@link Resolver.resolve} would give, when that can be said without waiting for anything: nothing
   * changed elsewhere, and the credential of the profile that is chosen is open already. `undefined` otherwise.
   */
  resolveNow(
    provider: string,
    preferredProfile?: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Resolution | undefined {
    return this.#finder.findNow(this.#request(provider, preferredProfile, options), options)
  }

  /**
   * A credential of a disabled profile for one request that shows whether the disable still holds: at most
   * one per profile and 10 minutes, among all processes. For those who report the outcome, and only when
   * nothing else is available. `undefined` when no trial is due.
   */
  async resolveTrial(
    provider: string,
    preferredProfile?: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<Resolution | undefined> {
    return this.#finder.findTrial(this.#request(provider, preferredProfile, options), options)
  }

  /**
   * Whom {@link Resolver.resolve} would choose among, in which order and why. It opens no credential, and so does not
   * know of one that cannot be had.
   *
   * @example
   * const { candidates } = await resolver.explain('openai', undefined, { model: 'gpt-4o' })
   * candidates[0]?.rule // 'preference'
   * @throws KeymuxError `unknown_provider`, `profile_not_found`, storage errors
   */
  async explain(
    provider: string,
    preferredProfile?: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<Explanation> {
    const request = this.#request(provider, preferredProfile, options)
    if (this.#finder.explain !== undefined) return this.#finder.explain(request, options)
    throw new KeymuxError('internal_error', 'this manager chooses by itself, and does not say how')
  }

  /** Like {@link Resolver.resolve}, from profiles of one mode alone. */
  resolveWithMode(
    provider: string,
    mode: AuthMode,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<Resolution> {
    return this.resolve(provider, undefined, { ...options, mode })
  }

  /** An API key of `provider`. */
  async resolveApiKey(
    provider: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<{ apiKey: string; profile: AuthProfile }> {
    const { credential, profile } = await this.resolveWithMode(provider, 'api_key', options)
    return { apiKey: credential, profile }
  }

  /** An OAuth credential of `provider`, renewed first when that is due. */
  async resolveOAuth(
    provider: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<{ credential: OAuthCredential; profile: AuthProfile }> {
    const { profile } = await this.resolveWithMode(provider, 'oauth', options)
    if (profile.oauth === undefined)
      throw new KeymuxError('internal_error', `${profile.id} lost its OAuth login`)
    return { credential: profile.oauth, profile }
  }

  /** Any credential: oauth first, then api_key, then token. */
  async resolveAny(provider: string, options: ResolveOptions = NO_OPTIONS): Promise<Resolution> {
    for (const mode of ['oauth', 'api_key', 'token'] as const) {
      try {
        return await this.resolveWithMode(provider, mode, { ...options, maxWaitMs: 0 })
      } catch (error) {
        if (!isKeymuxError(error, 'no_usable_profile')) throw error
      }
    }
    return this.resolve(provider, undefined, { ...options })
  }

  /** Forgets opened credentials of one provider, or all. */
  invalidateCache(provider?: string): void {
    this.#finder.forget(provider?.toLowerCase() ?? '')
  }

  /** How many opened credentials are held, and how many of them would be served. */
  getCacheStats(): CacheStats {
    return this.#finder.stats()
  }

  #request(provider: string, preferred: string | undefined, options: ResolveOptions): ResolutionOptions {
    const request: { -readonly [K in keyof ResolutionOptions]: ResolutionOptions[K] } = {
      provider: provider.toLowerCase(),
      preference: options.preference ?? this.#config.defaultPreference ?? 'valid',
      requireValid: true,
    }
    if (preferred !== undefined && preferred !== '') request.preferredProfile = preferred
    if (options.mode !== undefined) request.mode = options.mode
    if (options.model !== undefined) request.model = options.model
    if (options.strict !== undefined) request.strict = options.strict
    if (options.only !== undefined) request.only = options.only
    if (options.pool !== undefined) request.pool = options.pool
    if (options.familiar !== undefined) request.familiar = options.familiar
    return request
  }
}

function refuseForeign(): never {
  throw new KeymuxError('internal_error', 'this manager offers nothing to choose from')
}
