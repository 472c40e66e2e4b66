import type { Answer } from '../../domain/forwarding.js'
import type { ProfileView } from '../../domain/profiles.js'
import { classifyResponse, type ResponseVerdict } from '../../policy/classify-response.js'
import type { SimulationLab } from './lab.js'
import type { Call } from './provider.js'
import { isSound, servesThroughout } from './truth.js'
import type { SimulatedAccount, SimulatedRequest, World } from './world.js'

/**
 * What must hold, whatever providers say. `aside`: no account that would have served is set aside as a whole for more
 * than 10 min beyond what was stated. `model_aside`: none for a model for more than 1 h by presumption.
 * `served_elsewhere`: no request fails for a stated reason, or with 401, 402, 429 or 5xx, while an account could serve.
 * `two_accounts`: unknown refusals are tried on two accounts at most. `compared`: an unknown refusal is tried on a second
 * account where one is there.
 */
export type Rule = 'aside' | 'model_aside' | 'served_elsewhere' | 'two_accounts' | 'compared'

/** A rule that did not hold. */
export interface Breach {
  readonly rule: Rule
  /** Since the beginning of the world, in milliseconds. */
  readonly atMs: number
  readonly what: string
}

/** What came of a request. */
export interface RequestEnd {
  readonly request: SimulatedRequest
  readonly answer: Answer
  readonly startMs: number
  readonly endMs: number
}

/** Counts of a run. */
export interface Tally {
  requests: number
  served: number
  calls: number
  /** What an oracle would have needed that knows whom to ask, and is bound by the same rules. */
  oracle: number
  /** Requests that failed though an account would have served that was in a pause of a minute or less. */
  paused: number
  /** Requests that got an unknown refusal though an account that was not asked would have served. */
  refused: number
  /** Answers to callers, by status. */
  readonly statuses: Record<string, number>
  /** What accounts said, by what was wrong and how it was told. */
  readonly told: Record<string, number>
}

const TEN_MINUTES = 600_000
const HOUR = 3_600_000
/** Between two looks at the accounts. */
export const LOOK_EVERY_MS = 60_000
/** Pauses that are part of the rules: 30 s after a rate limit, up to 60 s for an overloaded provider. */
const SHORT_MS = 60_000
const PASSING: ReadonlySet<string> = new Set(['rate_limit', 'overloaded', 'server_error', 'timeout'])
const COMPARED_STATUSES: ReadonlySet<number> = new Set([400, 403, 404, 413, 422])
const REFUSED_STATUSES: ReadonlySet<number> = new Set([401, 402, 429])

/** Watches a world go by, and finds what must not be. */
export class Watch {
  readonly breaches: Breach[] = []
  readonly tally: Tally = {
    requests: 0,
    served: 0,
    calls: 0,
    oracle: 0,
    paused: 0,
    refused: 0,
    statuses: {},
    told: {},
  }
  readonly #world: World
  readonly #lab: () => SimulationLab
  readonly #startMs: number
  readonly #calls = new Map<number, Call[]>()
  /** Until when an account, or a model of it, may be set aside: what was said of it was true. */
  readonly #permitted = new Map<string, number>()
  /** Since when an account that would serve is set aside. */
  readonly #wrongSince = new Map<string, number>()

  constructor(world: World, lab: () => SimulationLab, startMs: number) {
    this.#world = world
    this.#lab = lab
    this.#startMs = startMs
  }

  called(call: Call): void {
    const { request, fault, answer } = call
    const calls = this.#calls.get(request.id) ?? []
    this.#calls.set(request.id, [...calls, call])
    this.tally.calls += 1
    if (fault === undefined) return
    const how = answer === undefined ? 'nothing' : answer.isStated ? 'stated' : `loose ${answer.status}`
    count(this.tally.told, `${fault.kind}: ${how}`)
  }

  callsOf(requestId: number): readonly Call[] {
    return this.#calls.get(requestId) ?? []
  }

  /** Looks at all accounts as they stand now. */
  async look(atMs: number): Promise<void> {
    for (const account of this.#world.accounts) {
      const view = await this.#view(account)
      this.#lookAtWhole(account, view, atMs)
      this.#lookAtModels(account, view, atMs)
    }
  }

  /** Judges the end of a request. */
  async ended(end: RequestEnd): Promise<void> {
    const { request, answer } = end
    const calls = this.callsOf(request.id)
    this.#calls.delete(request.id)
    await this.#permit(calls)
    this.tally.requests += 1
    count(this.tally.statuses, String(answer.status))
    if (answer.status < 400) this.tally.served += 1
    this.tally.oracle += this.#oracle(end, calls)
    this.#checkTwoAccounts(end, calls)
    if (answer.status < 400 || request.fault !== undefined) return
    await this.#checkServedElsewhere(end, calls)
  }

  #lookAtWhole(account: SimulatedAccount, view: ProfileView, atMs: number): void {
    const { name } = account
    const isAside = view.state === 'cooling' || view.state === 'disabled'
    const isPermitted = (this.#permitted.get(name) ?? 0) > atMs
    if (!isAside || isPermitted || !isSound(this.#world, account, atMs)) {
      this.#wrongSince.delete(name)
      return
    }
    const since = this.#wrongSince.get(name) ?? atMs
    this.#wrongSince.set(name, since)
    if (atMs - since <= TEN_MINUTES) return
    const { unusableReason, certainty = 'stated' } = view
    this.#breach('aside', atMs, `${name} would serve, and is set aside (${unusableReason}, ${certainty})`)
    this.#wrongSince.delete(name)
  }

  #lookAtModels({ name }: SimulatedAccount, view: ProfileView, atMs: number): void {
    for (const { model, until, reason } of view.modelCooldowns) {
      const untilMs = until.getTime() - this.#startMs
      if (untilMs - atMs <= HOUR || (this.#permitted.get(`${name} ${model}`) ?? 0) >= untilMs) continue
      const minutes = Math.round((untilMs - atMs) / 60_000)
      this.#breach('model_aside', atMs, `${name} is set aside for ${model} for ${minutes} min (${reason})`)
    }
  }

  /** What was true may have its full effect. */
  async #permit(calls: readonly Call[]): Promise<void> {
    for (const { account, request, fault } of calls) {
      if (fault === undefined || fault.of === 'request') continue
      const { unusableUntil, modelCooldowns } = await this.#view(account)
      const window = modelCooldowns.find(({ model }) => model === request.model)
      this.#extend(account.name, unusableUntil)
      this.#extend(`${account.name} ${request.model}`, window?.until)
    }
  }

  #extend(key: string, until: Date | undefined): void {
    if (until === undefined) return
    this.#permitted.set(key, Math.max(this.#permitted.get(key) ?? 0, until.getTime() - this.#startMs))
  }

  #checkTwoAccounts({ request, endMs }: RequestEnd, calls: readonly Call[]): void {
    const refused = calls.filter((call) => isUnknown(call, this.#world))
    const accounts = new Set(refused.map(({ account }) => account.name))
    if (accounts.size <= 2) return
    this.#breach('two_accounts', endMs, `request ${request.id} was refused by ${[...accounts].join(', ')}`)
  }

  async #checkServedElsewhere(end: RequestEnd, calls: readonly Call[]): Promise<void> {
    const { request, answer, startMs, endMs } = end
    const last = calls.at(-1)
    const isUnknownRefusal =
      last !== undefined && COMPARED_STATUSES.has(answer.status) && last.answer?.isStated !== true
    for (const account of this.#world.accounts) {
      if (!servesThroughout(this.#world, account, request, startMs, endMs)) continue
      const view = await this.#view(account)
      const pause = this.#pauseOf(account, view, request, endMs)
      if (pause === 'permitted') continue
      if (pause === 'short') {
        this.tally.paused += 1
        return
      }
      if (isUnknownRefusal && !REFUSED_STATUSES.has(answer.status)) {
        this.tally.refused += 1
        return
      }
      const what = `request ${request.id} (${request.model}) failed with ${answer.status} while ${account.name} would serve: ${view.state}, ${view.unusableReason ?? JSON.stringify(view.modelCooldowns)}`
      this.#breach('served_elsewhere', endMs, what)
      return
    }
  }

  /** Why an account that would serve was not asked, where the rules allow that. */
  #pauseOf(
    { name }: SimulatedAccount,
    view: ProfileView,
    { model }: SimulatedRequest,
    atMs: number,
  ): 'permitted' | 'short' | undefined {
    const window = view.modelCooldowns.find((one) => one.model === model)
    const whole = view.unusableUntil && { until: view.unusableUntil, reason: view.unusableReason ?? '' }
    for (const [key, found] of [
      [name, whole],
      [`${name} ${model}`, window],
    ] as const) {
      if (found === undefined) continue
      if ((this.#permitted.get(key) ?? 0) > atMs) return 'permitted'
      const leftMs = found.until.getTime() - this.#startMs - atMs
      if (leftMs <= SHORT_MS && PASSING.has(found.reason)) return 'short'
    }
    return undefined
  }

  /** Whoever knows everything asks one account that serves; where none does, those that the rules ask. */
  #oracle({ request, startMs, endMs }: RequestEnd, calls: readonly Call[]): number {
    const serves = (account: SimulatedAccount): boolean =>
      servesThroughout(this.#world, account, request, startMs, endMs)
    if (request.fault === undefined) {
      return this.#world.accounts.some(serves) ? 1 : Math.min(1, calls.length)
    }
    return new Set(calls.map(({ account }) => account.name)).size
  }

  #view(account: SimulatedAccount): Promise<ProfileView> {
    return this.#lab().profiles.view(this.#lab().idOf(account))
  }

  #breach(rule: Rule, atMs: number, what: string): void {
    this.breaches.push({ rule, atMs, what })
  }
}

/** Whether an answer is a refusal of which nothing is known for sure. */
export function isUnknown(call: Call, world: World): boolean {
  const verdict = verdictOn(call, world)
  if (call.answer === undefined || verdict?.scope !== 'request' || verdict.certainty !== 'presumed')
    return false
  const { reason } = verdict
  return COMPARED_STATUSES.has(call.answer.status) && (reason === 'format' || reason === 'unknown')
}

function verdictOn({ answer, request }: Call, { provider }: World): ResponseVerdict | undefined {
  if (answer === undefined) return undefined
  const { status, headers, pieces } = answer
  const pairs = Array.from({ length: headers.length / 2 }, (_, index): [string, string] => [
    headers[2 * index] ?? '',
    headers[2 * index + 1] ?? '',
  ])
  return classifyResponse({
    provider,
    status,
    headers: Object.fromEntries(pairs),
    body: pieces.join(''),
    model: request.model,
    now: new Date(0),
  })
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}
