import type { ProfileView } from '../../domain/profiles.js'
import type { ProfileUsageStats } from '../../domain/usage.js'
import type { Breach } from './breaches.js'
import type { Call } from './provider.js'
import { isSound } from './truth.js'
import type { SimulatedAccount, SimulatedRequest, World } from './world.js'

const TEN_MINUTES = 600_000
const HOUR = 3_600_000
/** Pauses that are part of the rules: 30 s after a rate limit, up to 60 s for an overloaded provider. */
const SHORT_MS = 60_000
const PASSING: ReadonlySet<string> = new Set(['rate_limit', 'overloaded', 'server_error', 'timeout'])

/** Who is set aside, and whether he may be. What was said of an account and is true may have its full effect. */
export class Asides {
  readonly #world: World
  readonly #view: (account: SimulatedAccount) => Promise<ProfileView>
  readonly #startMs: number
  /** Until when an account, or a model of it, may be set aside, in milliseconds since the beginning. */
  readonly #permitted = new Map<string, number>()
  /** Since when an account that would serve is set aside, and until when. */
  readonly #wrong = new Map<string, { readonly sinceMs: number; readonly untilMs: number }>()

  constructor(world: World, view: (account: SimulatedAccount) => Promise<ProfileView>, startMs: number) {
    this.#world = world
    this.#view = view
    this.#startMs = startMs
  }

  /** Looks at all accounts as they stand now. */
  async look(atMs: number): Promise<Breach[]> {
    const found: Breach[] = []
    for (const account of this.#world.accounts) {
      const view = await this.#view(account)
      found.push(...this.#lookAtWhole(account, view, atMs), ...this.#lookAtModels(account, view, atMs))
    }
    return found
  }

  /** Takes over what was said of accounts and is true. */
  async permit(calls: readonly Call[]): Promise<void> {
    for (const { account, request, fault } of calls) {
      if (fault === undefined || fault.of === 'request') continue
      const { unusableUntil, modelCooldowns } = await this.#view(account)
      const window = modelCooldowns.find(({ model }) => model === request.model)
      this.#extend(account.name, unusableUntil)
      this.#extend(`${account.name} ${request.model}`, window?.until)
    }
  }

  /** Why an account that would serve need not be asked. */
  pauseOf(
    { name }: SimulatedAccount,
    view: ProfileView,
    { cooldownUntil, cooldownReason }: ProfileUsageStats,
    { model }: SimulatedRequest,
    atMs: number,
  ): 'permitted' | 'short' | undefined {
    const window = view.modelCooldowns.find((one) => one.model === model)
    const whole = view.unusableUntil && { until: view.unusableUntil, reason: view.unusableReason ?? '' }
    // A pause may stand beside a disable, which alone is seen.
    const pause = cooldownUntil && { until: cooldownUntil, reason: cooldownReason ?? '' }
    for (const [key, found] of [
      [name, whole],
      [name, pause],
      [`${name} ${model}`, window],
    ] as const) {
      if (found === undefined || this.#since(found.until) <= atMs) continue
      if ((this.#permitted.get(key) ?? 0) > atMs) return 'permitted'
      if (this.#since(found.until) - atMs <= SHORT_MS && PASSING.has(found.reason)) return 'short'
    }
    return undefined
  }

  #lookAtWhole(account: SimulatedAccount, view: ProfileView, atMs: number): Breach[] {
    const { name } = account
    const isAside = view.state === 'cooling' || view.state === 'disabled'
    const isPermitted = (this.#permitted.get(name) ?? 0) > atMs
    if (!isAside || isPermitted || !isSound(this.#world, account, atMs)) {
      this.#wrong.delete(name)
      return []
    }
    const untilMs =
      view.unusableUntil === undefined ? Number.POSITIVE_INFINITY : this.#since(view.unusableUntil)
    const known = this.#wrong.get(name)
    // What is set aside anew was refused anew.
    const sinceMs = known?.untilMs === untilMs ? known.sinceMs : atMs
    this.#wrong.set(name, { sinceMs, untilMs })
    if (atMs - sinceMs <= TEN_MINUTES) return []
    this.#wrong.delete(name)
    const { unusableReason, certainty = 'stated' } = view
    const what = `${name} would serve, and is set aside (${unusableReason}, ${certainty})`
    return [{ rule: 'aside', atMs, what }]
  }

  #lookAtModels({ name }: SimulatedAccount, view: ProfileView, atMs: number): Breach[] {
    return view.modelCooldowns.flatMap(({ model, until, reason }): Breach[] => {
      const leftMs = this.#since(until) - atMs
      if (leftMs <= HOUR || (this.#permitted.get(`${name} ${model}`) ?? 0) >= this.#since(until)) return []
      const what = `${name} is set aside for ${model} for ${Math.round(leftMs / 60_000)} min (${reason})`
      return [{ rule: 'model_aside', atMs, what }]
    })
  }

  #extend(key: string, until: Date | undefined): void {
    if (until === undefined) return
    this.#permitted.set(key, Math.max(this.#permitted.get(key) ?? 0, this.#since(until)))
  }

  #since(date: Date): number {
    return date.getTime() - this.#startMs
  }
}
