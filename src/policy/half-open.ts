import type { ProfileUsageStats } from '../domain/usage.js'
import {
  COOLDOWN,
  DISABLE,
  holdingWindow,
  modelSlot,
  readWindow,
  type Window,
  type WindowSlot,
  withWindow,
} from './windows.js'

/*
 * Accounts are topped up and limits are reset early. So where nobody else can serve, one request in a while goes out with
 * a profile whose window is a long one, to see whether that still holds.
 */

/** A window up to this long is waited for: 15 minutes, in milliseconds. Disables are longer, whatever is configured. */
export const LONG_WINDOW_MS: number = 900_000
/** How long a profile is left alone after a trial: 10 minutes, in milliseconds. */
export const TRIAL_INTERVAL_MS: number = 600_000
/** The same where the provider itself named the end of a window: 30 minutes, in milliseconds. */
export const STATED_TRIAL_INTERVAL_MS: number = 1_800_000

/** What a trial is for. */
export interface TrialFacts {
  readonly provider: string
  /** The model of the request. */
  readonly model: string | undefined
  readonly now: Date
}

/**
 * How long after the last trial the next one may go out, in milliseconds, by the windows of one row: `0` where none is
 * open; `undefined` where one is in the way that is too short for a trial.
 */
export function trialIntervalMs(
  stats: ProfileUsageStats | undefined,
  { provider, model, now }: TrialFacts,
): number | undefined {
  if (stats === undefined) return 0
  const slots = model === undefined ? [COOLDOWN, DISABLE] : [COOLDOWN, DISABLE, modelSlot(model)]
  let longest = 0
  for (const slot of slots) {
    const window = holdingWindow(stats, slot, provider, now)
    if (window === undefined) continue
    if (!isLong(window, slot, now)) return undefined
    longest = Math.max(longest, window.stated === true ? STATED_TRIAL_INTERVAL_MS : TRIAL_INTERVAL_MS)
  }
  return longest
}

/** Whether a trial may go out. A last one in the future is one of a clock that was wrong: it does not count. */
export function isTrialDue({ trialAt }: ProfileUsageStats, now: Date, intervalMs: number): boolean {
  const since = trialAt === undefined ? undefined : now.getTime() - trialAt.getTime()
  return since === undefined || since < 0 || since >= intervalMs
}

/** The statistics with a trial noted, or `undefined` when the last one is too short ago. */
export function applyTrial(
  stats: ProfileUsageStats,
  now: Date,
  intervalMs: number = TRIAL_INTERVAL_MS,
): ProfileUsageStats | undefined {
  return isTrialDue(stats, now, intervalMs) ? { ...stats, trialAt: now } : undefined
}

/**
 * The statistics without the long windows that a trial has shown not to hold; the same object where there is none. One
 * that was opened after the trial had gone out stays, where that is known.
 */
export function withoutLongWindows(
  stats: ProfileUsageStats,
  { model, now }: Omit<TrialFacts, 'provider'>,
): ProfileUsageStats {
  const slots = model === undefined ? [COOLDOWN] : [COOLDOWN, modelSlot(model)]
  return slots.reduce((before, slot) => {
    const window = readWindow(before, slot)
    if (window === undefined || !isLong(window, slot, now)) return before
    const sentAt = stats.trialAt
    const isLater = sentAt !== undefined && window.since !== undefined && window.since > sentAt
    return isLater ? before : withWindow(before, slot, undefined)
  }, stats)
}

function isLong({ until, since }: Window, { kind }: WindowSlot, now: Date): boolean {
  return kind === 'disable' || until.getTime() - (since ?? now).getTime() > LONG_WINDOW_MS
}
