import { KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type { Explanation } from '../domain/explanation.js'
import { quote } from '../domain/ids.js'
import type { CallOptions, ProfileResolutionResult, ResolutionOptions } from '../domain/ports.js'
import type { Entry } from './entry.js'
import { damagedProfile, type ProfileIndex } from './profile-index.js'
import type { FailedAttempt } from './refusal.js'
import { refusal } from './refusal.js'
import { afterColon, scopeOf } from './scope.js'
import { survey } from './survey.js'
import { trialIntervals } from './trials.js'

export type { FailedAttempt } from './refusal.js'

/** Chooses among the profiles in memory. What it says is as fresh as the last `sync`. */
export class CandidateSource {
  readonly #index: ProfileIndex

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  /** Whether a choice may be made without reading anything first. */
  fresh(): boolean {
    return !this.#index.config.backend.stale()
  }

  /** Reads what changed elsewhere. */
  sync(): Promise<void> {
    return this.#index.config.backend.sync()
  }

  /** The present instant in epoch milliseconds. */
  nowMs(): number {
    return Number(this.#index.config.clock.now())
  }

  /** The profile to try next, leaving out those in `passed`. */
  pick(request: ResolutionOptions, nowMs: number, passed?: ReadonlySet<Entry>): Entry | undefined {
    const group = this.#index.catalogue.groups.get(request.provider)
    if (group === undefined) return undefined
    group.advance(nowMs)
    const { named, missing, allows } = scopeOf(group, request)
    if (missing !== undefined) return undefined
    const mayServe = named !== undefined && !passed?.has(named) && allows?.(named) !== false
    const first = mayServe && isUsable(named, request, nowMs) ? named : undefined
    if (named !== undefined && request.strict === true) return first
    const { preference = 'valid', mode, model } = request
    const best = group.pick({ preference, mode, model }, nowMs, { passed, allows, first })
    if (request.familiar === undefined || best === undefined || best === first) return best
    const familiar = group.entries.get(afterColon(request.familiar.profileId))
    const isWanted =
      familiar?.id === request.familiar.profileId && !passed?.has(familiar) && allows?.(familiar) !== false
    if (!isWanted || !isUsable(familiar, request, nowMs) || familiar.isBehind(model, nowMs)) return best
    return request.familiar.above || familiar.priority >= best.priority ? familiar : best
  }

  /** The request, to stay in the pool of the profiles that it has tried already. */
  afterTrying(request: ResolutionOptions, tried: ReadonlySet<string> | undefined): ResolutionOptions {
    const group = this.#index.catalogue.groups.get(request.provider)
    if (group?.hasPools !== true || request.pool !== undefined || tried === undefined) return request
    const [first] = this.entries(request.provider, tried)
    return first === undefined ? request : { ...request, pool: first.record.meta.pool ?? null }
  }

  /** The provider's entries with these ids; unknown ones are left out. */
  entries(provider: string, ids: ReadonlySet<string>): Set<Entry> {
    const found = new Set<Entry>()
    const group = this.#index.catalogue.groups.get(provider)
    for (const id of ids) {
      const entry = group?.entries.get(afterColon(id))
      if (entry?.id === id) found.add(entry)
    }
    return found
  }

  /** Profiles that could serve but for windows that a trial may test, in the order of preference. */
  setAside(request: ResolutionOptions, passed?: ReadonlySet<Entry>): Entry[] {
    const group = this.#index.catalogue.groups.get(request.provider)
    const now = new Date(this.nowMs())
    group?.advance(now.getTime())
    const { missing, allows } = scopeOf(group, request)
    if (missing !== undefined) return []
    return (group?.ordered(request.preference ?? 'valid') ?? []).filter(
      (entry) =>
        passed?.has(entry) !== true &&
        allows?.(entry) !== false &&
        (request.mode === undefined || request.mode === entry.mode) &&
        trialIntervals(entry, request.model, now) !== undefined,
    )
  }

  /** Notes that the entry was handed out. */
  used(entry: Entry, nowMs: number = this.nowMs()): void {
    this.#index.used(entry, nowMs)
  }

  /** The entry's credential as text. Rejects with `reference_unresolved`, `vault_locked`, `vault_corrupt`. */
  async credential(entry: Entry, signal?: AbortSignal): Promise<string> {
    const { reference } = entry.record.meta
    if (reference !== undefined) return this.#index.config.readReference(reference, signal)
    const secrets = entry.record.openSecrets()
    const text = secrets.key ?? secrets.token ?? secrets.accessToken
    if (text !== undefined) return text
    throw new KeymuxError('reference_unresolved', `${entry.id} has no credential`)
  }

  /**
   * Chooses and opens, walking on from profiles whose credential cannot be had. The result carries an error
   * instead of throwing; expired credentials are handed out last, and only unless `requireValid` is set.
   */
  async resolve(request: ResolutionOptions, options: CallOptions = {}): Promise<ProfileResolutionResult> {
    options.signal?.throwIfAborted()
    const wanted = { ...request, provider: request.provider.toLowerCase() }
    if (!this.fresh()) await this.sync()
    const failed: FailedAttempt[] = []
    const passed = new Set<Entry>()
    for (;;) {
      const entry = this.pick(wanted, this.nowMs(), passed) ?? this.#expired(wanted, passed)
      if (entry === undefined) return this.#nothing(wanted, failed)
      try {
        const credential = await this.credential(entry, options.signal)
        this.used(entry)
        const { email } = entry.record.meta
        const attemptedProfiles = [...failed.map((attempt) => attempt.entry.id), entry.id]
        return {
          profile: entry.profile(),
          credential,
          provider: entry.provider,
          attemptedProfiles,
          ...(email === undefined ? {} : { email }),
        }
      } catch (error) {
        if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
        failed.push({ entry, error })
        passed.add(entry)
      }
    }
  }

  /**
   * Every profile of the provider, its place in the order of choice and why it has that or none.
   *
   * @throws KeymuxError `profile_not_found`, `vault_corrupt` for a named profile
   */
  survey(request: ResolutionOptions, passed?: ReadonlySet<Entry>): Explanation {
    const { provider } = request
    const group = this.#index.catalogue.groups.get(provider)
    const nowMs = this.nowMs()
    group?.advance(nowMs)
    const scope = scopeOf(group, request)
    if (scope.missing !== undefined) throw this.#missing(`${provider}:${scope.missing}`)
    return survey(group, { request, scope, passed, providers: this.#index.config.providers, nowMs })
  }

  #missing(id: string): KeymuxError {
    if (this.#index.config.backend.damages?.(id) === true) return damagedProfile(id)
    return new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
      hint: 'see keymux list',
    })
  }

  /** Tells why nothing could be handed out, and when that changes by itself. */
  explain(request: ResolutionOptions, failed: readonly FailedAttempt[]): KeymuxError {
    const { provider } = request
    const group = this.#index.catalogue.groups.get(provider)
    const { named, missing, pool, allows } = scopeOf(group, request)
    if (missing !== undefined) return this.#missing(`${provider}:${missing}`)
    const asked = (group?.ordered(request.preference ?? 'valid') ?? []).filter(
      (entry) =>
        (request.mode === undefined || entry.mode === request.mode) &&
        (request.strict !== true || entry === named) &&
        allows?.(entry) !== false,
    )
    const broken = failed.find(({ entry, error }) => entry === named && error.code === 'vault_corrupt')
    if (broken !== undefined && request.strict === true) return damagedProfile(broken.entry.id, broken.error)
    const { providers } = this.#index.config
    return refusal(asked, { request, failed, pool, providers, now: new Date(this.nowMs()) })
  }

  #nothing(request: ResolutionOptions, failed: readonly FailedAttempt[]): ProfileResolutionResult {
    const error = this.explain(request, failed)
    const attemptedProfiles = error instanceof NoUsableProfileError ? error.attemptedProfiles : []
    return { credential: '', provider: request.provider, error, attemptedProfiles }
  }

  /** An expired profile that is otherwise usable, when the caller takes even that. */
  #expired(request: ResolutionOptions, passed: ReadonlySet<Entry>): Entry | undefined {
    if (request.requireValid === true || request.strict === true) return undefined
    const group = this.#index.catalogue.groups.get(request.provider)
    const scope = scopeOf(group, request)
    if (scope.missing !== undefined) return undefined
    return group
      ?.ordered(request.preference ?? 'valid')
      .find(
        (entry) =>
          entry.standing.state === 'expired' &&
          !passed.has(entry) &&
          scope.allows?.(entry) !== false &&
          (request.mode === undefined || entry.mode === request.mode) &&
          (request.model === undefined || entry.serves(request.model, new Date(this.nowMs()))),
      )
  }
}

function isUsable(entry: Entry, request: ResolutionOptions, nowMs: number): boolean {
  return (
    entry.standing.state === 'available' &&
    (request.mode === undefined || request.mode === entry.mode) &&
    (request.model === undefined || entry.serves(request.model, new Date(nowMs)))
  )
}
