/** What an answer is kept for, in milliseconds. Asking costs about 10 µs, repeating an answer 0.05 µs. */
const KEEP_MS = 20

/** Answers a question asked up to a million times a second by asking it itself at most every 20 ms. */
export class ChangeWatch {
  readonly #ask: (now: number) => boolean
  readonly #now: () => number
  #askedAt: number
  #answer = false

  /** @param now a clock that never goes back, in milliseconds */
  constructor(ask: (now: number) => boolean, now: () => number) {
    this.#ask = ask
    this.#now = now
    this.#askedAt = now()
  }

  changed(): boolean {
    const now = this.#now()
    if (now - this.#askedAt < KEEP_MS) return this.#answer
    this.#askedAt = now
    this.#answer = this.#ask(now)
    return this.#answer
  }

  /** Everything there was to see has been seen. */
  settle(): void {
    this.#answer = false
  }
}

/** Whether something has been going on for so long that an answer from before it is out of date. */
export function isOutdated(since: number, now: number): boolean {
  return now - since >= KEEP_MS
}
