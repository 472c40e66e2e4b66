import type { ProfileUsageStats, RefusedModel } from '../domain/usage.js'
import { doubled } from './backoff.js'
import { instantAfter, MOST_MODELS, modelKey } from './windows.js'

/*
 * What one account refused for no known reason and another one served may be a conversation's own matter, or the
 * account's. Three different conversations without a success of that model are the account's: it goes behind the others
 * for this model. That is a presumption, and costs nobody his only account: where no other can serve, it is asked.
 */

/** So many different conversations tell that it is the account. */
const CONVERSATIONS = 3
/** How long an account first goes behind the others for a model that it refuses: 60 s, in milliseconds. */
export const REFUSED_BASE_MS = 60_000
/** The longest that it does: 1 h, in milliseconds. */
export const REFUSED_MAX_MS = 3_600_000

/** Whether the profile goes behind others for a model that it refuses. A longer period than can be is one of a wrong clock. */
export function isRefusing(stats: ProfileUsageStats, model: string | undefined, now: Date): boolean {
  const key = modelKey(model)
  if (stats.refused === undefined || !Object.hasOwn(stats.refused, key)) return false
  const until = stats.refused[key]?.until?.getTime() ?? 0
  return until > now.getTime() && until <= now.getTime() + REFUSED_MAX_MS
}

/** Until when the profile goes behind others for models that it refuses. */
export function refusingAt(stats: ProfileUsageStats, now: Date): (readonly [model: string, until: Date])[] {
  return Object.entries(stats.refused ?? {}).flatMap(([model, { until }]) =>
    until !== undefined && isRefusing(stats, model, now) ? [[model, until] as const] : [],
  )
}

/**
 * The statistics after another account has served what this one refused.
 *
 * @param conversation what tells it from others; at most 24 characters are kept
 * @param memoryMs how long refusals are remembered, in milliseconds
 */
export function withRefused(
  stats: ProfileUsageStats,
  model: string | undefined,
  conversation: string,
  { now, memoryMs }: { readonly now: Date; readonly memoryMs: number },
): ProfileUsageStats {
  if (isRefusing(stats, model, now)) return stats
  const key = modelKey(model)
  const known = Object.entries(stats.refused ?? {}).filter(
    ([, { lastAt }]) => now.getTime() - lastAt.getTime() <= memoryMs,
  )
  const before = known.find(([name]) => name === key)?.[1] ?? { conversations: [], count: 0 }
  const conversations = [...new Set([...before.conversations, conversation.slice(0, 24)])].slice(
    -CONVERSATIONS,
  )
  const others = known
    .filter(([name]) => name !== key)
    .sort(([, a], [, b]) => b.lastAt.getTime() - a.lastAt.getTime())
    // Model names come from requests: whoever makes them up must not make the record grow for ever.
    .slice(0, MOST_MODELS - 1)
  return {
    ...stats,
    refused: Object.fromEntries([...others, [key, refusedAgain(before.count, conversations, now)]]),
  }
}

function refusedAgain(count: number, conversations: readonly string[], now: Date): RefusedModel {
  const made = { conversations: [...conversations], count, lastAt: now }
  if (conversations.length < CONVERSATIONS) return made
  const until = instantAfter(now, doubled(REFUSED_BASE_MS, count + 1, REFUSED_MAX_MS))
  return { ...made, count: count + 1, until }
}

/** The statistics after a success of a model; the same object where it was not refused. */
export function withoutRefused(stats: ProfileUsageStats, model: string | undefined): ProfileUsageStats {
  const key = modelKey(model)
  if (stats.refused === undefined || !Object.hasOwn(stats.refused, key)) return stats
  const { refused, ...rest } = stats
  const others = Object.entries(refused).filter(([name]) => name !== key)
  return others.length === 0 ? rest : { ...rest, refused: Object.fromEntries(others) }
}
