import {
  type CandidateReason,
  isKeymuxError,
  type KeymuxError,
  NoUsableProfileError,
} from '../domain/errors.js'
import type { FailedTry, ForwardRequest, Stage } from '../domain/forwarding.js'
import type { Resolution } from '../domain/ports.js'
import type { ResolveOptions } from '../domain/resolver.js'
import type { Bindings } from './bindings.js'
import type { Course } from './course.js'
import { passesSoon, wasBusy } from './failure.js'
import type { Outbound } from './outbound.js'
import type { Rooms } from './rooms.js'
import type { ForwarderParts } from './types.js'

/** A profile that is asked next. */
export interface Selected {
  readonly stage: Stage
  readonly resolution: Resolution
  /** Leaves its room. */
  readonly leave: () => void
}

/** What a selection is made for. */
export interface SelectionParts {
  readonly request: ForwardRequest
  readonly outbound: Outbound
  readonly course: Course
  readonly bindings: Bindings
  readonly rooms: Rooms
}

/** A request waits in the queues of so many profiles. */
const MOST_CROWDED = 16

/** Whom a request asks next, and why nobody is left. */
export class Selection {
  readonly #parts: Pick<ForwarderParts, 'resolver' | 'clock' | 'refusals'>
  readonly #of: SelectionParts
  readonly #tried = new Set<string>()
  /** Why stages had nobody to offer. */
  #refusals: KeymuxError[] = []
  /** The pool of the first profile of the first provider that has pools: the request stays in it. */
  #pool: string | null | undefined
  /** The profile whose room it is this request's turn to enter. */
  #turn: string | undefined

  constructor(parts: Pick<ForwarderParts, 'resolver' | 'clock' | 'refusals'>, of: SelectionParts) {
    this.#parts = parts
    this.#of = of
  }

  get refusals(): readonly KeymuxError[] {
    return this.#refusals
  }

  /** Why each candidate cannot serve. */
  get reasons(): readonly CandidateReason[] {
    return this.#refusals.flatMap((error) => (error instanceof NoUsableProfileError ? error.reasons : []))
  }

  /** A new round begins: what was said of the last one is over. */
  begin(): void {
    if (this.#refusals.length > 0) this.#refusals = []
  }

  /** The next profile of a stage where it can be told at once. */
  nextNow(stage: Stage): Selected | undefined {
    if (this.#lastHere(stage) !== undefined) return undefined
    const resolution = this.#parts.resolver.resolveNow(
      stage.provider,
      stage.profile,
      this.#choice(stage, this.#excluded()),
    )
    const leave = resolution && this.#enter(resolution)
    return resolution && leave && { stage, resolution, leave }
  }

  /** The next profile of a stage, with a place in its room; `undefined` when none is left. */
  async next(stage: Stage): Promise<Selected | undefined> {
    for (;;) {
      const resolution = await this.#pickInTurn(stage)
      if (resolution === undefined) return undefined
      const leave = this.#enter(resolution)
      // Another request was quicker: its room is full now, and it is passed over.
      if (leave !== undefined) return { stage, resolution, leave }
    }
  }

  /** A profile of another account that is available now, for what `first` has refused: in the same pool. */
  async other(stage: Stage, first: Resolution['profile']): Promise<Selected | undefined> {
    const passed = new Set(this.#excluded()).add(first.id)
    for (;;) {
      const resolution = await this.#pickAside(stage, passed)
      if (resolution === undefined) return undefined
      const { id, account } = resolution.profile
      const leave = account !== undefined && account === first.account ? undefined : this.#enter(resolution)
      if (leave !== undefined) return { stage, resolution, leave }
      passed.add(id)
    }
  }

  /** A disabled profile, each one time in a while. */
  async trial(stage: Stage): Promise<Selected | undefined> {
    const choice = { ...this.#choice(stage, this.#tried), signal: this.#of.course.signal }
    const resolution = await this.#parts.resolver.resolveTrial(stage.provider, stage.profile, choice)
    const leave = resolution && this.#enter(resolution)
    return resolution && leave && { stage, resolution, leave }
  }

  /** Profiles that could serve but for their room. */
  async crowded(): Promise<readonly string[]> {
    const found = new Set<string>()
    if (this.#of.rooms.full.size === 0) return []
    // What was said when they were left out stays what the caller hears.
    const said = this.#refusals
    this.#refusals = []
    for (const stage of this.#of.request.stages) {
      while (found.size < MOST_CROWDED) {
        const resolution = await this.#pick(stage, new Set([...this.#tried, ...found]))
        if (resolution === undefined) break
        found.add(resolution.profile.id)
        this.#of.rooms.note(resolution.profile)
      }
    }
    this.#refusals = said
    return [...found]
  }

  /** It is the turn of this request to enter the room of a profile, until it has, or until {@link Selection.pass}. */
  called(profileId: string): void {
    this.#turn = profileId
  }

  /** Lets the next one have its turn. */
  pass(): void {
    if (this.#turn !== undefined) this.#of.rooms.done(this.#turn)
    this.#turn = undefined
  }

  /** A profile has been tried. The request stays in its pool. */
  tried({ id, pool }: Resolution['profile'], again: boolean): void {
    if (!again) this.#tried.add(id)
    this.#pool ??= pool
  }

  hasTried(profileId: string): boolean {
    return this.#tried.has(profileId)
  }

  /** May be asked again. */
  forget(profileId: string): void {
    this.#tried.delete(profileId)
  }

  /** Whether somebody can be asked; where not, why, the failures of this very request included. */
  async askAnew(): Promise<boolean> {
    this.#refusals = []
    let found = false
    for (const stage of this.#of.request.stages) {
      found = (await this.#pick(stage, this.#excluded())) !== undefined || found
    }
    return found
  }

  /** Who is set aside for a while, or was when this request asked: such a time may be over before the last is asked. */
  busy(failures: readonly FailedTry[]): readonly CandidateReason[] {
    return this.reasons.filter((one) => passesSoon(one) || wasBusy(one, failures))
  }

  /** How long it takes until the first of them is back. */
  soonestMs(reasons: readonly CandidateReason[]): number {
    const nowMs = Number(this.#parts.clock.now())
    return Math.min(...reasons.map(({ until }) => (until?.getTime() ?? nowMs) - nowMs))
  }

  /** The next profile; those that go last in this conversation only when there is no other. */
  #pickInTurn(stage: Stage): Promise<Resolution | undefined> {
    const excluded = this.#excluded()
    const last = this.#lastHere(stage)
    if (last === undefined) return this.#pick(stage, excluded)
    const before = this.#pickAside(stage, new Set([...excluded, ...last]))
    return before.then((found) => found ?? this.#pick(stage, excluded))
  }

  /** The profiles that go last in this conversation; `undefined` where there is none. */
  #lastHere(stage: Stage): ReadonlySet<string> | undefined {
    const { refusals } = this.#parts
    if (refusals === undefined || refusals.isEmpty) return undefined
    const conversation = this.#of.bindings.conversationDigest(stage)
    const last = conversation === undefined ? undefined : refusals.lastIn(conversation)
    return last === undefined || last.size === 0 ? undefined : last
  }

  /** Picks without a word of why nobody is left. */
  async #pickAside(stage: Stage, exclude: ReadonlySet<string>): Promise<Resolution | undefined> {
    const said = this.#refusals
    this.#refusals = []
    try {
      return await this.#pick(stage, exclude)
    } finally {
      this.#refusals = said
    }
  }

  async #pick(stage: Stage, exclude: ReadonlySet<string>): Promise<Resolution | undefined> {
    const { provider, profile } = stage
    const { resolver } = this.#parts
    const choice = this.#choice(stage, exclude)
    const now = resolver.resolveNow(provider, profile, choice)
    if (now !== undefined) return now
    try {
      return await resolver.resolve(provider, profile, { ...choice, signal: this.#of.course.signal })
    } catch (error) {
      const isOnlyThis = isKeymuxError(error, 'unknown_provider') && this.#of.request.stages.length > 1
      if (!(error instanceof NoUsableProfileError || isOnlyThis)) throw error
      if (error instanceof NoUsableProfileError && this.#pool === undefined) this.#pool = error.pool
      this.#refusals.push(error)
      return undefined
    }
  }

  #choice(stage: Stage, exclude: ReadonlySet<string>): ResolveOptions {
    const model = this.#of.outbound.model(stage)
    const { only, familiar } = this.#of.bindings.of(stage)
    const pool = this.#pool
    const tried = this.#tried
    // Written out: an object that is spread for every request costs a twelfth of it.
    if (only === undefined && familiar === undefined) {
      return model === undefined ? { exclude, tried, pool } : { exclude, tried, pool, model }
    }
    return { exclude, tried, pool, model, only, familiar }
  }

  /** Those that were tried, and those whose room is full. */
  #excluded(): ReadonlySet<string> {
    const { full } = this.#of.rooms
    if (full.size === 0) return this.#tried
    return new Set([...this.#tried, ...full].filter((id) => id !== this.#turn || this.#tried.has(id)))
  }

  #enter({ profile }: Resolution): (() => void) | undefined {
    const isTurn = this.#turn === profile.id
    const leave = this.#of.rooms.enter(profile, isTurn)
    // Whoever is served elsewhere keeps nobody out.
    this.pass()
    return leave
  }
}
