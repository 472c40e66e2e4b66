import type { BehindOthers, ProfileUsageStats } from '../domain/usage.js'
import { doubled } from './backoff.js'
import { BEHIND_BASE_MS, BEHIND_MAX_MS } from './cooldown.js'
import { instantAfter, MOST_MODELS, modelKey } from './windows.js'

/*
 * An answer that broke off after content says little of its account, and its request comes again. So the account goes
 * behind the others for this model, and stays usable: what is all there is still serves.
 */

/** Whether the profile goes behind others for a model now. A period longer than any can be is one of a wrong clock. */
export function isBehind(stats: ProfileUsageStats, model: string | undefined, now: Date): boolean {
  const key = modelKey(model)
  if (stats.behind === undefined || !Object.hasOwn(stats.behind, key)) return false
  const until = stats.behind[key]?.until.getTime() ?? 0
  return until > now.getTime() && until <= now.getTime() + BEHIND_MAX_MS
}

/** Until when the profile goes behind others for which models. */
export function behindAt(stats: ProfileUsageStats, now: Date): (readonly [model: string, until: Date])[] {
  return Object.entries(stats.behind ?? {})
    .filter(([model]) => isBehind(stats, model, now))
    .map(([model, { until }]) => [model, until])
}

/** The statistics with the profile behind others for a model: 30 s, doubling to 5 min. Inside a period nothing changes. */
export function withBehind(
  stats: ProfileUsageStats,
  model: string | undefined,
  { now, memoryMs }: { readonly now: Date; readonly memoryMs: number },
): ProfileUsageStats {
  if (isBehind(stats, model, now)) return stats
  const key = modelKey(model)
  const isRemembered = ([, { until }]: BehindEntry): boolean => now.getTime() - until.getTime() <= memoryMs
  const known = Object.entries(stats.behind ?? {}).filter(isRemembered)
  const count = (known.find(([name]) => name === key)?.[1].count ?? 0) + 1
  const until = instantAfter(now, doubled(BEHIND_BASE_MS, count, BEHIND_MAX_MS))
  // Model names come from requests: whoever makes them up must not make the record grow for ever.
  const others = known
    .filter(([name]) => name !== key)
    .sort(([, a], [, b]) => b.until.getTime() - a.until.getTime())
    .slice(0, MOST_MODELS - 1)
  return { ...stats, behind: Object.fromEntries([...others, [key, { until, count }]]) }
}

/** The statistics after an answer of a model that came to its end; the same object where it was not behind. */
export function withoutBehind(stats: ProfileUsageStats, model: string | undefined): ProfileUsageStats {
  const key = modelKey(model)
  if (stats.behind === undefined || !Object.hasOwn(stats.behind, key)) return stats
  const { behind, ...rest } = stats
  const others = Object.entries(behind).filter(([name]) => name !== key)
  return others.length === 0 ? rest : { ...rest, behind: Object.fromEntries(others) }
}

type BehindEntry = readonly [model: string, behind: BehindOthers]
