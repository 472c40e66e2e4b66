import type { Timers } from './types.js'

/** A timer is not set anew for every chunk: the time is measured in so many parts of itself. */
const PARTS = 8

/** Notices when an upstream that has begun to answer falls silent: an eighth of the time later at most. */
export class Silence {
  readonly #timers: Timers
  readonly #ms: number
  readonly #isWaiting: () => boolean
  readonly #run: () => void
  #parts = 0
  #cancel = (): void => {}

  /** @param isWaiting whether it waits for its caller at this moment, and is not to blame */
  constructor(timers: Timers, ms: number, isWaiting: () => boolean, run: () => void) {
    this.#timers = timers
    this.#ms = ms
    this.#isWaiting = isWaiting
    this.#run = run
    this.#listen()
  }

  /** It has said something. */
  heard(): void {
    this.#parts = 0
  }

  end(): void {
    this.#cancel()
  }

  #listen(): void {
    this.#cancel = this.#timers.after(this.#ms / PARTS, () => {
      this.#parts = this.#isWaiting() ? 0 : this.#parts + 1
      if (this.#parts > PARTS) this.#run()
      else this.#listen()
    })
  }
}
