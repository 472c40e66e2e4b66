import { constants } from 'node:os'
import { KeymuxError } from '../../domain/errors.js'

/** Signals from outside: by default they end the command. */
export interface Interrupts {
  /** Aborted, with an `interrupted` error, by the first signal. */
  readonly signal: AbortSignal
  /** The signal that ended the command, if one did. */
  readonly received: NodeJS.Signals | undefined
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
 * Watches SIGINT, SIGTERM and SIGHUP: the first aborts {@link Interrupts.signal}; another one, or one
 * second without an end, calls `exit`.
 */
export function watchInterrupts(emitter: SignalEmitter, exit: (status: number) => void): Interrupts {
  const controller = new AbortController()
  const taken = new Map<NodeJS.Signals, Array<(signal: NodeJS.Signals) => void>>()
  let received: NodeJS.Signals | undefined
  const end = (signal: NodeJS.Signals): void => {
    const handlers = taken.get(signal)
    const handler = handlers?.[handlers.length - 1]
    if (handler !== undefined) {
      handler(signal)
    } else if (received !== undefined) {
      exit(signalStatus(received))
    } else {
      received = signal
      controller.abort(new KeymuxError('interrupted', 'interrupted'))
      setTimeout(() => exit(signalStatus(signal)), GRACE_MS).unref()
    }
  }
  for (const signal of ENDING) emitter.on(signal, end)
  return {
    signal: controller.signal,
    get received() {
      return received
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
