import type { Clock } from '../domain/ports.js'

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** A clock that stands still until it is told to move. It governs cooldowns, expiry and waiting. */
export interface FakeClock extends Clock {
  /**
   * Moves on by `ms` milliseconds, negative for a clock that is set back, and wakes whoever slept that long,
   * the soonest first.
   */
  advance(ms: number): void
  /** Jumps to an instant, and wakes as {@link FakeClock.advance} does. */
  set(date: Date | string | number): void
  /** Waits until the clock has moved on by `ms` milliseconds, or the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/**
 * Makes a fake clock.
 *
 * @param start Where it stands at first; 2026-01-01T00:00:00Z by default.
 * @throws RangeError when that is no instant
 */
export function createFakeClock(start: Date | string | number = '2026-01-01T00:00:00Z'): FakeClock {
  let nowMs = instant(start)
  const sleepers = new Set<Sleeper>()
  const moveTo = (ms: number): void => {
    nowMs = ms
    const due = [...sleepers].filter((sleeper) => sleeper.atMs <= nowMs)
    for (const sleeper of due.sort((a, b) => a.atMs - b.atMs)) {
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
  return {
    now: () => new Date(nowMs),
    advance: (ms) => moveTo(instant(nowMs + ms)),
    set: (date) => moveTo(instant(date)),
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      if (ms <= 0) return
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => {
          sleepers.delete(sleeper)
          reject(signal?.reason as Error)
        }
        const wake = (): void => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }
        const sleeper: Sleeper = { atMs: nowMs + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
  }
}

function instant(value: Date | string | number): number {
  const ms = new Date(value).getTime()
  if (Number.isNaN(ms)) throw new RangeError('a fake clock needs a valid instant')
  return ms
}
