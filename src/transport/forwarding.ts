import { withoutUndefined } from '../domain/defined.js'
import type { Answer, ForwardRequest, Stage } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'
import { Follower } from './answer-follow.js'
import type { AnswerJudge } from './answer-verdict.js'
import { Bindings } from './bindings.js'
import { Comparer, leaveAfter, type OpenRefusal } from './comparer.js'
import { Conclusion } from './conclusion.js'
import { Course, DEADLINE } from './course.js'
import type { CredentialForms } from './credential-forms.js'
import { decodeBeginning } from './decode.js'
import { throwIfEnded } from './ending.js'
import { Exchange } from './exchange.js'
import { type Failure, isOfCredential, modelOf, toldBy } from './failure.js'
import { headerValue } from './headers.js'
import type { Holds, Place } from './holds.js'
import { LateTries, type LateTry } from './late-tries.js'
import { Outbound } from './outbound.js'
import { errorPassedOn, passedOn } from './passed-on.js'
import type { Rooms } from './rooms.js'
import { type Selected, Selection } from './selection.js'
import { handedOver } from './session-follow.js'
import { type TriedProfile, Trier } from './trier.js'
import type { ForwarderParts } from './types.js'

const DEADLINE_MS = 600_000
/** A profile that is back this soon is waited for: its client would come back later. In milliseconds. */
const SHORT_WAIT_MS = 250
/** Nobody who asked for less is asked again sooner than this, doubling to the longest. In milliseconds. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000
/** An answer is not held back for longer than this where the vault cannot be written, in milliseconds. */
const LONGEST_KEEPING_MS = 3_000

/** What the requests of a forwarder share. */
export interface Shared {
  /** Where they wait when everybody is busy. */
  readonly holds: Holds
  readonly rooms: Rooms
  readonly judge: AnswerJudge
  readonly forms: CredentialForms
}

/** One request on its way through providers and profiles, until one answers. */
export class Forwarding {
  readonly #parts: ForwarderParts
  readonly #request: ForwardRequest
  readonly #outbound: Outbound
  readonly #course: Course
  readonly #trier: Trier
  /** Profiles that get another chance: their owner put a new credential there while the old one was tried. */
  readonly #replaced = new Set<string>()
  /** Failures so far: the last that was an answer, the last that was none, the last that was silence. */
  #answered: TriedProfile | undefined
  #unanswered: TriedProfile | undefined
  #silent: TriedProfile | undefined
  readonly #late = new LateTries()
  readonly #holds: Holds
  readonly #rooms: Rooms
  readonly #forms: CredentialForms
  readonly #bindings: Bindings
  readonly #selection: Selection
  readonly #follower: Follower
  readonly #comparer: Comparer
  #kept: Promise<void> | undefined
  readonly #maxWaitMs: number
  readonly #deadlineMs: number

  constructor(parts: ForwarderParts, request: ForwardRequest, { holds, rooms, judge, forms }: Shared) {
    const { timers, random, settings } = parts
    this.#parts = parts
    this.#request = request
    this.#holds = holds
    this.#rooms = rooms
    this.#forms = forms
    const deadlineMs = request.settings?.deadlineMs ?? settings?.deadlineMs ?? DEADLINE_MS
    this.#deadlineMs = deadlineMs
    this.#maxWaitMs = Math.min(request.settings?.maxWaitMs ?? settings?.maxWaitMs ?? 0, deadlineMs)
    const privacy = request.settings?.privacy ?? settings?.privacy ?? false
    const outbound = new Outbound(request, parts.removedHeader, privacy ? parts.pseudonym : undefined)
    const course = new Course({ request, outbound, timers, random, deadlineMs })
    const bindings = new Bindings(parts.affinity, request, outbound.readable)
    this.#outbound = outbound
    this.#course = course
    this.#bindings = bindings
    const selection = new Selection(parts, { request, outbound, course, bindings, rooms })
    const trier = new Trier(parts, { outbound, course, judge, bindings }, request.settings)
    this.#selection = selection
    this.#trier = trier
    this.#follower = new Follower(parts, judge, trier.failures)
    this.#comparer = new Comparer(parts, { request, outbound, course, bindings, selection, trier })
  }

  async run(): Promise<Answer> {
    const { signal } = this.#request
    const { affinity } = this.#parts
    try {
      throwIfEnded(signal)
      if (affinity?.isStale === true) await affinity.ready()
      const answer = (await this.#round()) ?? (await this.#lastResorts()) ?? (await this.#hold())
      if (answer !== undefined && this.#kept !== undefined) await this.#untilKept(this.#kept)
      return answer ?? (await this.#exhausted())
    } catch (error) {
      throwIfEnded(signal)
      // The deadline ended a wait: that is an answer too.
      if (error === DEADLINE) return await this.#exhausted()
      this.#drop()
      throw error
    } finally {
      this.#course.end()
      this.#late.drop()
    }
  }

  /** Whoever has made an object may ask for it through another process in the next moment: that has to know whose it is. */
  #untilKept(kept: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.timers.after(LONGEST_KEEPING_MS, resolve)
      void kept.then(() => {
        cancel()
        resolve()
      })
    })
  }

  async #lastResorts(): Promise<Answer | undefined> {
    const roomy = await this.#waitForRoom()
    if (roomy !== undefined) return roomy
    const later = (await this.#waitBriefly()) ? await this.#round() : undefined
    return later ?? (await this.#pressOn()) ?? (await this.#halfOpen())
  }

  /** Nobody else is left: those that were silent. */
  async #pressOn(): Promise<Answer | undefined> {
    return (await this.#askSilentAgain()) ?? (await this.#waitForLate())
  }

  async #round(): Promise<Answer | undefined> {
    this.#selection.begin()
    for (const stage of this.#request.stages) {
      const answer = await this.#stage(stage)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  async #stage(stage: Stage): Promise<Answer | undefined> {
    while (!this.#course.isOver) {
      const selected = this.#selection.nextNow(stage) ?? (await this.#selection.next(stage))
      if (selected === undefined) return undefined
      if (this.#course.isOver) {
        selected.leave()
        return undefined
      }
      const answer = await this.#try(selected)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  /** Tries one profile, and gives its answer or that of an earlier try, whichever comes first. */
  async #try({ stage, resolution, leave }: Selected): Promise<Answer | undefined> {
    const running = this.#trier.run(stage, resolution)
    if (resolution.profile.concurrency !== undefined) leaveAfter(running, leave)
    if (this.#late.all.length > 0) {
      const early = await this.#lateAnswer(running)
      if (early !== undefined) return early
    }
    const outcome = await running
    const open = this.#comparer.open(outcome)
    return open === undefined ? this.#judge(outcome, this.#late.all) : this.#compare(open)
  }

  /** Whose fault a refusal is another account tells: the caller gets its answer, or else the refusal. */
  async #compare(open: OpenRefusal): Promise<Answer> {
    const { tried, failure, exchange } = open
    const { stage, credential, resolution } = tried
    const model = this.#outbound.model(stage)
    this.#selection.tried(resolution.profile, false)
    const second = await this.#comparer.ask(open)
    const answer = second?.result instanceof Exchange ? this.#judge(second, this.#late.all) : undefined
    if (answer !== undefined) {
      this.#note(tried, failure, model, this.#comparer.served(open))
      exchange.cancel()
      return answer
    }
    this.#note(tried, failure, model)
    if (second !== undefined && !(second.result instanceof Exchange))
      this.#noteSecond(open, second, second.result)
    return this.#providers(
      errorPassedOn(exchange, credential, this.#familyOf(stage), this.#forms),
      resolution.profile.id,
    )
  }

  /** Another account has not served what was refused: what that says of it has its own effect. */
  #noteSecond(open: OpenRefusal, second: TriedProfile, failure: Failure): void {
    this.#selection.tried(second.resolution.profile, false)
    this.#comparer.refused(open, second)
    if (failure.telling) this.#note(second, failure, this.#outbound.model(second.stage))
    failure.exchange?.cancel()
    failure.late?.exchange.cancel()
  }

  /** The answer of a late try, if one comes before `running` ends. */
  async #lateAnswer(running: Promise<TriedProfile | undefined>): Promise<Answer | undefined> {
    for (;;) {
      const late = await this.#late.next(running)
      if (late === undefined) return undefined
      const answer = this.#judge(late.outcome, late.older)
      if (answer === undefined) continue
      this.#course.settle()
      // It may have ended at the same moment.
      running.then(letGo, () => undefined)
      return answer
    }
  }

  /** Nobody is left to be asked: what is late is waited for, until the deadline. Who comes back meanwhile is asked. */
  async #waitForLate(): Promise<Answer | undefined> {
    const selection = this.#selection
    for (let round = 0; this.#late.all.length > 0 && !this.#course.isExpired; round += 1) {
      const busy = this.#course.isOver ? [] : selection.busy(this.#trier.failures)
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS)
      const soonestMs = Math.max(selection.soonestMs(busy), pauseMs)
      const turn = Number.isFinite(soonestMs) ? this.#pause(soonestMs) : this.#untilDeadline()
      const late = await this.#lateAnswer(turn)
      if (late !== undefined) return late
      for (const { profileId } of busy) selection.forget(profileId)
      const answer = busy.length > 0 ? await this.#round() : undefined
      if (answer !== undefined) return answer
    }
    return undefined
  }

  async #pause(ms: number): Promise<undefined> {
    await this.#course.wait(ms)
  }

  #untilDeadline(): Promise<never> {
    const { signal } = this.#course
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }

  /**
   * Notes what came of a profile; gives an answer when that is one to pass on.
   *
   * @param late tries that are older than this one: if it is answered, it was quicker
   */
  #judge(outcome: TriedProfile, late: readonly LateTry[]): Answer | undefined {
    const { result, stage, credential, origin } = outcome
    const { profile } = outcome.resolution
    const model = this.#outbound.model(stage)
    if (result instanceof Exchange) {
      this.#selection.tried(profile, false)
      const served = this.#bindings.served(stage, profile.id)
      const { base } = outcome
      const { proxied } = result
      const answer = { profileId: profile.id, credential, model, origin, base, served, proxied }
      const follower = this.#follower
      this.#kept = this.#bindings.own(stage, profile.id, {
        location: () => headerValue(result.headers, 'location'),
        beginning: () => beginningOf(result),
      })
      result.follow((over) => follower.note(answer, over))
      for (const { tried, failure } of late) this.#noteLate(tried, failure)
      const passed = this.#providers(passedOn(result, credential, this.#forms), profile.id)
      return result.tunnel === undefined
        ? passed
        : { ...passed, tunnel: handedOver(result, answer, follower) }
    }
    this.#selection.tried(profile, this.#hasNewCredential(outcome))
    if (result.telling) this.#note(outcome, result, model)
    const { exchange } = result
    if (exchange !== undefined && (result.scope === 'request' || this.#outbound.isSpent)) {
      return this.#providers(
        errorPassedOn(exchange, credential, this.#familyOf(stage), this.#forms),
        profile.id,
      )
    }
    this.#keep(outcome)
    if (result.late !== undefined) this.#late.add(outcome, result, result.late)
    return undefined
  }

  /** Whether its owner has put another credential there meanwhile: the profile is tried once more, with that one. */
  #hasNewCredential({ resolution, origin }: TriedProfile): boolean {
    const { id } = resolution.profile
    if (origin === undefined || this.#replaced.has(id) || !this.#parts.profiles.isReplaced(id, origin))
      return false
    this.#replaced.add(id)
    return true
  }

  #noteLate(tried: TriedProfile, failure: Failure): void {
    this.#trier.note(tried.resolution.profile.id, failure, 0)
    if (failure.proxy === undefined) this.#note(tried, failure, this.#outbound.model(tried.stage))
  }

  #familyOf({ provider }: Stage): ProviderFamily | undefined {
    return this.#parts.providers.get(provider)?.family
  }

  #note(
    { resolution, origin }: TriedProfile,
    failure: Failure,
    model: string | undefined,
    servedElsewhere?: string,
  ): void {
    const { reason, message, retryAfterMs, certainty } = failure
    const told = toldBy(failure)
    const failed = { message, retryAfterMs, certainty, told, origin, model: modelOf(failure, model) }
    const details = { ...failed, servedElsewhere }
    this.#parts.profiles.noteFailure(resolution.profile.id, reason, withoutUndefined(details))
  }

  /** Keeps what may be the best there is in the end. */
  #keep(outcome: TriedProfile): void {
    if (outcome.result instanceof Exchange) return
    const { kind } = outcome.result
    if (kind === 'answer' || kind === 'senseless') {
      this.#drop()
      this.#answered = outcome
    } else {
      if (kind !== 'unsent' || this.#unanswered === undefined) this.#unanswered = outcome
      if (kind === 'silence') this.#silent = outcome
    }
  }

  /** Waits for a profile that was not tried yet and is back in a moment. */
  async #waitBriefly(): Promise<boolean> {
    if (this.#course.isOver) return false
    const selection = this.#selection
    const untried = selection.reasons.filter(
      ({ profileId, state }) => state === 'cooling' && !selection.hasTried(profileId),
    )
    const soonest = selection.soonestMs(untried)
    if (soonest > SHORT_WAIT_MS) return false
    await this.#course.wait(Math.max(1, soonest))
    return true
  }

  /** Waits for a place at a profile that serves as many as it may. That is no failure: it may last up to the deadline. */
  async #waitForRoom(): Promise<Answer | undefined> {
    const { signal } = this.#course
    let place: Place | undefined
    try {
      for (;;) {
        const crowded = this.#course.isOver ? [] : await this.#selection.crowded()
        if (crowded.length === 0) return undefined
        place ??= this.#holds.enter(`room ${crowded[0]}`, this.#heldBytes(), this.#deadlineMs)
        if (place === undefined) return undefined
        const called = await this.#rooms.turn(crowded, signal)
        if (called === undefined) signal.throwIfAborted()
        else this.#selection.called(called)
        const answer = await this.#round()
        this.#selection.pass()
        if (answer !== undefined) return answer
      }
    } finally {
      this.#selection.pass()
      place?.leave()
    }
  }

  /** What the request takes in memory while it waits, in bytes. */
  #heldBytes(): number {
    const { body, decoded } = this.#request
    return (body?.bytes.length ?? 0) + (decoded?.length ?? 0)
  }

  /** Waits until one of those who are busy for a while is back. */
  async #hold(): Promise<Answer | undefined> {
    const selection = this.#selection
    let place: Place | undefined
    try {
      for (let round = 0; this.#maxWaitMs > 0 && !this.#course.isOver; round += 1) {
        if (!(await selection.askAnew())) {
          const busy = selection.busy(this.#trier.failures)
          const soonest = Math.max(
            selection.soonestMs(busy),
            Math.min(FIRST_PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS),
          )
          if (busy.length === 0 || soonest > this.#maxWaitMs) return undefined
          place ??= this.#holds.enter(this.#lane(), this.#heldBytes(), this.#maxWaitMs, this.#request.held)
          const isTurn = await place?.turn(soonest, this.#course.signal)
          for (const { profileId } of busy) selection.forget(profileId)
          if (isTurn !== true) {
            // An account may have come back in the last moment.
            const isBack = place?.isTimeUp === true && (await selection.askAnew())
            const late = isBack ? await this.#round() : undefined
            if (late !== undefined) place?.served()
            return late
          }
        }
        const answer = (await this.#round()) ?? (await this.#waitForRoom()) ?? (await this.#pressOn())
        if (answer !== undefined) {
          place?.served()
          return answer
        }
      }
      return undefined
    } finally {
      place?.leave()
    }
  }

  /** Those who ask for the same wait for the same. */
  #lane(): string {
    return JSON.stringify(
      this.#request.stages.map((stage) => [stage.provider, stage.profile, this.#outbound.model(stage)]),
    )
  }

  async #askSilentAgain(): Promise<Answer | undefined> {
    const silent = this.#silent
    if (silent === undefined || !this.#course.takeRetry(silent.resolution.profile.id)) return undefined
    return this.#try({ stage: silent.stage, resolution: silent.resolution, leave: () => undefined })
  }

  /** When nothing else is left, disabled profiles may be tried, each one time in 10 minutes. */
  async #halfOpen(): Promise<Answer | undefined> {
    for (const stage of this.#request.stages) {
      while (!this.#course.isOver) {
        const selected = await this.#selection.trial(stage)
        if (selected === undefined) break
        const answer = await this.#try(selected)
        if (answer !== undefined) return answer
      }
    }
    return undefined
  }

  /** What the client gets when every try failed. */
  async #exhausted(): Promise<Answer> {
    const answered = this.#answered
    const failure = answered?.result
    if (answered !== undefined && failure !== undefined && !(failure instanceof Exchange)) {
      const { exchange } = failure
      if (exchange !== undefined && !isOfCredential(failure)) {
        this.#answered = undefined
        const { credential, stage, resolution } = answered
        const parts = errorPassedOn(exchange, credential, this.#familyOf(stage), this.#forms)
        return this.#providers(parts, resolution.profile.id)
      }
    }
    this.#drop()
    if (this.#course.attempts > 0 && !this.#course.isExpired) await this.#selection.askAnew()
    const conclusion = new Conclusion(this.#request.stages, this.#parts, {
      failures: this.#trier.failures,
      full: this.#rooms.full,
    })
    return {
      ...conclusion.answer(
        this.#answered ?? this.#unanswered,
        this.#selection.refusals,
        this.#course.isExpired,
      ),
      ...this.#making(),
    }
  }

  #providers(parts: Pick<Answer, 'status' | 'statusText' | 'headers' | 'body'>, profileId: string): Answer {
    this.#drop()
    const { status, statusText, headers, body } = parts
    const { attempts, replayable, failures } = this.#making()
    return {
      kind: 'provider',
      status,
      statusText,
      headers,
      body,
      profileId,
      attempts,
      replayable,
      failures,
    }
  }

  #making(): Pick<Answer, 'attempts' | 'replayable' | 'failures'> {
    return {
      attempts: this.#course.attempts,
      replayable: this.#outbound.isReplayable,
      failures: this.#trier.failures,
    }
  }

  /** Lets go of an answer that is not needed any more. */
  #drop(): void {
    const failure = this.#answered?.result
    if (failure !== undefined && !(failure instanceof Exchange)) failure.exchange?.cancel()
  }
}

/** The beginning of an answer as it can be read. */
function beginningOf(exchange: Exchange): Buffer | undefined {
  return decodeBeginning(exchange.beginning(), headerValue(exchange.headers, 'content-encoding'))
}

/** A try whose answer is not needed. */
function letGo(tried: TriedProfile | undefined): void {
  if (tried === undefined) return
  const { result } = tried
  if (result instanceof Exchange) result.cancel()
  else result.exchange?.cancel()
}
