import type { HeldLock, LockOptions, RefreshLocks } from '../locks.js'

/** Locks among those who share this object: handles on one memory, or parts of one process. */
export class MemoryLocks implements RefreshLocks {
  /** Who waits for each held lock, in order of arrival. */
  readonly #held = new Map<string, Set<() => void>>()

  async acquire(name: string, { timeoutMs, signal }: LockOptions): Promise<HeldLock | undefined> {
    signal?.throwIfAborted()
    const waiting = this.#held.get(name)
    if (waiting === undefined) {
      this.#held.set(name, new Set())
      return this.#lock(name)
    }
    if (timeoutMs <= 0) return undefined
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer)
        waiting.delete(enter)
        signal?.removeEventListener('abort', abort)
      }
      const enter = (): void => {
        leave()
        resolve(this.#lock(name))
      }
      const abort = (): void => {
        leave()
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        leave()
        resolve(undefined)
      }, timeoutMs)
      waiting.add(enter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  #lock(name: string): HeldLock {
    let released = false
    return {
      release: async () => {
        if (released) return
        released = true
        const [next] = this.#held.get(name) ?? []
        if (next === undefined) this.#held.delete(name)
        else next()
      },
    }
  }
}
