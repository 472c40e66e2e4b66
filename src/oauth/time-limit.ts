import { KeymuxError } from '../domain/errors.js'

/**
 * What `work` comes to, unless nobody has logged in by then.
 *
 * @param limitMs in milliseconds
 * @throws KeymuxError `login_expired`; the signal's reason
 */
export function withinTime<T>(
  work: Promise<T>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error)
    const timer = setTimeout(() => reject(nobodyCame(limitMs)), limitMs)
    signal?.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  })
}

function nobodyCame(limitMs: number): KeymuxError {
  return new KeymuxError('login_expired', `nobody logged in within ${Math.round(limitMs / 60_000)} min`, {
    hint: 'start the login again',
  })
}
