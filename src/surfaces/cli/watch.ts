import { setTimeout as wait } from 'node:timers/promises'

/** Waits; gives false at once when the signal has fired, so that a watching command can end in order. */
export async function tick(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  try {
    await wait(ms, undefined, { signal })
    return true
  } catch {
    return false
  }
}
