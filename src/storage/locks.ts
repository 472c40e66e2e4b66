/** The lock that is held while a vault is rotated: whoever waits to write waits up to a minute meanwhile. */
export const ROTATION_LOCK = 'rotation'

/** How long to wait for a lock. */
export interface LockOptions {
  /** Give up after this many milliseconds; 0 tries once. */
  readonly timeoutMs: number
  /** Ends the wait: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A lock that is held. */
export interface HeldLock {
  /** Gives it back. May be called again. */
  release(): Promise<void>
}

/**
 * Locks by name, across every process that uses the same storage: they keep two processes from renewing one
 * login at the same time.
 *
 * A lock belongs to its holder for as long as that one lives, paused or not, and is given back by the
 * operating system (or the database server) the moment it dies. It has no time-out: with a lease, a holder
 * that was merely paused sends its request after another process has sent one too, and a provider that
 * detects reuse revokes the whole login.
 */
export interface RefreshLocks {
  /**
   * The lock, or `undefined` when somebody else held it all the time.
   *
   * @throws KeymuxError storage errors
   */
  acquire(name: string, options: LockOptions): Promise<HeldLock | undefined>
}

/** Whether somebody holds a lock now. Where that cannot be told, nobody. */
export async function isHeld(locks: RefreshLocks, name: string): Promise<boolean> {
  try {
    const lock = await locks.acquire(name, { timeoutMs: 0 })
    await lock?.release()
    return lock === undefined
  } catch {
    return false
  }
}
