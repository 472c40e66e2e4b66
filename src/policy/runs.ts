import type { FailureRun, ProfileUsageStats, RunClass } from '../domain/usage.js'

type Runs = Partial<Record<RunClass, FailureRun>>

/**
 * The runs of failures that are still remembered at `now`. In a file of the original, which keeps none,
 * the counts of billing and permanent auth failures stand for their runs.
 */
export function currentRuns(stats: ProfileUsageStats, now: Date, windowMs: number): Runs {
  const runs: Runs = {}
  for (const [name, run] of Object.entries(stats.runs ?? originalRuns(stats)) as [RunClass, FailureRun][]) {
    if (!isForgotten(run.lastAt, now, windowMs)) runs[name] = run
  }
  return runs
}

/** The run of one class, one failure longer. */
export function lengthened(runs: Runs | undefined, name: RunClass, now: Date): FailureRun {
  return { count: Math.min((runs?.[name]?.count ?? 0) + 1, Number.MAX_SAFE_INTEGER), lastAt: now }
}

/** Whether a failure at `at` is older than the failure window. */
export function isForgotten(at: Date | undefined, now: Date, windowMs: number): boolean {
  return at !== undefined && now.getTime() - at.getTime() > windowMs
}

function originalRuns(stats: ProfileUsageStats): Runs {
  const runs: Runs = {}
  const lastAt = stats.lastFailureAt
  if (lastAt === undefined) return runs
  for (const reason of ['billing', 'auth_permanent'] as const) {
    const count = stats.failureCounts[reason] ?? 0
    if (count > 0) runs[reason] = { count, lastAt }
  }
  return runs
}
