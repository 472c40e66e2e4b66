/** One scheduled item. */
export interface Scheduled<T> {
  /** Epoch milliseconds. */
  readonly at: number
  readonly item: T
}

/**
 * Items by the time they are due, soonest first. Each item has one time; setting, moving and removing cost
 * O(log n), and nothing outdated is kept.
 */
export class TimeHeap<T> {
  readonly #heap: Scheduled<T>[] = []
  readonly #places = new Map<T, number>()

  get size(): number {
    return this.#heap.length
  }

  /** Schedules `item`, or moves it if it is scheduled already. */
  set(item: T, at: number): void {
    const place = this.#places.get(item) ?? this.#heap.length
    this.#settle({ at, item }, place)
  }

  /** Removes `item`; whether it was scheduled. */
  delete(item: T): boolean {
    const place = this.#places.get(item)
    if (place === undefined) return false
    this.#places.delete(item)
    const last = this.#heap.pop()
    if (last !== undefined && last.item !== item) this.#settle(last, place)
    return true
  }

  /** The soonest item, left in place. */
  peek(): Scheduled<T> | undefined {
    return this.#heap[0]
  }

  /** Takes out the soonest item if it is due at `now` (epoch milliseconds). */
  popDue(now: number): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    this.delete(first.item)
    return first.item
  }

  // Moves the gap at `place` up or down to where `entry` belongs, and fills it.
  #settle(entry: Scheduled<T>, place: number): void {
    const risen = this.#rise(entry, place)
    const settled = risen === place ? this.#sink(entry, place) : risen
    this.#put(entry, settled)
  }

  #rise(entry: Scheduled<T>, place: number): number {
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || parent.at <= entry.at) break
      this.#put(parent, place)
      place = above
    }
    return place
  }

  #sink(entry: Scheduled<T>, place: number): number {
    for (;;) {
      const left = 2 * place + 1
      const [first, second] = [this.#heap[left], this.#heap[left + 1]]
      const child = second !== undefined && first !== undefined && second.at < first.at ? left + 1 : left
      const soonest = child === left ? first : second
      if (soonest === undefined || soonest.at >= entry.at) return place
      this.#put(soonest, place)
      place = child
    }
  }

  #put(entry: Scheduled<T>, place: number): void {
    this.#heap[place] = entry
    this.#places.set(entry.item, place)
  }
}
