import type { EndSignal } from '../domain/forwarding.js'

/**
 * A signal that its maker fires, at most once. It does what an `AbortSignal` does at a fraction of the cost, which
 * counts where every request needs its own.
 */
export class Ending implements EndSignal {
  aborted = false
  reason: unknown
  #listeners: (() => void)[] = []

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener)
  }

  /** Fires. */
  abort(reason: unknown = new DOMException('This operation was aborted', 'AbortError')): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }
}

/** Throws the signal's reason if it has fired. */
export function throwIfEnded(signal: EndSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason
}

/** The promise's outcome, or a rejection with the signal's reason as soon as it fires. */
export function unlessEnded<T>(work: Promise<T>, signal: EndSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const end = (): void => reject(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    const settled = (): void => signal.removeEventListener('abort', end)
    work.then(resolve, reject).finally(settled)
  })
}
