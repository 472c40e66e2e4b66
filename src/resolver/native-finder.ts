import { KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type { Explanation } from '../domain/explanation.js'
import type { Resolution, ResolutionOptions } from '../domain/ports.js'
import type { CacheStats, CredentialFinder, ResolveOptions } from '../domain/resolver.js'
import { sleep } from '../logins/sleep.js'
import type { CandidateSource, FailedAttempt } from '../profiles/candidates.js'
import type { Entry } from '../profiles/entry.js'
import type { NativeProfiles } from '../profiles/native.js'
import type { FinderParts } from './config.js'
import { OpenedCredentials } from './opened-credentials.js'

/** Chooses among profiles in memory. Those whose credential cannot be had are passed over. */
export class NativeFinder implements CredentialFinder {
  readonly #parts: FinderParts
  readonly #native: NativeProfiles
  readonly #source: CandidateSource
  readonly #opened: OpenedCredentials

  constructor(native: NativeProfiles, parts: FinderParts) {
    this.#parts = parts
    this.#native = native
    this.#source = native.candidates
    const { oauthManager: manager, clock, jitter, logger } = parts
    this.#opened = new OpenedCredentials({ source: native.candidates, manager, clock, jitter, logger })
  }

  async find(asked: ResolutionOptions, options: ResolveOptions): Promise<Resolution> {
    const deadlineMs = this.#nowMs() + (options.maxWaitMs ?? 0)
    for (;;) {
      options.signal?.throwIfAborted()
      if (!this.#source.fresh()) await this.#source.sync()
      const request = this.#source.afterTrying(asked, options.tried ?? options.exclude)
      const outcome = await this.#tryAll(request, options)
      if (!(outcome instanceof KeymuxError)) return outcome
      this.#refuseUnknown(request.provider, outcome)
      const retryAtMs = outcome instanceof NoUsableProfileError ? outcome.retryAt?.getTime() : undefined
      if (retryAtMs === undefined || retryAtMs > deadlineMs) throw outcome
      await sleep(Math.max(1, retryAtMs - this.#nowMs()), this.#parts.clock, options.signal)
    }
  }

  findNow(asked: ResolutionOptions, options: ResolveOptions): Resolution | undefined {
    const source = this.#source
    if (!source.fresh()) return undefined
    const request = source.afterTrying(asked, options.tried ?? options.exclude)
    const nowMs = source.nowMs()
    const entry = source.pick(request, nowMs, passedOver(source, request, options))
    const credential = entry === undefined ? undefined : this.#opened.held(entry, nowMs)
    if (entry === undefined || credential === undefined) return undefined
    source.used(entry, nowMs)
    return resolution(entry, credential, [entry.id])
  }

  async findTrial(asked: ResolutionOptions, options: ResolveOptions): Promise<Resolution | undefined> {
    const source = this.#source
    if (!source.fresh()) await source.sync()
    const request = source.afterTrying(asked, options.tried ?? options.exclude)
    const setAside = source.setAside(request, passedOver(source, request, options))
    for (const entry of preferredFirst(setAside, request)) {
      options.signal?.throwIfAborted()
      if (!(await this.#native.claimTrial(entry.id, { model: request.model }))) continue
      try {
        const found = resolution(entry, await this.#opened.open(entry, options), [entry.id])
        return { ...found, origin: { ...entry.origin, trial: true } }
      } catch (error) {
        if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
      }
    }
    return undefined
  }

  async explain(asked: ResolutionOptions, options: ResolveOptions): Promise<Explanation> {
    options.signal?.throwIfAborted()
    const source = this.#source
    if (!source.fresh()) await source.sync()
    const request = source.afterTrying(asked, options.exclude)
    const explained = source.survey(request, passedOver(source, request, options))
    const { providers } = this.#parts
    const isKnown = explained.candidates.length > 0 || providers?.get(request.provider) !== undefined
    if (providers !== undefined && !isKnown) throw unknownProvider(request.provider)
    return explained
  }

  forget(provider: string): void {
    this.#opened.forget(provider)
  }

  stats(): CacheStats {
    return this.#opened.stats()
  }

  async #tryAll(request: ResolutionOptions, options: ResolveOptions): Promise<Resolution | KeymuxError> {
    const source = this.#source
    const failed: FailedAttempt[] = []
    const passed = passedOver(source, request, options) ?? new Set<Entry>()
    for (;;) {
      const entry = source.pick(request, source.nowMs(), passed)
      if (entry === undefined) return source.explain(request, failed)
      try {
        const credential = await this.#opened.open(entry, options)
        source.used(entry)
        return resolution(entry, credential, [...failed.map((attempt) => attempt.entry.id), entry.id])
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
        this.#parts.logger?.warn('a profile was passed over', { profile: entry.id, code: error.code })
        failed.push({ entry, error })
        passed.add(entry)
      }
    }
  }

  #refuseUnknown(provider: string, outcome: KeymuxError): void {
    const { providers } = this.#parts
    if (providers === undefined || providers.get(provider) !== undefined) return
    if (outcome instanceof NoUsableProfileError && outcome.attemptedProfiles.length > 0) return
    throw unknownProvider(provider)
  }

  #nowMs(): number {
    return Number(this.#parts.clock.now())
  }
}

function unknownProvider(provider: string): KeymuxError {
  return new KeymuxError('unknown_provider', `there is no provider ${JSON.stringify(provider)}`, {
    hint: 'see keymux providers, or declare it with keymux providers add FILE',
  })
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
