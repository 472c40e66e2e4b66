/** A timer that comes this much too late means that the whole process stood still, in milliseconds. */
const STANDSTILL_MS = 500
/** How long a process that stood still may look at what arrived meanwhile, in milliseconds. */
const CATCH_UP_MS = 2_000

/**
 * Calls `expire` after `ms` milliseconds, unless the function that it gives back is called first.
 *
 * A process that was paused wakes up with its timers overdue and perhaps with the answer waiting in its
 * socket. Timers go first, so that a plain one would throw the answer away; this one lets it be read.
 */
export function startDeadline(ms: number, expire: () => void): () => void {
  const start = performance.now()
  let stopped = false
  let timer = setTimeout(() => {
    if (performance.now() - start - ms >= STANDSTILL_MS) timer = setTimeout(expire, CATCH_UP_MS)
    // What is in the socket is read between a timer and an immediate.
    else setImmediate(() => stopped || expire())
  }, ms)
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
