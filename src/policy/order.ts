import { DEFAULT_PROFILE_NAME } from '../domain/ids.js'
import type { ProfilePreference } from '../domain/ports.js'
import { AUTH_MODES, type AuthMode } from '../domain/profile.js'
import { compareText } from '../domain/text-order.js'

/** What the order of choice depends on. Ids are unique; numbers are finite. */
export interface OrderKey {
  readonly id: string
  readonly name: string
  readonly mode: AuthMode
  /** Higher goes first. */
  readonly priority: number
  /** The credential works or can be renewed. */
  readonly valid: boolean
  /** Epoch milliseconds; 0 when never used. */
  readonly lastUsedMs: number
  /** It served its provider last. */
  readonly lastGood: boolean
}

type Compare = (a: OrderKey, b: OrderKey) => number

const isDefault = (key: OrderKey): boolean => key.name === DEFAULT_PROFILE_NAME
const byDefault: Compare = (a, b) => trueFirst(isDefault(a), isDefault(b))
const byValid: Compare = (a, b) => trueFirst(a.valid, b.valid)
const byLastGood: Compare = (a, b) => trueFirst(a.lastGood, b.lastGood)
const byPriority: Compare = (a, b) => b.priority - a.priority
const byMostRecent: Compare = (a, b) => b.lastUsedMs - a.lastUsedMs
const byLeastRecent: Compare = (a, b) => a.lastUsedMs - b.lastUsedMs
const byMode: Compare = (a, b) => AUTH_MODES.indexOf(a.mode) - AUTH_MODES.indexOf(b.mode)
const byName: Compare = (a, b) => compareText(a.name, b.name) || compareText(a.id, b.id)

const ORDERS: Readonly<Record<ProfilePreference, Compare>> = {
  default: (a, b) => byDefault(a, b) || byPriority(a, b) || byName(a, b),
  valid: (a, b) =>
    byValid(a, b) || byPriority(a, b) || byLastGood(a, b) || byMostRecent(a, b) || byName(a, b),
  recent: (a, b) => byMostRecent(a, b) || byPriority(a, b) || byName(a, b),
  type: (a, b) => byMode(a, b) || byLeastRecent(a, b) || byPriority(a, b) || byName(a, b),
}

/** The comparator of a preference: a total order, so that equal input always gives the same sequence. */
export function compareBy(preference: ProfilePreference): (a: OrderKey, b: OrderKey) => number {
  return ORDERS[preference]
}

function trueFirst(a: boolean, b: boolean): number {
  return Number(b) - Number(a)
}
