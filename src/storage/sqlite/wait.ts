import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { KeymuxError } from '../../domain/errors.js'
import { isBusy } from './errors.js'

/** How to wait for a lock. */
export interface WaitOptions {
  /** Give up after this many milliseconds. */
  readonly timeoutMs: number
  /**
   * Something that changes when others get on. While it does, many are at work and nobody hangs: the wait
   * begins anew, up to {@link LONGEST_WAIT} times.
   */
  readonly progress?: (() => unknown) | undefined
  /** Whether somebody has said that he will keep the lock for longer: the wait then lasts {@link LONG_HOLD_MS}. */
  readonly announced?: (() => Promise<boolean>) | undefined
  /** What to throw then. */
  readonly busy: () => KeymuxError
  readonly signal?: AbortSignal | undefined
}

/** Pauses between attempts, in milliseconds. Short: a write holds the lock for 0.2 ms. */
const PAUSES_MS = [0, 0, 1, 1, 2, 3, 5, 8]
/**
 * The pause afterwards, by how long the wait has lasted, in milliseconds. Who waits for so long is one of many,
 * and many that ask often take the processor from the one that holds the lock; the oldest go first.
 */
const LATER_PAUSES_MS = [
  [200, 8],
  [5_000, 25],
  [20_000, 12],
] as const
const LAST_PAUSE_MS = 6

/** How long to wait for somebody who has announced himself. */
const LONG_HOLD_MS = 60_000

/** How many times its limit a wait may take while others get on. */
export const LONGEST_WAIT = 24

/**
 * Attempts until nobody is in the way. SQLite's own busy handler would block the whole process meanwhile,
 * and for ever if the lock's holder is another connection of this process.
 *
 * @throws KeymuxError `aborted`, and whatever `options.busy` and the attempt throw
 */
export async function whileBusy<T>(attempt: () => T, options: WaitOptions): Promise<T> {
  const { timeoutMs, progress } = options
  const begun = performance.now()
  let since = begun
  let seen: unknown
  for (let tries = 0; ; tries++) {
    throwIfAborted(options.signal)
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error)) throw error
      const now = performance.now()
      if (tries === 0) seen = progress?.()
      if (!(now - since < timeoutMs)) {
        const present = progress?.()
        const more = present !== seen && now - begun < LONGEST_WAIT * timeoutMs
        if (!more && !(now - since < LONG_HOLD_MS && (await options.announced?.()))) throw options.busy()
        if (more) {
          seen = present
          since = now
        }
      }
    }
    const pause = PAUSES_MS[tries] ?? laterPause(performance.now() - begun)
    await (pause === 0 ? nextTurn() : sleep(pause))
  }
}

function laterPause(waitedMs: number): number {
  return LATER_PAUSES_MS.find(([until]) => waitedMs < until)?.[1] ?? LAST_PAUSE_MS
}

/** @throws KeymuxError `aborted` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new KeymuxError('aborted', 'opening the vault was aborted')
}
