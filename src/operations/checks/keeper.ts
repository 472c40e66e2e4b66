import { isKeymuxError } from '../../domain/errors.js'
import type { HealthEvent } from '../../domain/health.js'
import type { Clock, Logger, Random } from '../../domain/ports.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import { sleep } from '../../logins/sleep.js'
import type { CheckPlan, Checks, CheckTarget } from '../../profiles/checks.js'
import type { Checker } from './checker.js'

/** What a keeper works with. */
export interface KeeperParts {
  readonly checks: Checks
  readonly checker: Pick<Checker, 'check' | 'isWorthwhile'>
  readonly provider: (name: string) => ProviderMetadata | undefined
  /** Whether the owner lets profiles be checked: of this provider, and this one. */
  readonly isWanted: (provider: string, id: string) => boolean
  readonly clock: Clock
  readonly random: Random
  readonly logger?: Logger | undefined
}

type OnChecked = (event: HealthEvent) => void

/** What others write is looked at this often, in milliseconds. */
const LOOK_MS = 1_000
const MOST_AT_ONCE = 4
/** So that an endpoint that does not answer leaves room for the others. */
const MOST_OF_A_PROVIDER = 2
/** Looks at disables are put off by up to so much, in milliseconds: they began together where a provider failed. */
const LONGEST_JITTER_MS = 180_000
/** The same failure is told again after this long, in milliseconds. */
const QUIET_MS = 60_000

/** When a look was to be made, and when it is made. */
interface PutOff {
  readonly dueMs: number
  readonly untilMs: number
}

/** Has profiles checked that are set aside, a few at once. */
export class HealthKeeper {
  readonly #parts: KeeperParts
  readonly #plan: CheckPlan

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#plan = (name, id) => {
      const provider = parts.provider(name)
      if (provider?.check === undefined || provider.health === false) return undefined
      return parts.isWanted(name, id) ? { tellsCredit: provider.check.tells === 'credit' } : undefined
    }
  }

  async keepChecked(
    signal: AbortSignal,
    { onChecked }: { readonly onChecked?: OnChecked | undefined } = {},
  ): Promise<void> {
    const round = new Round(this.#parts, this.#plan, signal, onChecked)
    while (!signal.aborted) {
      await round.begin()
      await sleep(LOOK_MS, this.#parts.clock, signal).catch(() => undefined)
    }
    await round.ended()
  }
}

/** The checks of one run. */
class Round {
  readonly #parts: KeeperParts
  readonly #plan: CheckPlan
  readonly #signal: AbortSignal
  readonly #onChecked: OnChecked | undefined
  /** Providers of the checks under way, by profile. */
  readonly #running = new Map<string, { readonly provider: string; readonly ended: Promise<void> }>()
  #putOff = new Map<string, PutOff>()
  #quietUntilMs = Number.NEGATIVE_INFINITY
  #untold = 0

  constructor(parts: KeeperParts, plan: CheckPlan, signal: AbortSignal, onChecked: OnChecked | undefined) {
    this.#parts = parts
    this.#plan = plan
    this.#signal = signal
    this.#onChecked = onChecked
  }

  /** Begins what is due, as far as there is room. */
  async begin(): Promise<void> {
    try {
      const targets = await this.#parts.checks.targets(this.#plan)
      const due = this.#due(targets)
      for (const target of due) if (this.#hasRoom(target.provider)) this.#start(target)
    } catch (error) {
      this.#tell(error)
    }
  }

  /** Waits for those under way: they end with the signal. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
  }

  /** The longest due first. */
  #due(targets: readonly CheckTarget[]): CheckTarget[] {
    const nowMs = this.#nowMs()
    const putOff = new Map<string, PutOff>()
    const due: { readonly atMs: number; readonly target: CheckTarget }[] = []
    for (const target of targets) {
      const { id, need } = target
      if (need.dueMs > nowMs || this.#running.has(id)) continue
      const untilMs = need.kind === 'confirm' ? need.dueMs : this.#jittered(target, nowMs, putOff)
      if (untilMs <= nowMs && this.#parts.checker.isWorthwhile(target)) due.push({ atMs: untilMs, target })
    }
    this.#putOff = putOff
    return due.sort((a, b) => a.atMs - b.atMs).map(({ target }) => target)
  }

  #jittered({ id, need }: CheckTarget, nowMs: number, putOff: Map<string, PutOff>): number {
    const known = this.#putOff.get(id)
    const isSame = known?.dueMs === need.dueMs && known.untilMs - nowMs <= LONGEST_JITTER_MS
    const untilMs = isSame ? known.untilMs : nowMs + this.#parts.random() * LONGEST_JITTER_MS
    putOff.set(id, { dueMs: need.dueMs, untilMs })
    return untilMs
  }

  #hasRoom(provider: string): boolean {
    const siblings = [...this.#running.values()].filter((one) => one.provider === provider)
    return this.#running.size < MOST_AT_ONCE && siblings.length < MOST_OF_A_PROVIDER
  }

  #start(target: CheckTarget): void {
    const { id, provider } = target
    const ended = this.#check(target).finally(() => this.#running.delete(id))
    this.#running.set(id, { provider, ended })
  }

  async #check(target: CheckTarget): Promise<void> {
    const { id, provider } = target
    try {
      const outcome = await this.#parts.checker.check(target, this.#plan, this.#signal)
      if (outcome !== undefined) this.#onChecked?.({ profileId: id, provider, outcome })
    } catch (error) {
      this.#tell(error)
    }
  }

  /** One line a minute, with how many there were. */
  #tell(error: unknown): void {
    if (this.#signal.aborted) return
    const nowMs = this.#nowMs()
    this.#untold += 1
    if (nowMs < this.#quietUntilMs && nowMs > this.#quietUntilMs - 2 * QUIET_MS) return
    const code = isKeymuxError(error) ? error.code : 'unknown'
    this.#parts.logger?.warn('health.failed', { code, times: this.#untold })
    this.#quietUntilMs = nowMs + QUIET_MS
    this.#untold = 0
  }

  #nowMs(): number {
    return Number(this.#parts.clock.now())
  }
}
