import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import type { SentIn } from './effects.js'
import { COOLDOWN, DISABLE, isOfCredential, readWindow, withWindow } from './windows.js'

/** Whether a request was sent with an earlier credential than the one that was last judged. */
export function isOvertaken({ generation = 0 }: ProfileUsageStats, sent: SentIn | undefined): boolean {
  return sent !== undefined && sent.generation < generation
}

/**
 * The statistics as they stand for a credential of this generation: what was said of an earlier one counts as not
 * said. Windows of quota and money stay.
 */
export function judgedFor(stats: ProfileUsageStats, generation: number): ProfileUsageStats {
  return (stats.generation ?? generation) < generation ? withoutVerdicts(stats) : stats
}

/** The statistics with the generation that was judged: a verdict on a credential speaks of no other. */
export function withGeneration(
  stats: ProfileUsageStats,
  reason: FailureReason,
  { generation }: SentIn,
): ProfileUsageStats {
  return isOfCredential(reason) && stats.generation !== generation ? { ...stats, generation } : stats
}

function withoutVerdicts(stats: ProfileUsageStats): ProfileUsageStats {
  const { auth: _auth, auth_permanent: _permanent, ...runs } = stats.runs ?? {}
  const kept = stats.runs === undefined ? stats : { ...stats, runs }
  const unchecked = kept.check === undefined ? kept : { ...kept, check: { at: kept.check.at } }
  return [COOLDOWN, DISABLE].reduce((before, slot) => {
    const reason = readWindow(before, slot)?.reason
    return reason !== undefined && isOfCredential(reason) ? withWindow(before, slot, undefined) : before
  }, unchecked)
}
