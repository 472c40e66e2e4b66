import { MOST_QUOTA_WINDOWS, type QuotaState, type QuotaWindow } from '../domain/quota.js'
import { compareText } from '../domain/text-order.js'

/** A reading from further ahead than this is one of a wrong clock, in milliseconds. */
const FURTHEST_SEEN_MS = 300_000
const PERIODS: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}
const NOTHING_KNOWN: QuotaState = { epoch: 0, windows: [] }

/** What tells windows of one profile apart. */
export function quotaKey({ dimension, model }: QuotaWindow): string {
  return model === undefined ? dimension : `${dimension}\u0000${model}`
}

/**
 * What two processes know of one quota together: of the later epoch, for each dimension and model what was seen last,
 * and the less of two that were seen at the same moment. At most 32 windows stay, those that were seen last. Commutative,
 * associative and idempotent: it does not matter who hears of what first.
 */
export function mergeQuota(a: QuotaState | undefined, b: QuotaState | undefined): QuotaState {
  if (a === undefined || b === undefined) return trimmed(a ?? b ?? NOTHING_KNOWN)
  if (a.epoch !== b.epoch) return trimmed(a.epoch > b.epoch ? a : b)
  if (a === b) return trimmed(a)
  return trimmed({ epoch: a.epoch, windows: [...a.windows, ...b.windows] })
}

/**
 * {@link mergeQuota} with what one answer said: in most cases the latest news of all, which is put before what is known
 * without a look at the rest.
 */
export function withReadings(
  known: QuotaState | undefined,
  epoch: number,
  windows: readonly QuotaWindow[],
): QuotaState {
  const latest = known?.windows[0]?.seenAt.getTime() ?? Number.NEGATIVE_INFINITY
  const isNews = known?.epoch === epoch && windows.every(({ seenAt }) => seenAt.getTime() > latest)
  const isOneAnswer = windows.every(({ seenAt }) => seenAt.getTime() === windows[0]?.seenAt.getTime())
  if (!isNews || !isOneAnswer) return mergeQuota(known, { epoch, windows })
  const others = known.windows.filter(
    (old) => !windows.some(({ dimension, model }) => old.dimension === dimension && old.model === model),
  )
  const read = [...windows].sort((a, b) => compareText(quotaKey(a), quotaKey(b)))
  return { epoch, windows: [...read, ...others].slice(0, MOST_QUOTA_WINDOWS) }
}

function trimmed({ epoch, windows }: QuotaState): QuotaState {
  const latest = new Map<string, QuotaWindow>()
  for (const window of windows) {
    const key = quotaKey(window)
    const known = latest.get(key)
    if (known === undefined || precedence(window, known) < 0) latest.set(key, window)
  }
  const kept = [...latest.values()].sort(
    (a, b) => b.seenAt.getTime() - a.seenAt.getTime() || compareText(quotaKey(a), quotaKey(b)),
  )
  return { epoch, windows: kept.slice(0, MOST_QUOTA_WINDOWS) }
}

/** Below zero where `a` counts rather than `b`. */
function precedence(a: QuotaWindow, b: QuotaWindow): number {
  return (
    b.seenAt.getTime() - a.seenAt.getTime() ||
    (headroomOf(a) ?? 1) - (headroomOf(b) ?? 1) ||
    compareText(JSON.stringify(sorted(a)), JSON.stringify(sorted(b)))
  )
}

function sorted(window: QuotaWindow): unknown {
  return Object.entries(window).sort(([a], [b]) => compareText(a, b))
}

/** The share of a window that is left, from 0 to 1; `undefined` where it is not known. */
export function headroomOf({ limit, remaining, utilization, status }: QuotaWindow): number | undefined {
  if (status === 'rejected' || status === 'overage' || remaining === 0) return 0
  if (remaining !== undefined && limit !== undefined) return Math.min(remaining / limit, 1)
  return utilization === undefined ? undefined : 1 - utilization
}

/**
 * When a window is over: at its reset, or where none is stated after the time that its name says (`tokens-minute`), a
 * minute else. In epoch milliseconds.
 */
export function quotaEndMs({ dimension, resetsAt, seenAt }: QuotaWindow): number {
  if (resetsAt !== undefined) return resetsAt.getTime()
  const [, period = ''] = /(?:^|[._-])(second|minute|hour|day)s?$/.exec(dimension) ?? []
  return seenAt.getTime() + (PERIODS[period] ?? 60_000)
}

/** Whether a window says anything now: it is not over, and was not read by a clock that is ahead. */
export function isCurrent(window: QuotaWindow, nowMs: number): boolean {
  return quotaEndMs(window) > nowMs && window.seenAt.getTime() <= nowMs + FURTHEST_SEEN_MS
}

/** The windows that say something now, the tightest first. */
export function currentQuota(state: QuotaState | undefined, now: Date): QuotaWindow[] {
  const nowMs = now.getTime()
  return (state?.windows ?? [])
    .filter((window) => isCurrent(window, nowMs))
    .sort(
      (a, b) =>
        (headroomOf(a) ?? 1) - (headroomOf(b) ?? 1) ||
        compareText(a.dimension, b.dimension) ||
        compareText(a.model ?? '', b.model ?? ''),
    )
}
