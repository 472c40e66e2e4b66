import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { FailedTry, Stage } from '../domain/forwarding.js'
import { quote } from '../domain/ids.js'
import type { Resolution } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { redactKnown } from '../domain/redact.js'
import type { OutcomeOrigin } from '../domain/usage.js'
import type { Course } from './course.js'
import { throwIfEnded } from './ending.js'
import { Exchange, type Outcome } from './exchange.js'
import { codeOf, type Failure, failureOf, isRefusedLogin, lateSilence, unsent } from './failure.js'
import type { Outbound, SendingProgress } from './outbound.js'
import type { ForwarderParts, UpstreamRequest } from './types.js'

const FIRST_BYTE_TIMEOUT_MS = 30_000

/** What became of a profile that was tried: `exchange` is an answer to pass on, else it failed. */
export interface TriedProfile {
  readonly stage: Stage
  readonly resolution: Resolution
  /** The credential that was sent last. */
  readonly credential: string
  /** What its outcome speaks of. */
  readonly origin: OutcomeOrigin | undefined
  readonly result: Exchange | Failure
}

/** Tries single profiles: once, once more after a transient fault, and once more with a renewed login. */
export class Trier {
  /** Every try that failed. */
  readonly failures: FailedTry[] = []
  readonly #parts: ForwarderParts
  readonly #outbound: Outbound
  readonly #course: Course
  readonly #patienceMs: number

  constructor(parts: ForwarderParts, outbound: Outbound, course: Course, patienceMs: number | undefined) {
    this.#parts = parts
    this.#outbound = outbound
    this.#course = course
    this.#patienceMs = patienceMs ?? parts.settings?.firstByteTimeoutMs ?? FIRST_BYTE_TIMEOUT_MS
  }

  /** @throws the caller's reason after an abort, and KeymuxError where the request itself cannot be sent */
  async run(stage: Stage, resolution: Resolution): Promise<TriedProfile> {
    const { profile } = resolution
    const course = this.#course
    let { credential, origin } = resolution
    let renewed = false
    for (;;) {
      const result = await this.#try(stage, profile, credential)
      const outcome = { stage, resolution, credential, origin, result }
      if (result instanceof Exchange) return outcome
      if (isRefusedLogin(result) && profile.mode === 'oauth' && !renewed && !course.isOver) {
        renewed = true
        const fresh = await this.#renew(profile.id, credential)
        if (fresh === undefined) return outcome
        credential = fresh.accessToken
        origin = origin && { ...origin, generation: fresh.generation ?? origin.generation }
      } else if (result.again === 'now' && course.takeRetry(profile.id)) {
        await course.backOff(result.retryAfterMs ?? 0)
      } else return outcome
      result.exchange?.cancel()
    }
  }

  async #try(stage: Stage, profile: AuthProfile, credential: string): Promise<Exchange | Failure> {
    const provider = this.#provider(stage.provider)
    const progress = { sending: () => exchange.sending(), waiting: () => exchange.waiting() }
    const request = this.#request(stage, provider, profile, credential, progress)
    if ('kind' in request) return request
    const { clock, timers, sender } = this.#parts
    const exchange = new Exchange({
      provider: provider.name,
      family: provider.family,
      model: this.#outbound.model(stage),
      now: () => new Date(Number(clock.now())),
      timers,
      patienceMs: this.#patienceMs,
      signal: this.#outbound.signal,
    })
    const course = this.#course
    course.attempts += 1
    course.exchange = exchange
    sender.send(request, exchange)
    const outcome = await exchange.outcome
    course.exchange = undefined
    if (outcome !== undefined) return this.#end(outcome, provider.name, profile, credential, exchange)
    const result = exchange.inTheEnd.then((ended) =>
      this.#end(ended, provider.name, profile, credential, exchange),
    )
    return lateSilence(provider.name, { exchange, result })
  }

  #end(
    outcome: Outcome,
    provider: string,
    profile: AuthProfile,
    credential: string,
    exchange: Exchange,
  ): Exchange | Failure {
    throwIfEnded(this.#outbound.signal)
    if (outcome.kind === 'release') return exchange
    if (outcome.kind === 'broken') this.#refuseUnsendable(outcome.error)
    const failure = withoutSecret(failureOf(outcome, provider, exchange), credential)
    if (failure.exchange === undefined) exchange.cancel()
    if (!this.#course.isSettled) this.note(profile.id, failure, exchange.status)
    // At the deadline nobody was given the time he is due.
    return failure.kind === 'silence' && this.#course.isExpired ? { ...failure, telling: false } : failure
  }

  /** A path that leads nowhere is the caller's fault; a base URL or credential that cannot be used, the profile's. */
  #request(
    stage: Stage,
    provider: ProviderMetadata,
    profile: AuthProfile,
    credential: string,
    progress: SendingProgress,
  ): UpstreamRequest | Failure {
    try {
      return this.#outbound.request(stage, provider, profile, credential, progress)
    } catch (error) {
      if (!isKeymuxError(error, 'invalid_value') && !isKeymuxError(error, 'invalid_secret')) throw error
      return unsent(error.message)
    }
  }

  async #renew(profileId: string, rejected: string): Promise<OAuthCredential | undefined> {
    const { signal } = this.#course
    try {
      const fresh = await this.#parts.renewer.renew(profileId, { rejected, signal })
      return fresh.accessToken === rejected ? undefined : fresh
    } catch (error) {
      signal.throwIfAborted()
      this.#parts.logger?.warn('a refused login could not be renewed', {
        profile: profileId,
        code: codeOf(error),
      })
      return undefined
    }
  }

  /** Requests that no upstream would ever see. */
  #refuseUnsendable(error: unknown): void {
    if (this.#outbound.bodyError !== undefined) {
      throw new KeymuxError('aborted', 'the request ended before its body did')
    }
    const code = codeOf(error)
    if (code !== 'UND_ERR_INVALID_ARG' && code !== 'UND_ERR_NOT_SUPPORTED') return
    throw new KeymuxError('invalid_value', `the request cannot be sent (${code})`, {
      hint: 'check its method and headers',
    })
  }

  #provider(name: string): ProviderMetadata {
    const provider = this.#parts.providers.get(name)
    if (provider !== undefined) return provider
    throw new KeymuxError('unknown_provider', `there is no provider ${quote(name)}`, {
      hint: 'see keymux providers',
    })
  }

  /** Keeps a failed try for whoever counts them. */
  note(profileId: string, { reason, message }: Failure, status: number): void {
    this.failures.push(status === 0 ? { profileId, reason } : { profileId, reason, status })
    const attempt = this.#course.attempts
    this.#parts.logger?.debug('a try failed', { profile: profileId, reason, said: message, attempt })
  }
}

/** Providers repeat keys in what they say, and not every key looks like one; what does is cut out already. */
function withoutSecret(failure: Failure, credential: string): Failure {
  return { ...failure, message: redactKnown(failure.message, [credential]) }
}
