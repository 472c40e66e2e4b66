/**
 * Something to be done a while later, and in any case before a process ends that has nothing else to do, also
 * when nobody closed its handle.
 */
export class Deferral {
  readonly #run: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(run: () => void) {
    this.#run = run
  }

  /** Whether it is still to come. */
  get isArmed(): boolean {
    return this.#timer !== undefined
  }

  /** @param ms milliseconds from now, unless it is armed already */
  arm(ms: number): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.#fire(), ms)
    this.#timer.unref()
    armed.add(this)
    if (armed.size === 1) process.on('beforeExit', fireAll)
  }

  disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (armed.delete(this) && armed.size === 0) process.off('beforeExit', fireAll)
  }

  #fire(): void {
    this.disarm()
    this.#run()
  }

  static fire(deferral: Deferral): void {
    deferral.#fire()
  }
}

const armed = new Set<Deferral>()

function fireAll(): void {
  for (const deferral of armed) Deferral.fire(deferral)
}
