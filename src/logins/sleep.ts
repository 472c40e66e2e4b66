import type { Clock } from '../domain/ports.js'

/** A clock that can also wait, such as the fake one of tests. */
interface WaitingClock extends Clock {
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

const LONGEST_TIMER_MS = 2_147_483_647

/** Waits `ms` milliseconds by the clock, or until the signal fires: then it rejects with the signal's reason. */
export function sleep(ms: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  if (canWait(clock)) return clock.sleep(ms, signal)
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      },
      Math.min(ms, LONGEST_TIMER_MS),
    )
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function canWait(clock: Clock): clock is WaitingClock {
  return 'sleep' in clock && typeof clock.sleep === 'function'
}
