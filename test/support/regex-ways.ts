/**
 * In how many ways a backtracking engine can try a pattern from one place of a text: without bound where something is
 * repeated without one. Knows the syntax that the rules are written in.
 */
export function mostWays(source: string): number {
  return new Ways(source).count()
}

class Ways {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  /** Alternatives, up to the end or a closing bracket. */
  count(): number {
    let sum = 0
    let product = 1
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        sum += product
        product = 1
        this.#at += 1
      } else {
        product *= this.#repeated(this.#one())
      }
    }
    return sum + product
  }

  /** One character, class, assertion or group. */
  #one(): number {
    const next = this.#take(1)
    if (next === '\\') this.#take(this.#source[this.#at] === 'u' ? 5 : 1)
    else if (next === '[') this.#skipClass()
    else if (next === '(') {
      const opening = /^\?(?:[:=!]|<[=!])/.exec(this.#source.slice(this.#at))?.[0] ?? ''
      this.#take(opening.length)
      const ways = this.count()
      this.#take(1)
      return ways
    }
    return 1
  }

  #repeated(ways: number): number {
    const [all = '', least = '', most = ''] =
      /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/.exec(this.#source.slice(this.#at)) ?? []
    if (all === '') return ways
    this.#take(all.length)
    if (all.startsWith('*') || all.startsWith('+')) return Number.POSITIVE_INFINITY
    if (all.startsWith('?')) return ways + 1
    if (!all.includes(',')) return ways ** Number(least)
    if (most === '') return Number.POSITIVE_INFINITY
    let sum = 0
    for (let times = Number(least); times <= Number(most); times += 1) sum += ways ** times
    return sum
  }

  #skipClass(): void {
    while (this.#at < this.#source.length && this.#source[this.#at] !== ']') {
      this.#take(this.#source[this.#at] === '\\' ? 2 : 1)
    }
    this.#take(1)
  }

  #take(length: number): string {
    const taken = this.#source.slice(this.#at, this.#at + length)
    this.#at += length
    return taken
  }
}
