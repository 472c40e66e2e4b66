import type { ProfileView } from '../../domain/profiles.js'
import { headroomOf } from '../../policy/quota-windows.js'
import { gauge } from './metrics.js'

/** So many windows are told of, those that have least left. */
const MOST_SERIES = 2_000

/** What is known of one dimension of a profile, over all its models. */
interface Series {
  readonly labels: readonly [provider: string, profile: string, dimension: string]
  readonly left: number
  readonly resetsAt: Date | undefined
}

/**
 * Gauges of what is left of the limits of profiles: by dimension, the least over all models, whose names come from
 * requests.
 */
export function quotaGauges(views: readonly ProfileView[]): string[] {
  const kept = views
    .flatMap(seriesOf)
    .sort((a, b) => a.left - b.left)
    .slice(0, MOST_SERIES)
  const labels = ['provider', 'profile', 'dimension']
  return [
    gauge(
      'keymux_quota_remaining_ratio',
      'What is left of a limit, from 0 to 1: of all models the least.',
      labels,
      kept.map(({ labels: values, left }) => [values, left] as const),
    ),
    gauge(
      'keymux_quota_reset_timestamp_seconds',
      'When that limit is reset.',
      labels,
      kept.flatMap(({ labels: values, resetsAt }) =>
        resetsAt === undefined ? [] : [[values, Math.round(resetsAt.getTime() / 1_000)] as const],
      ),
    ),
  ]
}

/** The windows of a profile come with the tightest first. */
function seriesOf({ provider, id, quota = [] }: ProfileView): Series[] {
  const found = new Map<string, Series>()
  for (const window of quota) {
    const left = headroomOf(window)
    if (left === undefined || found.has(window.dimension)) continue
    found.set(window.dimension, {
      labels: [provider, id, window.dimension],
      left: Math.round(left * 10_000) / 10_000,
      resetsAt: window.resetsAt,
    })
  }
  return [...found.values()]
}
