import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { KeymuxError } from '../../domain/errors.js'
import { isBusy } from './errors.js'

/** How to wait for a lock. */
export interface WaitOptions {
  /** Give up after this many milliseconds. */
  readonly timeoutMs: number
  /** What to throw then. */
  readonly busy: () => KeymuxError
  readonly signal?: AbortSignal | undefined
}

/** Pauses between attempts, in milliseconds; the last one repeats. Short: a write holds the lock for 0.2 ms. */
const PAUSES_MS = [0, 0, 1, 1, 2, 3, 5, 8]

/**
 * Attempts until nobody is in the way. SQLite's own busy handler would block the whole process meanwhile,
 * and for ever if the lock's holder is another connection of this process.
 *
 * @throws KeymuxError `aborted`, and whatever `options.busy` and the attempt throw
 */
export async function whileBusy<T>(attempt: () => T, options: WaitOptions): Promise<T> {
  const start = performance.now()
  for (let tries = 0; ; tries++) {
    throwIfAborted(options.signal)
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (!(performance.now() - start < options.timeoutMs)) throw options.busy()
    }
    const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]
    await (pause === 0 ? nextTurn() : sleep(pause))
  }
}

/** @throws KeymuxError `aborted` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new KeymuxError('aborted', 'opening the vault was aborted')
}
