/** A source of chance that gives the same for the same seed, for ever and everywhere. */
export interface Chance {
  /** A number in [0, 1). */
  next(): number
  /** A whole number from 0 up to, and without, `count`. */
  below(count: number): number
  /** Whether something of this probability happens. */
  is(probability: number): boolean
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  /** A wait in milliseconds, of this mean length, as between events that have nothing to do with each other. */
  wait(meanMs: number): number
}

/** Chance from a seed. Parts keep apart what has nothing to do with each other: leaving one out changes no other. */
export function chanceOf(...parts: readonly (number | string)[]): Chance {
  let state = hashOf(parts.join('\u0000'))
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    below: (count) => Math.floor(next() * count),
    is: (probability) => next() < probability,
    pick<T>(list: readonly T[]): T {
      const [first] = list
      if (first === undefined) throw new RangeError('nothing to pick from')
      return list[Math.floor(next() * list.length)] ?? first
    },
    wait: (meanMs) => Math.ceil(-meanMs * Math.log(1 - next())),
  }
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}
