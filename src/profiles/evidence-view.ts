import { withoutUndefined } from '../domain/defined.js'
import type { EvidenceView, WindowCertainty } from '../domain/profiles.js'
import { CHECK_INTERVAL_MS } from '../policy/checks.js'
import { COOLDOWN, DISABLE, holdingWindow, laterWindow, type Window } from '../policy/windows.js'
import type { Entry } from './entry.js'

/** What it is known by that an entry is set aside at `now`; empty where no window sets it aside. */
export function evidenceView(entry: Entry, now: Date): EvidenceView {
  const { state } = entry.standing
  if (state !== 'disabled' && state !== 'cooling') return {}
  const slot = state === 'disabled' ? DISABLE : COOLDOWN
  const [own, shared] = [entry.state.stats, entry.accountStats].map((stats) =>
    holdingWindow(stats, slot, entry.provider, now),
  )
  const window = laterWindow(own, shared)
  // What is left of a limit is the provider's own word.
  if (entry.standing.reason === 'quota') return { certainty: 'stated' }
  if (window === undefined) return {}
  const { told, checkedBy, checkedAt } = window.evidence ?? {}
  const certainty = certaintyOf(window)
  const isPresumed = certainty === 'presumed'
  return withoutUndefined({
    certainty,
    told: isPresumed ? told : undefined,
    checkedBy,
    checkedAt,
    nextCheckAt: isPresumed && state === 'disabled' ? nextCheckAt(entry, window, now) : undefined,
  })
}

/** What a window is known by. */
export function certaintyOf({ presumed, evidence }: Pick<Window, 'presumed' | 'evidence'>): WindowCertainty {
  if (presumed === true) return 'presumed'
  return evidence?.checkedBy === undefined ? 'stated' : 'confirmed'
}

/** When the next check may be made, where somebody has made one just now: nothing else tells that anybody does. */
function nextCheckAt({ state }: Entry, { until }: Window, now: Date): Date | undefined {
  const { check } = state.stats
  if (check === undefined) return undefined
  const nextMs = check.at.getTime() + CHECK_INTERVAL_MS
  const isSoon = nextMs > now.getTime() - CHECK_INTERVAL_MS && check.at <= now && nextMs < until.getTime()
  return isSoon ? new Date(nextMs) : undefined
}
