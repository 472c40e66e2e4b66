/**
 * What must hold, whatever providers say.
 *
 * - `aside`: no account that would have served is set aside as a whole for more than 10 min beyond what was stated
 * - `model_aside`: none for a model for more than 1 h by presumption
 * - `served_elsewhere`: no request fails for a stated reason, or with 401, 402, 429 or 5xx, while an account could serve
 * - `two_accounts`: unknown refusals are tried on two accounts at most
 * - `compared`: an unknown refusal is tried on a second account where one is there that would serve
 * - `calls`: upstream calls stay within 1.3 of an oracle's, checks apart
 */
export type Rule = 'aside' | 'model_aside' | 'served_elsewhere' | 'two_accounts' | 'compared' | 'calls'

/** A rule that did not hold. */
export interface Breach {
  readonly rule: Rule
  /** Since the beginning of the world, in milliseconds. */
  readonly atMs: number
  readonly what: string
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

/** Counts of nothing. */
export function newTally(): Tally {
  return { requests: 0, served: 0, calls: 0, oracle: 0, paused: 0, refused: 0, statuses: {}, told: {} }
}

/** Adds the counts of a run to those of others. */
export function addTally(sum: Tally, { statuses, told, ...counts }: Tally): void {
  for (const key of ['requests', 'served', 'calls', 'oracle', 'paused', 'refused'] as const) {
    sum[key] += counts[key]
  }
  for (const [status, count] of Object.entries(statuses)) addCount(sum.statuses, status, count)
  for (const [what, count] of Object.entries(told)) addCount(sum.told, what, count)
}

/** Counts something by its name. */
export function addCount(counts: Record<string, number>, key: string, count = 1): void {
  counts[key] = (counts[key] ?? 0) + count
}
