/** A change that takes effect here before it is written down. */
export type Change<T> = (value: T) => T

const NONE: ReadonlySet<unknown> = new Set()

/** A value as it is stored, and under changes that are still to be written down. */
export class Layered<T> {
  #stored: T
  #ahead: readonly Change<T>[] = []
  /** Those that the transaction under way writes down. */
  #marked: ReadonlySet<unknown> = NONE
  #value: T
  readonly #first: T

  constructor(stored: T) {
    this.#first = stored
    this.#stored = stored
    this.#value = stored
  }

  /** What counts here. */
  get value(): T {
    return this.#value
  }

  /** Whether it is still what it was made with. */
  get isUntouched(): boolean {
    return this.#value === this.#first
  }

  get stored(): T {
    return this.#stored
  }

  /** What a transaction builds upon: what is stored, and the changes that it writes down. */
  get base(): T {
    return this.with(this.#marked)
  }

  /** What is stored, under some of the changes that are ahead of it. */
  with(changes: ReadonlySet<unknown>): T {
    if (changes.size === 0) return this.#stored
    return applied(
      this.#stored,
      this.#ahead.filter((change) => changes.has(change)),
    )
  }

  /** Whether changes are still to be written down. */
  get hasAhead(): boolean {
    return this.#ahead.length > 0
  }

  /** Forgets what is stored, as long as nothing is told of it; what is still to be written down stays. */
  forgetStored(): void {
    this.store(this.#first)
  }

  /** Takes what is stored now. */
  store(stored: T): void {
    this.#stored = stored
    this.#compute()
  }

  /** Lets a change take effect here. */
  push(change: Change<T>): void {
    this.#ahead = [...this.#ahead, change]
    this.#value = change(this.#value)
  }

  /** The transaction that begins writes these changes down. */
  mark(changes: ReadonlySet<unknown>): void {
    this.#marked = changes
  }

  /** Takes changes away: they are stored by now, or never will be. */
  drop(changes: ReadonlySet<unknown>): void {
    this.#ahead = this.#ahead.filter((change) => !changes.has(change))
    this.#compute()
  }

  #compute(): void {
    this.#value = applied(this.#stored, this.#ahead)
  }
}

function applied<T>(value: T, changes: readonly Change<T>[]): T {
  return changes.reduce((before, change) => change(before), value)
}
