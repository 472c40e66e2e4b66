import { startDeadline } from '../egress/deadline.js'
import type { Timers } from './types.js'

/** `setTimeout` takes a longer time for none at all. */
const LONGEST_MS = 2 ** 31 - 1

/** The system's timers. */
export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS))
    return () => clearTimeout(timer)
  },
  deadline: startDeadline,
}

/** Waits; rejects with the signal's reason as soon as it fires. */
export function pause(ms: number, timers: Timers, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = timers.after(ms, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}
