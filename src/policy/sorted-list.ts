const CHUNK_MAX = 512
const CHUNK_MIN = 128

/**
 * Items in the order of a comparator, for changing large lists often: a sorted array cut into chunks, so
 * that adding and removing move a few hundred elements at most.
 *
 * What the comparator looks at must not change while an item is in the list: take it out, change it, put
 * it back.
 */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number
  // No chunk is ever empty.
  readonly #chunks: T[][] = []
  #size = 0

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  /** The first item in order. */
  first(): T | undefined {
    return this.#chunks[0]?.[0]
  }

  /** Adds an item, after those that compare equal. */
  add(item: T): void {
    this.#size += 1
    const last = this.#chunks[this.#chunks.length - 1]
    if (last !== undefined && this.#compare(last[last.length - 1] as T, item) <= 0) {
      last.push(item)
      if (last.length > CHUNK_MAX) this.#chunks.push(last.splice(last.length >> 1))
      return
    }
    const index = Math.min(this.#chunkAfter(item), this.#chunks.length - 1)
    const chunk = this.#chunks[index]
    if (chunk === undefined) {
      this.#chunks.push([item])
      return
    }
    chunk.splice(
      firstIndex(chunk, (other) => this.#compare(other, item) > 0),
      0,
      item,
    )
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(index + 1, 0, chunk.splice(chunk.length >> 1))
  }

  /** Removes this very item (not one that merely compares equal); whether it was there. */
  delete(item: T): boolean {
    const head = this.#chunks[0]
    if (head !== undefined && head[0] === item) {
      head.shift()
      this.#size -= 1
      this.#tidy(0, head)
      return true
    }
    for (let index = this.#chunkOf(item); index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] ?? []
      let place = firstIndex(chunk, (other) => this.#compare(other, item) >= 0)
      for (; place < chunk.length; place += 1) {
        const other = chunk[place] as T
        if (other === item) {
          chunk.splice(place, 1)
          this.#size -= 1
          this.#tidy(index, chunk)
          return true
        }
        if (this.#compare(other, item) !== 0) return false
      }
    }
    return false
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const chunk of this.#chunks) yield* chunk
  }

  // The first chunk that ends with something equal to or after `item`.
  #chunkOf(item: T): number {
    return firstIndex(this.#chunks, (chunk) => this.#compare(chunk[chunk.length - 1] as T, item) >= 0)
  }

  // The first chunk that ends with something after `item`.
  #chunkAfter(item: T): number {
    return firstIndex(this.#chunks, (chunk) => this.#compare(chunk[chunk.length - 1] as T, item) > 0)
  }

  // Drops an empty chunk and joins a small one with its neighbour, so that chunks stay few.
  #tidy(index: number, chunk: T[]): void {
    if (chunk.length >= CHUNK_MIN) return
    const next = this.#chunks[index + 1]
    if (chunk.length === 0) {
      this.#chunks.splice(index, 1)
    } else if (next !== undefined && chunk.length + next.length <= CHUNK_MAX / 2) {
      chunk.push(...next)
      this.#chunks.splice(index + 1, 1)
    }
  }
}

/** The first index whose element satisfies `reached`, which holds for all elements after it too; else the length. */
function firstIndex<E>(elements: readonly E[], reached: (element: E) => boolean): number {
  let low = 0
  let high = elements.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (reached(elements[middle] as E)) high = middle
    else low = middle + 1
  }
  return low
}
