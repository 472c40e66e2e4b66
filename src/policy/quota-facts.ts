import type { QuotaWindow } from '../domain/quota.js'
import { modelAllowed } from './model-globs.js'
import { headroomOf, isCurrent, quotaEndMs } from './quota-windows.js'
import { modelKey } from './windows.js'

/** What of a quota decides about the order of choice. */
export interface QuotaRank {
  /** How much is left of the window that has least, in steps of a twentieth: 20 is all of it. Absent: not known. */
  readonly level?: number
  /** The soonest reset, in minutes since 1970. Absent: not known. */
  readonly resetMinute?: number
  /** So little is left that the profile goes last. */
  readonly isReserved: boolean
}

const LEVELS = 20
const MINUTE_MS = 60_000
const MOST_RANKS = 64
/** What nothing is known of. */
export const UNKNOWN_RANK: QuotaRank = { isReserved: false }

/**
 * What the windows of one profile come to at an instant, until {@link QuotaFacts.nextChangeMs}. Steps and minutes keep
 * profiles in their places that differ by a request or two: who was asked last is asked again, where its caches are warm.
 */
export class QuotaFacts {
  /** When something of it changes by itself, in epoch milliseconds. */
  readonly nextChangeMs: number
  /** Models and classes of models that windows hold for. */
  readonly models: readonly string[]
  /** Its rank by all that is known. */
  readonly all: QuotaRank
  readonly #windows: readonly QuotaWindow[]
  readonly #nowMs: number
  readonly #reserve: number
  readonly #ranks = new Map<string, QuotaRank>()

  /** @param reserve The share that is kept back, in percent; 0 for none. */
  constructor(windows: readonly QuotaWindow[], nowMs: number, reserve: number) {
    this.#windows = windows.filter((window) => isCurrent(window, nowMs))
    this.#nowMs = nowMs
    this.#reserve = reserve
    const models = new Set(this.#windows.flatMap(({ model }) => (model === undefined ? [] : [model])))
    this.models = [...models].sort()
    this.all = this.#rankOf(this.#windows)
    this.nextChangeMs = Math.min(
      ...this.#windows.flatMap((window) => [quotaEndMs(window), asideMs(window)]).filter((ms) => ms > nowMs),
    )
  }

  /** Whether nothing is known now. */
  get isEmpty(): boolean {
    return this.#windows.length === 0
  }

  /** Until when the whole profile is set aside. */
  get asideUntil(): Date | undefined {
    return this.#asideOf((window) => window.model === undefined)
  }

  /** Until when a model is set aside. */
  modelAsideUntil(model: string): Date | undefined {
    if (this.models.length === 0) return undefined
    const key = modelKey(model)
    return this.#asideOf((window) => window.model !== undefined && holdsFor(window, key))
  }

  /** Whether the same is set aside, and the same models have windows, as by these. */
  setsAsideLike(other: QuotaFacts): boolean {
    return (
      this.#asideText() === other.#asideText() &&
      this.models.length === other.models.length &&
      this.models.every((model, index) => model === other.models[index])
    )
  }

  #asideText(): string {
    return this.#windows
      .flatMap((window) => {
        const ms = asideMs(window)
        return ms > this.#nowMs ? [`${window.model ?? '\u0000'} ${ms}`] : []
      })
      .join('\n')
  }

  /** Its rank for a model. Absent: by all that is known. */
  rank(model: string | undefined): QuotaRank {
    if (model === undefined || this.models.length === 0) return this.all
    let rank = this.#ranks.get(model)
    if (rank === undefined) {
      const key = modelKey(model)
      rank = this.#rankOf(this.#windows.filter((one) => one.model === undefined || holdsFor(one, key)))
      if (this.#ranks.size >= MOST_RANKS) this.#ranks.clear()
      this.#ranks.set(model, rank)
    }
    return rank
  }

  #rankOf(windows: readonly QuotaWindow[]): QuotaRank {
    const shares = windows.flatMap((window) => headroomOf(window) ?? [])
    const isReserved =
      windows.some(({ status }) => status === 'overage') ||
      (this.#reserve > 0 && shares.some((share) => share * 100 <= this.#reserve))
    const resets = windows.flatMap(({ resetsAt }) => (resetsAt === undefined ? [] : [resetsAt.getTime()]))
    return {
      isReserved,
      ...(shares.length === 0 ? {} : { level: Math.ceil(Math.min(...shares) * LEVELS) }),
      ...(resets.length === 0 ? {} : { resetMinute: Math.floor(Math.min(...resets) / MINUTE_MS) }),
    }
  }

  #asideOf(wanted: (window: QuotaWindow) => boolean): Date | undefined {
    const ends = this.#windows.flatMap((window) => {
      const ms = asideMs(window)
      return ms > this.#nowMs && wanted(window) ? [ms] : []
    })
    return ends.length === 0 ? undefined : new Date(Math.max(...ends))
  }
}

/** Whether two ranks put a profile into the same place. */
export function isSameRank(a: QuotaRank, b: QuotaRank): boolean {
  const sameLevel = (a.level ?? LEVELS) === (b.level ?? LEVELS)
  return sameLevel && a.resetMinute === b.resetMinute && a.isReserved === b.isReserved
}

function holdsFor({ model = '' }: QuotaWindow, key: string): boolean {
  return model === key || (model.includes('*') && modelAllowed([model], key))
}

function asideMs({ asideUntil }: QuotaWindow): number {
  return asideUntil?.getTime() ?? 0
}
