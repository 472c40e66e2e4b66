import type { ProfileView } from '../../../domain/profiles.js'
import { profileMark } from '../../../profiles/format-list.js'
import type { Style } from '../style.js'
import type { Cell } from '../table.js'
import { certaintyWords } from './evidence.js'
import { formatAgo, formatUntil } from './time.js'

/** The paint for a profile's state. */
export function statePaint(view: ProfileView, style: Style): (text: string) => string {
  if (view.state === 'available') return renewalFailed(view) ? style.caution : style.good
  if (view.state === 'cooling' || view.state === 'disabled') return style.caution
  return view.state === 'off' ? style.dim : style.bad
}

/** The mark of a profile as a cell. */
export function markCell(view: ProfileView, style: Style): Cell {
  const { enabled, valid, expired, state, renewal } = view
  const reason = renewal === undefined ? {} : { renewal_reason: renewal.reason }
  return { text: profileMark({ enabled, valid, expired, state, ...reason }), paint: statePaint(view, style) }
}

/** The state in a word or three, without when and why. */
export function stateWords(view: ProfileView): string {
  if (view.loginNeeded === true && view.state !== 'off') return 'login needed'
  return view.state
}

/** When the profile is usable again by itself; empty when that is now or never. */
export function untilWords(view: ProfileView, now: Date): string {
  return view.unusableUntil === undefined ? '' : formatUntil(view.unusableUntil, now)
}

/** The failure behind the state; empty when there is none. */
export function whyWords(view: ProfileView, now: Date): string {
  const { renewal, certainty } = view
  // What is stated is the rule, and needs no word.
  const evidence = certainty === 'stated' ? '' : certaintyWords(view, now)
  const unusableReason = [view.unusableReason, evidence].filter(Boolean).join(', ')
  if (renewal === undefined || !renewalFailed(view)) return unusableReason
  const other = view.state !== 'available' && view.unusableReason !== renewal.reason
  return other ? unusableReason : `renewal failed: ${renewal.reason}`
}

/** When the token expires or expired; empty when it does not by itself. */
export function expiryWords({ expiresAt }: ProfileView, now: Date): string {
  if (expiresAt === undefined || isForever(expiresAt)) return ''
  return expiresAt > now ? formatUntil(expiresAt, now) : formatAgo(expiresAt, now)
}

/** Whether an expiry only stands for none. */
export function isForever(expiresAt: Date): boolean {
  return expiresAt.getUTCFullYear() >= 9999
}

/** Whether an expired login could not be renewed the last time. */
export function renewalFailed({ expired, renewal }: ProfileView): boolean {
  return expired && renewal !== undefined
}
