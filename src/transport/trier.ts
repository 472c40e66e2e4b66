import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { FailedTry, ForwardSettings, Stage } from '../domain/forwarding.js'
import { quote } from '../domain/ids.js'
import type { Resolution } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { redactKnown } from '../domain/redact.js'
import type { OutcomeOrigin } from '../domain/usage.js'
import type { Route } from '../egress/routes.js'
import { failureSource } from '../policy/own-rules.js'
import { readQuota } from '../policy/quota-headers.js'
import type { AnswerJudge } from './answer-verdict.js'
import type { Bindings } from './bindings.js'
import type { Course } from './course.js'
import { decodeBeginning } from './decode.js'
import { throwIfEnded } from './ending.js'
import { Exchange, type Outcome } from './exchange.js'
import {
  codeOf,
  type Failure,
  failureOf,
  isRefusedLogin,
  lateSilence,
  unfinishedAnswer,
  unsent,
} from './failure.js'
import { headerValue } from './headers.js'
import { lastEvent } from './last-event.js'
import type { Outbound, SendingProgress } from './outbound.js'
import { ClosedRoutes, proxyFailure, throughProxy } from './proxy-failure.js'
import { refusesSigned } from './signed-items.js'
import type { ForwarderParts, UpstreamRequest } from './types.js'

const FIRST_BYTE_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 300_000

/** What became of a profile that was tried: `exchange` is an answer to pass on, else it failed. */
export interface TriedProfile {
  readonly stage: Stage
  readonly resolution: Resolution
  /** The credential that was sent last. */
  readonly credential: string
  /** What its outcome speaks of. */
  readonly origin: OutcomeOrigin | undefined
  /** Where it was sent. */
  readonly base: string
  readonly result: Exchange | Failure
}

/** A try that has come to something. */
interface OneTry {
  readonly provider: string
  readonly origin: string
  readonly route: Route | undefined
  readonly base: string
  readonly profile: AuthProfile
  readonly credential: string
  readonly exchange: Exchange
}

/** What the tries of a request share. */
export interface TrierParts {
  readonly outbound: Outbound
  readonly course: Course
  readonly judge: AnswerJudge
  readonly bindings: Bindings
}

/** Tries single profiles: once, once more after a transient fault, and once more with a renewed login. */
export class Trier {
  /** Every try that failed. */
  readonly failures: FailedTry[] = []
  readonly #parts: ForwarderParts
  readonly #outbound: Outbound
  readonly #course: Course
  readonly #judge: AnswerJudge
  readonly #bindings: Bindings
  readonly #closed = new ClosedRoutes()
  readonly #patienceMs: number
  readonly #idleMs: number

  constructor(
    parts: ForwarderParts,
    { outbound, course, judge, bindings }: TrierParts,
    settings: Partial<ForwardSettings> = {},
  ) {
    const { firstByteTimeoutMs, idleTimeoutMs } = settings
    this.#parts = parts
    this.#judge = judge
    this.#bindings = bindings
    this.#outbound = outbound
    this.#course = course
    this.#patienceMs = firstByteTimeoutMs ?? parts.settings?.firstByteTimeoutMs ?? FIRST_BYTE_TIMEOUT_MS
    this.#idleMs = idleTimeoutMs ?? parts.settings?.idleTimeoutMs ?? IDLE_TIMEOUT_MS
  }

  /** @throws the caller's reason after an abort, and KeymuxError where the request itself cannot be sent */
  async run(stage: Stage, resolution: Resolution): Promise<TriedProfile> {
    const { profile } = resolution
    const course = this.#course
    let { credential, origin } = resolution
    const base = profile.baseUrl ?? stage.baseUrl ?? this.#provider(stage.provider).baseUrl ?? ''
    let renewed = false
    this.#bindings.asks(profile.id)
    for (;;) {
      const result = await this.#try(stage, profile, { credential, origin }, base)
      const outcome = { stage, resolution, credential, origin, base, result }
      if (result instanceof Exchange) return outcome
      if (isRefusedLogin(result) && profile.mode === 'oauth' && !renewed && !course.isOver) {
        renewed = true
        const fresh = await this.#renew(profile.id, credential)
        if (fresh === undefined) return outcome
        credential = fresh.accessToken
        origin = origin && { ...origin, generation: fresh.generation ?? origin.generation }
      } else if (result.again === 'now' && course.takeRetry(profile.id)) {
        await course.backOff(result.retryAfterMs ?? 0)
      } else if (course.isOver || !refusesForeign(result) || !this.#bindings.refused(stage, profile.id)) {
        return outcome
      }
      result.exchange?.cancel()
    }
  }

  async #try(
    stage: Stage,
    profile: AuthProfile,
    sent: Pick<TriedProfile, 'credential' | 'origin'>,
    base: string,
  ): Promise<Exchange | Failure> {
    const { credential } = sent
    const provider = this.#provider(stage.provider)
    const progress = { sending: () => exchange.sending(), waiting: () => exchange.waiting() }
    const request = this.#request(stage, provider, profile, credential, progress)
    if ('kind' in request) return request
    const { origin } = request
    const found = this.#route(origin, profile)
    const route = found instanceof Promise ? await found : found
    if (route !== undefined && 'kind' in route) return route
    const { clock, timers, sender } = this.#parts
    const source = failureSource(provider.name, provider, this.#parts.failureRules?.())
    // Written out: an object that is spread for every request costs a twelfth of it.
    const exchange = new Exchange({
      provider: source.provider,
      family: source.family,
      failureFamily: source.failureFamily,
      rules: source.rules,
      model: this.#outbound.model(stage),
      due: this.#outbound.due,
      now: () => new Date(Number(clock.now())),
      timers,
      patienceMs: this.#patienceMs,
      idleMs: this.#idleMs,
      lastEvent: (tail, how) => lastEvent(tail, how, stage.compatible === true ? 'openai' : provider.family),
      signal: this.#outbound.signal,
      heard: (status, headers) => this.#noteQuota(stage, profile.id, sent.origin, { status, headers }),
      offer: request.offer,
    })
    exchange.proxied = route !== undefined
    const course = this.#course
    course.attempts += 1
    course.exchange = exchange
    sender.send(request, exchange, route)
    const outcome = await exchange.outcome
    course.exchange = undefined
    const tried = { provider: provider.name, origin, route, base, profile, credential, exchange }
    if (outcome !== undefined) return this.#end(outcome, tried)
    const result = exchange.inTheEnd.then((ended) => this.#end(ended, tried))
    const late = lateSilence(provider.name, { exchange, result })
    return route === undefined ? late : throughProxy(late, { kind: 'silent' }, route, origin)
  }

  /** Every answer says what is left, good ones too; errors that lie in a request may speak of another limit. */
  #noteQuota(
    stage: Stage,
    profileId: string,
    origin: OutcomeOrigin | undefined,
    { status, headers }: Pick<Exchange, 'status' | 'headers'>,
  ): void {
    if (status >= 400 && status !== 429) return
    const { clock, profiles } = this.#parts
    const now = new Date(Number(clock.now()))
    const windows = readQuota(headers, { now, model: this.#outbound.model(stage), good: status < 400 })
    if (windows.length > 0) profiles.noteQuota?.(profileId, windows, { origin })
  }

  /** The way through the profile's proxy, or why there is none. */
  #route(
    origin: string,
    profile: AuthProfile,
  ): Route | Failure | undefined | Promise<Route | Failure | undefined> {
    try {
      const found = this.#parts.sender.route?.(origin, profile)
      if (found === undefined) return undefined
      if (!(found instanceof Promise)) return this.#closed.of(origin, found) ?? found
      return found.then(
        (route) => route && (this.#closed.of(origin, route) ?? route),
        (error: unknown) => this.#unusable(profile, error),
      )
    } catch (error) {
      return this.#unusable(profile, error)
    }
  }

  /** Its proxy is set to what is none. */
  #unusable({ id }: AuthProfile, error: unknown): Failure {
    if (!isKeymuxError(error, 'proxy_failed')) throw error
    const failure = proxyFailure(error)
    this.note(id, failure, 0)
    return failure
  }

  #end(
    outcome: Outcome,
    { provider, origin, route, base, profile, credential, exchange }: OneTry,
  ): Exchange | Failure {
    throwIfEnded(this.#outbound.signal)
    if (outcome.kind === 'broken') this.#refuseUnsendable(outcome.error)
    const failed =
      outcome.kind === 'release'
        ? this.#badEnd(exchange, provider, base)
        : failureOf(outcome, provider, exchange)
    if (failed === undefined) return exchange
    const failure = withoutSecret(
      route === undefined ? failed : throughProxy(failed, outcome, route, origin),
      credential,
    )
    if (route !== undefined) this.#closed.note(origin, route, failure)
    if (failure.exchange === undefined) exchange.cancel()
    if (!this.#course.isSettled) this.note(profile.id, failure, exchange.status)
    // At the deadline nobody was given the time he is due.
    return failure.kind === 'silence' && this.#course.isExpired ? { ...failure, telling: false } : failure
  }

  /** An answer of which nothing has been passed on may have come to its end meanwhile, and to no good one. */
  #badEnd(exchange: Exchange, provider: string, base: string): Failure | undefined {
    const verdict = exchange.over && this.#judge.judge(exchange.over, base)
    return verdict?.kind === 'bad' ? unfinishedAnswer(verdict, provider, exchange) : undefined
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
      const bindings = this.#bindings
      const count = bindings.foreignItems(stage, profile.id)
      const leftOut = { count, without: (gone: number) => bindings.without(gone) }
      return this.#outbound.request(stage, provider, profile, credential, leftOut, progress)
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

/** Whether an account cannot read what the conversation carries of another one. */
function refusesForeign({ kind, exchange }: Failure): boolean {
  if (kind !== 'answer' || exchange === undefined) return false
  const coding = headerValue(exchange.headers, 'content-encoding')
  return refusesSigned(decodeBeginning(exchange.beginning(), coding)?.toString('utf8') ?? '')
}

/** Providers repeat keys in what they say, and not every key looks like one; what does is cut out already. */
function withoutSecret(failure: Failure, credential: string): Failure {
  return { ...failure, message: redactKnown(failure.message, [credential]) }
}
