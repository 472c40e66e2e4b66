/** A timer that comes this much too late means that the whole process stood still, in milliseconds. */
const STANDSTILL_MS = 50
/** A process that stood still gets that time back, up to this much, in milliseconds. */
const CATCH_UP_MS = 2_000

/**
 * Calls `expire` after `ms` milliseconds, unless the function that it gives back is called first.
 *
 * A process that was paused, or busy with something else, wakes up with its timers overdue and perhaps with the
 * answer waiting in its socket. Timers go first, so that a plain one would throw the answer away; this one lets
 * it be read.
 */
export function startDeadline(ms: number, expire: () => void): () => void {
  const start = performance.now()
  let stopped = false
  let timer = setTimeout(() => {
    const lateMs = performance.now() - start - ms
    if (lateMs >= STANDSTILL_MS) timer = setTimeout(expire, Math.min(lateMs, CATCH_UP_MS))
    // What is in the socket is read between a timer and an immediate.
    else setImmediate(() => stopped || expire())
  }, ms)
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
