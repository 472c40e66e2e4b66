import { compareText } from '../domain/text-order.js'
import { SortedList } from './sorted-list.js'

/** One turn of a profile with the weight 1. */
const FULL_TURN = 1_000_000

/** What a weighted order depends on. */
export interface Weighted {
  readonly id: string
  readonly priority: number
  /** A whole number from 1 up. */
  readonly weight: number
  /** How far it has come. */
  readonly turn: number
}

/** Those of one weight. */
interface Lane<T> {
  readonly weight: number
  readonly list: SortedList<T>
}

/** Those of one priority. */
interface Tier<T> {
  readonly isReserved: boolean
  readonly priority: number
  readonly lanes: Lane<T>[]
}

/**
 * Items in turn, by weight: who has come least far is next, and each use moves it on by the inverse of its weight, which
 * spreads the uses of each evenly (stride scheduling). Those of one weight change places at the ends of their lane, so
 * that a use costs the same with ten items and with a hundred thousand.
 */
export class WeightedList<T extends Weighted> {
  readonly #tiers: Tier<T>[] = []
  readonly #isReserved: (item: T) => boolean

  /** @param isReserved Who goes after all others. It must not change while an item is in the list. */
  constructor(isReserved: (item: T) => boolean) {
    this.#isReserved = isReserved
  }

  /** The first item in order. */
  first(): T | undefined {
    const [tier] = this.#tiers
    if (tier === undefined) return undefined
    let best: T | undefined
    for (const { list } of tier.lanes) {
      const head = list.first()
      if (head !== undefined && (best === undefined || compareTurn(head, best) < 0)) best = head
    }
    return best
  }

  add(item: T): void {
    this.#laneOf(item).list.add(item)
  }

  /** Removes an item; whether it was there. */
  delete(item: T): boolean {
    const at = this.#tierOf(item)
    const tier = this.#tiers[at]
    const lane = tier?.lanes.find(({ weight }) => weight === item.weight)
    if (tier === undefined || lane === undefined || !lane.list.delete(item)) return false
    if (lane.list.size === 0) tier.lanes.splice(tier.lanes.indexOf(lane), 1)
    if (tier.lanes.length === 0) this.#tiers.splice(at, 1)
    return true
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const { lanes } of this.#tiers) yield* merged(lanes)
  }

  #laneOf(item: T): Lane<T> {
    const { priority, weight } = item
    const isReserved = this.#isReserved(item)
    let tier = this.#tiers[this.#tierOf(item)]
    if (tier === undefined) {
      tier = { isReserved, priority, lanes: [] }
      this.#tiers.push(tier)
      this.#tiers.sort((a, b) => Number(a.isReserved) - Number(b.isReserved) || b.priority - a.priority)
    }
    let lane = tier.lanes.find((one) => one.weight === weight)
    if (lane === undefined) {
      lane = { weight, list: new SortedList<T>(compareTurn) }
      tier.lanes.push(lane)
    }
    return lane
  }

  #tierOf(item: T): number {
    const isReserved = this.#isReserved(item)
    return this.#tiers.findIndex((one) => one.isReserved === isReserved && one.priority === item.priority)
  }
}

/**
 * How far an item has come after a use. Who was away for a while has fallen behind, and is not used alone until it has
 * caught up.
 *
 * @param current How far the last one had come that was used.
 */
export function turnAfterUse({ turn, weight }: Weighted, current: number): number {
  return Math.max(turn, current) + Math.round(FULL_TURN / weight)
}

/** How far an item had come before its last use. */
export function turnBeforeUse({ turn, weight }: Weighted): number {
  return Math.max(0, turn - Math.round(FULL_TURN / weight))
}

function* merged<T extends Weighted>(lanes: readonly Lane<T>[]): IterableIterator<T> {
  const heads = lanes.map(({ list }) => list[Symbol.iterator]())
  const next = heads.map((head) => head.next())
  for (;;) {
    let best = -1
    for (let at = 0; at < next.length; at += 1) {
      const [one, other] = [next[at], next[best]]
      if (one?.done !== false) continue
      if (other?.done !== false || compareTurn(one.value, other.value) < 0) best = at
    }
    const chosen = next[best]
    const head = heads[best]
    if (chosen?.done !== false || head === undefined) return
    yield chosen.value
    next[best] = head.next()
  }
}

function compareTurn(a: Weighted, b: Weighted): number {
  return a.turn - b.turn || compareText(a.id, b.id)
}
