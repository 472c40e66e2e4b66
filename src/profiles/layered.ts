/** A change that takes effect here before it is written down. */
export type Change<T> = (value: T) => T

/** A value as it is stored, and under changes that are still to be written down. */
export class Layered<T> {
  #stored: T
  #ahead: readonly Change<T>[] = []
  /** How many of those, from the oldest on, the transaction under way writes down. */
  #marked = 0
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

  /** What a transaction builds upon: all but the changes that came after its beginning. */
  get base(): T {
    if (this.#marked === this.#ahead.length) return this.#value
    return applied(this.#stored, this.#ahead.slice(0, this.#marked))
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

  /** The transaction that begins writes all changes down. */
  mark(): void {
    this.#marked = this.#ahead.length
  }

  /** Takes changes away: they are stored by now, or never will be. */
  drop(changes: ReadonlySet<unknown>): void {
    this.#ahead = this.#ahead.filter((change) => !changes.has(change))
    this.#marked = 0
    this.#compute()
  }

  #compute(): void {
    this.#value = applied(this.#stored, this.#ahead)
  }
}

function applied<T>(value: T, changes: readonly Change<T>[]): T {
  return changes.reduce((before, change) => change(before), value)
}
