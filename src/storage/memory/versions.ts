/** One value as of one change, and what was there before for readers on an older snapshot. */
interface Version<T> {
  readonly change: number
  readonly value: T
  readonly older: Version<T> | undefined
}

/** A value as it is found at a snapshot. */
export interface Found<T> {
  readonly key: string
  readonly value: T
  /** The change that put it there. */
  readonly change: number
}

/** Values by key, each kept in as many versions as somebody may still be looking at. */
export class VersionedMap<T> {
  readonly #heads = new Map<string, Version<T>>()

  /** What stood under `key` after `change`. */
  get(key: string, change: number): T | undefined {
    return at(this.#heads.get(key), change)?.value
  }

  /** Everything as it stood after `change`. */
  *entries(change: number): Generator<Found<T>> {
    for (const [key, head] of this.#heads) {
      const found = at(head, change)
      if (found !== undefined) yield { key, value: found.value, change: found.change }
    }
  }

  /** @param keep whether somebody may be looking at what was there before */
  set(key: string, value: T, change: number, keep: boolean): void {
    this.#heads.set(key, { value, change, older: keep ? this.#heads.get(key) : undefined })
  }

  /** Removes a key that nothing has changed since `change`. */
  forget(key: string, change: number): void {
    if (this.#heads.get(key)?.change === change) this.#heads.delete(key)
  }
}

function at<T>(head: Version<T> | undefined, change: number): Version<T> | undefined {
  let version = head
  while (version !== undefined && version.change > change) version = version.older
  return version
}
