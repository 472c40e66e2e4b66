import type { Answer } from '../../domain/forwarding.js'
import type { Profiles, ProfileView } from '../../domain/profiles.js'
import { classifyResponse } from '../../policy/classify-response.js'
import { isOpenRefusal, REFUSAL_KEPT_MS } from '../../policy/compare.js'
import { speaksOfPolicy } from '../../policy/policy-words.js'
import { Asides } from './asides.js'
import { addCount, type Breach, newTally, type Rule, type Tally } from './breaches.js'
import type { SimulationLab } from './lab.js'
import type { Call } from './provider.js'
import { servesThroughout } from './truth.js'
import type { SimulatedAccount, SimulatedRequest, World } from './world.js'

/** What came of a request. Times are milliseconds since the beginning. */
export interface RequestEnd {
  readonly request: SimulatedRequest
  readonly answer: Answer
  readonly startMs: number
  readonly endMs: number
}

/** The part of a lab that is watched. */
export interface WatchedLab extends Pick<SimulationLab, 'idOf'> {
  readonly profiles: Pick<Profiles, 'view' | 'stats'>
}

const FAILURES: ReadonlySet<number> = new Set([401, 402, 429])

/** Watches a world go by, and finds what must not be. */
export class Watch {
  readonly breaches: Breach[] = []
  readonly tally: Tally = newTally()
  readonly #world: World
  readonly #lab: () => WatchedLab
  readonly #asides: Asides
  readonly #calls = new Map<number, Call[]>()
  /** Until when a refusal of a model that two accounts agreed on is remembered. */
  readonly #agreed = new Map<string, number>()

  constructor(world: World, lab: () => WatchedLab, startMs: number) {
    this.#world = world
    this.#lab = lab
    this.#asides = new Asides(world, (account) => this.#view(account), startMs)
  }

  called(call: Call): void {
    const { request, fault, answer } = call
    this.#calls.set(request.id, [...(this.#calls.get(request.id) ?? []), call])
    this.tally.calls += 1
    if (fault === undefined) return
    const how = answer === undefined ? 'nothing' : answer.isStated ? 'stated' : `loose ${answer.status}`
    addCount(this.tally.told, `${fault.kind}: ${how}`)
  }

  /** Looks at all accounts as they stand now. */
  async look(atMs: number): Promise<void> {
    this.breaches.push(...(await this.#asides.look(atMs)))
  }

  /** Judges the end of a request. */
  async ended(end: RequestEnd): Promise<void> {
    const { request, answer } = end
    const calls = this.#calls.get(request.id) ?? []
    this.#calls.delete(request.id)
    await this.#asides.permit(calls)
    this.tally.requests += 1
    addCount(this.tally.statuses, String(answer.status))
    if (answer.status < 400) this.tally.served += 1
    this.tally.oracle += this.#oracle(end, calls)
    this.#checkTwoAccounts(end, calls)
    if (answer.status >= 400 && request.fault === undefined) await this.#checkServedElsewhere(end, calls)
  }

  #checkTwoAccounts({ request, endMs }: RequestEnd, calls: readonly Call[]): void {
    if (calls.length < 2) return
    const open = calls.filter((call) => isOpen(call, this.#world))
    const accounts = new Set(open.map(({ account }) => account.name))
    if (accounts.size === 2) this.#agreed.set(request.model, endMs + REFUSAL_KEPT_MS)
    if (accounts.size <= 2) return
    this.#breach('two_accounts', endMs, `request ${request.id} was refused by ${[...accounts].join(', ')}`)
  }

  async #checkServedElsewhere(end: RequestEnd, calls: readonly Call[]): Promise<void> {
    const { request, answer, startMs, endMs } = end
    const first = calls.find((call) => call.answer?.status === answer.status)
    const isOther = FAILURES.has(answer.status) || answer.status >= 500 || first?.answer?.isStated === true
    const asked = new Set(calls.map(({ account }) => account.name))
    for (const account of this.#world.accounts) {
      if (asked.has(account.name)) continue
      if (!servesThroughout(this.#world, account, request, startMs, endMs)) continue
      const view = await this.#view(account)
      const stats = await this.#lab().profiles.stats(this.#lab().idOf(account))
      const pause = this.#asides.pauseOf(account, view, stats, request, endMs)
      if (pause === 'short') this.tally.paused += 1
      if (pause !== undefined) continue
      const what = `request ${request.id} (${request.model}) failed with ${answer.status} while ${account.name} would serve: ${stateOf(view)}`
      if (isOther) this.#breach('served_elsewhere', endMs, what)
      else {
        this.tally.refused += 1
        if (first !== undefined && this.#isAlone(first, asked, account, view, startMs)) {
          this.#breach('compared', endMs, what)
        }
      }
      return
    }
  }

  /** Whether a refusal was put to one account, though another one was there. */
  #isAlone(
    call: Call,
    asked: ReadonlySet<string>,
    other: SimulatedAccount,
    view: ProfileView,
    startMs: number,
  ): boolean {
    if (asked.size > 1 || !isOpen(call, this.#world)) return false
    if (speaksOfPolicy(call.answer?.pieces.join('') ?? '')) return false
    const { organisation } = call.account
    const isSame = organisation !== undefined && organisation === other.organisation
    const isThere = view.state === 'available' && view.modelCooldowns.length === 0
    return !isSame && isThere && (this.#agreed.get(call.request.model) ?? -1) < startMs
  }

  /** Whoever knows everything asks one account that serves; where none does, those that the rules ask. */
  #oracle({ request, startMs, endMs }: RequestEnd, calls: readonly Call[]): number {
    if (request.fault !== undefined) return new Set(calls.map(({ account }) => account.name)).size
    const serves = (account: SimulatedAccount): boolean =>
      servesThroughout(this.#world, account, request, startMs, endMs)
    return this.#world.accounts.some(serves) ? 1 : Math.min(1, calls.length)
  }

  #view(account: SimulatedAccount): Promise<ProfileView> {
    return this.#lab().profiles.view(this.#lab().idOf(account))
  }

  #breach(rule: Rule, atMs: number, what: string): void {
    this.breaches.push({ rule, atMs, what })
  }
}

/** Whether an answer is a refusal of which nothing is known for sure. */
function isOpen({ answer, request }: Call, { provider }: World): boolean {
  if (answer === undefined) return false
  const { status, headers, pieces } = answer
  const pairs = Array.from({ length: headers.length / 2 }, (_, index): [string, string] => [
    headers[2 * index] ?? '',
    headers[2 * index + 1] ?? '',
  ])
  const verdict = classifyResponse({
    provider,
    status,
    headers: Object.fromEntries(pairs),
    body: pieces.join(''),
    model: request.model,
    now: new Date(0),
  })
  return verdict !== undefined && isOpenRefusal(verdict, status)
}

function stateOf({ state, unusableReason, modelCooldowns }: ProfileView): string {
  return `${state}, ${unusableReason ?? JSON.stringify(modelCooldowns)}`
}
