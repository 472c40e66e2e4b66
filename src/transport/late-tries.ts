import type { Failure, LateExchange } from './failure.js'
import type { TriedProfile } from './trier.js'

/** A try that has been silent for long, and may be answered yet. */
export interface LateTry {
  readonly tried: TriedProfile
  /** What is held against its profile if another one is quicker. */
  readonly failure: Failure
  readonly exchange: LateExchange['exchange']
  /** What it comes to. */
  readonly ended: Promise<Ended>
}

interface Ended {
  readonly of: LateExchange
  readonly outcome: TriedProfile
}

/**
 * The tries of one request that are waited for while others are made, in the order in which they were made: an
 * upstream that works on a whole answer is as silent as one that is gone.
 */
export class LateTries {
  #tries: LateTry[] = []

  /** All of them, the oldest first. */
  get all(): readonly LateTry[] {
    return this.#tries
  }

  add(tried: TriedProfile, failure: Failure, late: LateExchange): void {
    const ended = late.result.then((result) => ({ of: late, outcome: { ...tried, result } }))
    // Its end may come when nobody waits for it any longer.
    ended.catch(() => undefined)
    this.#tries.push({ tried, failure, exchange: late.exchange, ended })
  }

  /**
   * Waits for the first of them that comes to something, which is one no more then, and gives it with those that are
   * older. `undefined` as soon as `running` ends, or when there are none. Rejects as `running` does.
   */
  async next(
    running: Promise<unknown>,
  ): Promise<{ readonly outcome: TriedProfile; readonly older: readonly LateTry[] } | undefined> {
    if (this.#tries.length === 0) return undefined
    const over = running.then(() => undefined)
    const ended = await Promise.race([over, ...this.#tries.map((late) => late.ended)])
    // However that goes on: nobody listens here any longer.
    over.catch(() => undefined)
    if (ended === undefined) return undefined
    const at = this.#tries.findIndex(({ exchange }) => exchange === ended.of.exchange)
    const older = this.#tries.slice(0, at)
    this.#tries = [...older, ...this.#tries.slice(at + 1)]
    return { outcome: ended.outcome, older }
  }

  /** Lets go of all of them. */
  drop(): void {
    for (const { exchange } of this.#tries) exchange.cancel()
    this.#tries = []
  }
}
