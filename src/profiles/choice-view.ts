import type { ProfilePreference } from '../domain/ports.js'
import type { AuthMode } from '../domain/profile.js'
import { compareBy } from '../policy/order.js'
import { SortedList } from '../policy/sorted-list.js'
import { WeightedList } from '../policy/weighted-list.js'
import type { Entry } from './entry.js'

/** What a view lists, and in which order. */
export interface ViewOf {
  readonly preference: ProfilePreference
  readonly mode: AuthMode | undefined
  /** Those alone that can serve this model, by what is left of it. Absent: whatever the model. */
  readonly model?: string | undefined
  /** Whether those that are set aside for a while are listed too. */
  readonly all: boolean
}

/** Entries of a group in one order of choice. */
export interface View extends ViewOf {
  readonly list: SortedList<Entry> | WeightedList<Entry>
}

/** The name of a view. */
export function viewKey({ preference, mode, model, all }: ViewOf): string {
  if (mode === undefined && model === undefined) return all ? `all ${preference}` : preference
  return `${all ? 'all ' : ''}${preference} ${mode ?? ''}\u0000${model ?? ''}`
}

export function newView(of: ViewOf): View {
  const { preference, model } = of
  const list =
    preference === 'weighted'
      ? new WeightedList<Entry>(({ quota }) => quota?.rank(model).isReserved === true)
      : new SortedList<Entry>(compareBy(preference, model))
  return { ...of, list }
}

/** Whether an entry belongs into a view: what is available, or will be by itself, and of its mode. */
export function mayHold(view: ViewOf, entry: Entry): boolean {
  const { state } = entry.standing
  const listed = state === 'available' || (view.all && (state === 'cooling' || state === 'disabled'))
  return listed && (view.mode === undefined || view.mode === entry.mode)
}

/** Lists an entry that {@link mayHold} lets in, unless it cannot serve the model of the view now. */
export function enlist(view: View, entry: Entry, now: Date): void {
  if (view.model === undefined || entry.serves(view.model, now)) view.list.add(entry)
}

/**
 * Whether a use leaves the entry where it is in this view.
 *
 * @param isLatest nobody was used later than this entry
 */
export function keepsPlace(view: View, entry: Entry, isLatest: boolean): boolean {
  if (view.preference === 'default') return true
  if (view.preference === 'weighted' || view.preference === 'type') return false
  return isLatest || view.list.first() === entry
}
