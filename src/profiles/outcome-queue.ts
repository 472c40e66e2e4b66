import type { Outcome } from './outcome.js'

/** Outcomes that nobody waits for are kept up to this number; the oldest go then, so many at once. */
const MOST_LOOSE = 1_000
const LET_GO = 100

/** Outcomes that are still to be written down, in the order in which they came. */
export class OutcomeQueue {
  readonly #pending = new Set<Outcome>()
  /** Those that are being written, and when that is over. */
  readonly #taken = new Map<Outcome, Promise<void>>()
  readonly #held = new Set<readonly Outcome[]>()

  get size(): number {
    return this.#pending.size
  }

  get all(): readonly Outcome[] {
    return [...this.#pending]
  }

  /** Those that nobody is writing. */
  get free(): readonly Outcome[] {
    return this.all.filter((outcome) => !this.#taken.has(outcome))
  }

  add(outcome: Outcome): void {
    this.#pending.add(outcome)
  }

  delete(batch: readonly Outcome[]): void {
    for (const outcome of batch) this.#pending.delete(outcome)
  }

  /** Keeps others from writing these too, until what it gives is called: an outcome must count once. */
  take(batch: readonly Outcome[]): () => void {
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    for (const outcome of batch) this.#taken.set(outcome, ended)
    return () => {
      for (const outcome of batch) if (this.#taken.get(outcome) === ended) this.#taken.delete(outcome)
      end()
    }
  }

  /** Keeps these, however many there are, until what it gives is called: somebody waits for them. */
  hold(batch: readonly Outcome[]): () => void {
    this.#held.add(batch)
    return () => this.#held.delete(batch)
  }

  /** The oldest that are too many. What somebody waits for or is writing is never among them. */
  surplus(): readonly Outcome[] {
    if (this.#pending.size <= MOST_LOOSE) return []
    const held = new Set([...this.#held].flat())
    const loose = this.free.filter((outcome) => !held.has(outcome))
    return loose.length <= MOST_LOOSE ? [] : loose.slice(0, loose.length - MOST_LOOSE + LET_GO - 1)
  }

  /**
   * Resolves when none of these is left to be written. Calls `write` while there is one that nobody is writing, and
   * rejects as that does. They stay then, unless they are tried `once`.
   */
  async written(
    batch: readonly Outcome[],
    write: () => Promise<void>,
    { once = false }: { readonly once?: boolean } = {},
  ): Promise<void> {
    for (;;) {
      const left = batch.filter((outcome) => this.#pending.has(outcome))
      if (left.length === 0) return
      const taken = left.flatMap((outcome) => this.#taken.get(outcome) ?? [])
      // What another write has taken comes back here should that one fail.
      if (taken.length === left.length) await Promise.all(new Set(taken))
      else await this.#attempt(left, write, once)
    }
  }

  async #attempt(batch: readonly Outcome[], write: () => Promise<void>, once: boolean): Promise<void> {
    try {
      await write()
    } catch (error) {
      // Whoever came later may be writing them by now, and then it is his attempt that counts.
      const left = batch.filter((outcome) => this.#pending.has(outcome) && !this.#taken.has(outcome))
      if (left.length === 0) return
      if (once) this.delete(left)
      throw error
    }
  }
}
