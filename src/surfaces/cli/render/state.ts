import { profileMark } from '../../../profiles/format-list.js'
import type { ProfileView } from '../../../profiles/types.js'
import type { Style } from '../style.js'
import type { Cell } from '../table.js'
import { formatUntil } from './time.js'

/** The paint for a profile's state. */
export function statePaint(view: ProfileView, style: Style): (text: string) => string {
  if (view.state === 'available') return style.good
  if (view.state === 'cooling' || view.state === 'disabled') return style.caution
  return view.state === 'off' ? style.dim : style.bad
}

/** The mark of a profile as a cell. */
export function markCell(view: ProfileView, style: Style): Cell {
  return { text: profileMark(view), paint: statePaint(view, style) }
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
