import { withoutUndefined } from '../domain/defined.js'
import { isKeymuxError, KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type {
  CallOptions,
  Clock,
  Logger,
  OAuthManager,
  ProfileManager,
  ProfilePreference,
  Resolution,
  ResolutionOptions,
} from '../domain/ports.js'
import type { AuthMode, AuthProfile, OAuthCredential } from '../domain/profile.js'
import { isDue } from '../logins/renewal-timing.js'
import { sleep } from '../logins/sleep.js'
import type { CandidateSource, FailedAttempt } from '../profiles/candidates.js'
import type { Entry } from '../profiles/entry.js'
import { StoredProfiles } from '../profiles/manager.js'
import type { ProviderLookup } from '../profiles/validate.js'
import { type CacheStats, OpenedCredentials } from './opened-credentials.js'

/** What a resolver is made of. */
export interface ResolverConfig {
  readonly store: ProfileManager
  /** Renews OAuth logins; without it expired ones are passed over. */
  readonly oauthManager?: OAuthManager
  readonly logger?: Logger
  /** Default `valid`. */
  readonly defaultPreference?: ProfilePreference
  readonly clock?: Clock
  /** In [0, 1): how much earlier than needed logins are renewed, so that processes spread. Default 0. */
  readonly jitter?: number
  /** Tells unknown providers apart from those without profiles. */
  readonly providers?: ProviderLookup
}

/** Options of a resolution. */
export interface ResolveOptions extends CallOptions {
  readonly mode?: AuthMode
  readonly model?: string
  readonly preference?: ProfilePreference
  /** Take the preferred profile or none. */
  readonly strict?: boolean
  /** Ids of profiles that are not wanted, such as those that were tried already. */
  readonly exclude?: ReadonlySet<string>
  /**
   * When an OAuth token is due for renewal and still good, wait up to this many milliseconds for the new one.
   * Default 0: it is handed out at once and renewed in the background.
   */
  readonly renewalWaitMs?: number
  /** When everything is cooling, wait up to this many milliseconds for the soonest. Default 0: throw at once. */
  readonly maxWaitMs?: number
}

/** What a manager of keymux's own is asked through. */
interface OwnParts {
  readonly source: CandidateSource
  readonly opened: OpenedCredentials
}

const NO_OPTIONS: ResolveOptions = {}
const SYSTEM_CLOCK: Clock = { now: () => new Date() }

/**
 * Hands out a credential that works now: the first usable profile in the order of preference, OAuth logins
 * renewed, profiles whose credential cannot be had passed over.
 *
 * What is cached are opened credentials, never decisions: a profile that was cooled, switched off, changed
 * or deleted, here or in another process, is not handed out.
 */
export class Resolver {
  readonly #config: ResolverConfig
  readonly #clock: Clock
  /** There when the manager is keymux's own. */
  readonly #own: OwnParts | undefined

  constructor(config: ResolverConfig) {
    this.#config = config
    this.#clock = config.clock ?? SYSTEM_CLOCK
    if (!(config.store instanceof StoredProfiles)) return
    const source = config.store.candidates
    const opened = new OpenedCredentials({
      source,
      manager: config.oauthManager,
      clock: this.#clock,
      jitter: config.jitter ?? 0,
      logger: config.logger,
    })
    this.#own = { source, opened }
  }

  /**
   * A credential of `provider`; the profile named `preferredProfile` goes first unless it is unusable.
   *
   * @throws NoUsableProfileError when nothing can be handed out now
   * @throws KeymuxError `unknown_provider`, `profile_not_found` (strict), `vault_locked`, storage errors
   */
  resolve(
    provider: string,
    preferredProfile?: string,
    options: ResolveOptions = NO_OPTIONS,
  ): Promise<Resolution> {
    const own = this.#own
    if (own === undefined) return this.#resolveThroughManager(provider, preferredProfile, options)
    if (options.signal?.aborted !== true) {
      const now = this.resolveNow(provider, preferredProfile, options)
      if (now !== undefined) return Promise.resolve(now)
    }
    return this.#resolve(own, this.#request(provider, preferredProfile, options), options)
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
    if (this.#own === undefined || !this.#own.source.fresh()) return undefined
    const { source, opened } = this.#own
    const request = this.#request(provider, preferredProfile, options)
    const nowMs = source.nowMs()
    const entry = source.pick(request, nowMs, passedOver(source, request, options))
    const credential = entry === undefined ? undefined : opened.held(entry, nowMs)
    if (entry === undefined || credential === undefined) return undefined
    source.used(entry, nowMs)
    return resolution(entry, credential, [entry.id])
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
    const { store } = this.#config
    if (!(store instanceof StoredProfiles) || this.#own === undefined) return undefined
    const { source, opened } = this.#own
    const request = this.#request(provider, preferredProfile, options)
    if (!source.fresh()) await source.sync()
    const disabled = source.disabled(request, passedOver(source, request, options))
    for (const entry of preferredFirst(disabled, request)) {
      options.signal?.throwIfAborted()
      if (!(await store.claimTrial(entry.id))) continue
      try {
        return resolution(entry, await opened.open(entry, options), [entry.id])
      } catch (error) {
        if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
      }
    }
    return undefined
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
    this.#own?.opened.forget(provider?.toLowerCase() ?? '')
  }

  /** How many opened credentials are held, and how many of them would be served. */
  getCacheStats(): CacheStats {
    return this.#own?.opened.stats() ?? { totalEntries: 0, valid: 0, expired: 0 }
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
    return request
  }

  async #resolve(own: OwnParts, request: ResolutionOptions, options: ResolveOptions): Promise<Resolution> {
    const deadlineMs = this.#nowMs() + (options.maxWaitMs ?? 0)
    for (;;) {
      options.signal?.throwIfAborted()
      if (!own.source.fresh()) await own.source.sync()
      const outcome = await this.#tryAll(own, request, options)
      if (!(outcome instanceof KeymuxError)) return outcome
      this.#refuseUnknown(request.provider, outcome)
      const retryAtMs = outcome instanceof NoUsableProfileError ? outcome.retryAt?.getTime() : undefined
      if (retryAtMs === undefined || retryAtMs > deadlineMs) throw outcome
      await sleep(Math.max(1, retryAtMs - this.#nowMs()), this.#clock, options.signal)
    }
  }

  async #tryAll(
    { source, opened }: OwnParts,
    request: ResolutionOptions,
    options: ResolveOptions,
  ): Promise<Resolution | KeymuxError> {
    const failed: FailedAttempt[] = []
    const passed = passedOver(source, request, options) ?? new Set<Entry>()
    for (;;) {
      const entry = source.pick(request, source.nowMs(), passed)
      if (entry === undefined) return source.explain(request, failed)
      try {
        const credential = await opened.open(entry, options)
        source.used(entry)
        return resolution(entry, credential, [...failed.map((attempt) => attempt.entry.id), entry.id])
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
        this.#config.logger?.warn('a profile was passed over', { profile: entry.id, code: error.code })
        failed.push({ entry, error })
        passed.add(entry)
      }
    }
  }

  /** A manager of somebody else's: its own choice, renewed where due. */
  async #resolveThroughManager(
    provider: string,
    preferred: string | undefined,
    options: ResolveOptions,
  ): Promise<Resolution> {
    const request = this.#request(provider, preferred, options)
    const { signal, renewalWaitMs } = options
    const call = withoutUndefined({ signal })
    const result = await this.#config.store.resolve(request, call)
    const { profile } = result
    if (profile === undefined || options.exclude?.has(profile.id) === true) {
      const { error } = result
      throw (
        error ??
        new NoUsableProfileError(
          request.provider,
          { attemptedProfiles: result.attemptedProfiles, reasons: [] },
          `no profile of ${request.provider} is usable now`,
        )
      )
    }
    const { error: _none, ...rest } = result
    const due = profile.oauth !== undefined && isDue(profile.oauth, this.#config.jitter ?? 0, this.#nowMs())
    if (profile.mode !== 'oauth' || !due || this.#config.oauthManager === undefined)
      return { ...rest, profile }
    const renewed = await this.#config.oauthManager.getValidToken(
      profile.id,
      withoutUndefined({ signal, renewalWaitMs }),
    )
    return { ...rest, profile: { ...profile, oauth: renewed }, credential: renewed.accessToken }
  }

  #refuseUnknown(provider: string, outcome: KeymuxError): void {
    const { providers } = this.#config
    if (providers === undefined || providers.get(provider) !== undefined) return
    if (outcome instanceof NoUsableProfileError && outcome.attemptedProfiles.length > 0) return
    throw new KeymuxError('unknown_provider', `there is no provider ${JSON.stringify(provider)}`, {
      hint: 'see keymux providers, or declare it with keymux providers add FILE',
    })
  }

  #nowMs(): number {
    return Number(this.#clock.now())
  }
}

function passedOver(
  source: CandidateSource,
  request: ResolutionOptions,
  { exclude }: ResolveOptions,
): Set<Entry> | undefined {
  return exclude === undefined || exclude.size === 0 ? undefined : source.entries(request.provider, exclude)
}

function preferredFirst(entries: readonly Entry[], request: ResolutionOptions): Entry[] {
  const { preferredProfile, strict } = request
  const name = preferredProfile?.slice(preferredProfile.lastIndexOf(':') + 1)
  const isPreferred = (entry: Entry): boolean => entry.name === name
  const others = strict === true ? [] : entries.filter((entry) => !isPreferred(entry))
  return [...entries.filter(isPreferred), ...others]
}

function resolution(entry: Entry, credential: string, attemptedProfiles: string[]): Resolution {
  const { email, expiresAt } = entry.record.meta
  const result: { -readonly [K in keyof Resolution]: Resolution[K] } = {
    profile: entry.profile(),
    credential,
    provider: entry.provider,
    attemptedProfiles,
    origin: entry.origin,
  }
  if (email !== undefined) result.email = email
  if (expiresAt !== undefined) result.expiresAt = new Date(expiresAt)
  return result
}
