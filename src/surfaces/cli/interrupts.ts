import { constants } from 'node:os'
import { KeymuxError } from '../../domain/errors.js'

/** Signals from outside: by default they end the command. */
export interface Interrupts {
  /** Aborted, with an `interrupted` error, by the first signal. */
  readonly signal: AbortSignal
  /** The signal that ended the command, if one did. */
  readonly received: NodeJS.Signals | undefined
  /**
   * Puts the forced exit off while `busy` says that something is under way which must not be cut off, up to
   * {@link HOLD_MS}. A second signal ends the process all the same.
   */
  holdWhile(busy: () => boolean): void
  /** Sends these signals to `handler` instead, until the function that it gives back is called. */
  take(signals: readonly NodeJS.Signals[], handler: (signal: NodeJS.Signals) => void): () => void
}

/** The part of `process` that signals come through. */
export interface SignalEmitter {
  on(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown
  off(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown
}

const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
// Long enough to close a vault; whoever presses Ctrl-C is not made to wait for a stuck connection.
const GRACE_MS = 1_000
/**
 * How long something that must not be cut off may put the exit off, in milliseconds: a renewal's hard deadline
 * of 35 s, and the time in which its tokens are stored.
 */
export const HOLD_MS = 40_000

/** What a signal leads to. */
export interface Ending {
  /** Ends the process, which has not ended by itself. */
  exit(status: number): void
  /** Says, once, that the exit is put off. */
  held(): void
}

/**
 * Watches SIGINT, SIGTERM and SIGHUP: the first aborts {@link Interrupts.signal}; another one, or one
 * second without an end, calls `exit`.
 */
export function watchInterrupts(emitter: SignalEmitter, ending: Ending): Interrupts {
  const controller = new AbortController()
  const taken = new Map<NodeJS.Signals, Array<(signal: NodeJS.Signals) => void>>()
  const holders: Array<() => boolean> = []
  let received: NodeJS.Signals | undefined
  let told = false
  const isHeld = (): boolean => {
    if (!holders.some((busy) => busy())) return false
    if (!told) ending.held()
    told = true
    return true
  }
  const exitAfterGrace = (status: number, heldMs: number): void => {
    const wait = (): void => {
      if (isHeld() && heldMs < HOLD_MS) exitAfterGrace(status, heldMs + GRACE_MS)
      else ending.exit(status)
    }
    setTimeout(wait, GRACE_MS).unref()
  }
  const end = (signal: NodeJS.Signals): void => {
    const handlers = taken.get(signal)
    const handler = handlers?.[handlers.length - 1]
    if (handler !== undefined) {
      handler(signal)
    } else if (received !== undefined) {
      ending.exit(signalStatus(received))
    } else {
      received = signal
      controller.abort(new KeymuxError('interrupted', 'interrupted'))
      isHeld()
      exitAfterGrace(signalStatus(signal), 0)
    }
  }
  for (const signal of ENDING) emitter.on(signal, end)
  return {
    signal: controller.signal,
    get received() {
      return received
    },
    holdWhile(busy) {
      holders.push(busy)
    },
    take(signals, handler) {
      for (const signal of signals) {
        taken.set(signal, [...(taken.get(signal) ?? []), handler])
        if (!ENDING.includes(signal)) emitter.on(signal, handler)
      }
      return () => {
        for (const signal of signals) {
          taken.set(
            signal,
            (taken.get(signal) ?? []).filter((other) => other !== handler),
          )
          if (!ENDING.includes(signal)) emitter.off(signal, handler)
        }
      }
    },
  }
}

/** The exit status a shell gives to a program that a signal ended: 128 and its number. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + (constants.signals[signal] ?? 0)
}
