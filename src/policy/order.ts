import { DEFAULT_PROFILE_NAME } from '../domain/ids.js'
import type { ProfilePreference } from '../domain/ports.js'
import { AUTH_MODES, type AuthMode } from '../domain/profile.js'
import { compareText } from '../domain/text-order.js'
import { type QuotaRank, UNKNOWN_RANK } from './quota-facts.js'

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
  /** Ranks by what is left, for one model or for all. Absent: nothing is known. */
  readonly quota?: { rank(model: string | undefined): QuotaRank } | undefined
  /** How far it has come in the order of `weighted`. Absent: not at all. */
  readonly turn?: number | undefined
}

type Compare = (a: OrderKey, b: OrderKey) => number

const FULL = 20

const isDefault = (key: OrderKey): boolean => key.name === DEFAULT_PROFILE_NAME
const byDefault: Compare = (a, b) => trueFirst(isDefault(a), isDefault(b))
const byValid: Compare = (a, b) => trueFirst(a.valid, b.valid)
const byLastGood: Compare = (a, b) => trueFirst(a.lastGood, b.lastGood)
const byPriority: Compare = (a, b) => b.priority - a.priority
const byMostRecent: Compare = (a, b) => b.lastUsedMs - a.lastUsedMs
const byLeastRecent: Compare = (a, b) => a.lastUsedMs - b.lastUsedMs
const byMode: Compare = (a, b) => AUTH_MODES.indexOf(a.mode) - AUTH_MODES.indexOf(b.mode)
const byName: Compare = (a, b) => compareText(a.name, b.name) || compareText(a.id, b.id)
const byTurn: Compare = (a, b) => (a.turn ?? 0) - (b.turn ?? 0)
/** Among equals: who served last, where caches are warm. */
const byHabit: Compare = (a, b) => byLastGood(a, b) || byMostRecent(a, b) || byName(a, b)

/** Orders in which what is left of a model has no say. */
const ORDERS: Readonly<Record<Exclude<ProfilePreference, 'quota' | 'reset'>, Compare>> = {
  default: (a, b) => byDefault(a, b) || byPriority(a, b) || byName(a, b),
  valid: (a, b) =>
    byValid(a, b) || byPriority(a, b) || byLastGood(a, b) || byMostRecent(a, b) || byName(a, b),
  recent: (a, b) => byMostRecent(a, b) || byPriority(a, b) || byName(a, b),
  type: (a, b) => byMode(a, b) || byLeastRecent(a, b) || byPriority(a, b) || byName(a, b),
  weighted: (a, b) => byValid(a, b) || byPriority(a, b) || byTurn(a, b) || byName(a, b),
}

/**
 * The comparator of a preference: a total order, so that equal input always gives the same sequence. What is kept in
 * reserve comes last in each.
 *
 * @param model The model whose limits count; absent: those of all models.
 */
export function compareBy(preference: ProfilePreference, model?: string | undefined): Compare {
  const byReserve: Compare = (a, b) =>
    a.quota === undefined && b.quota === undefined
      ? 0
      : trueFirst(!rankOf(a, model).isReserved, !rankOf(b, model).isReserved)
  const compare = orderOf(preference, model)
  return (a, b) => byReserve(a, b) || compare(a, b)
}

/** What is not known counts as untouched: such profiles keep their usual order, before those that are used. */
function orderOf(preference: ProfilePreference, model: string | undefined): Compare {
  if (preference === 'quota') {
    const level = (key: OrderKey): number => rankOf(key, model).level ?? FULL
    return (a, b) => byValid(a, b) || byPriority(a, b) || level(b) - level(a) || byHabit(a, b)
  }
  if (preference === 'reset') {
    const minute = (key: OrderKey): number => rankOf(key, model).resetMinute ?? Number.MAX_SAFE_INTEGER
    return (a, b) => byValid(a, b) || byPriority(a, b) || minute(a) - minute(b) || byHabit(a, b)
  }
  return ORDERS[preference]
}

function rankOf({ quota }: OrderKey, model: string | undefined): QuotaRank {
  return quota === undefined ? UNKNOWN_RANK : quota.rank(model)
}

function trueFirst(a: boolean, b: boolean): number {
  return Number(b) - Number(a)
}
