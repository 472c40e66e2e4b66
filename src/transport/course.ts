import { KeymuxError } from '../domain/errors.js'
import type { ForwardRequest } from '../domain/forwarding.js'
import type { Random } from '../domain/ports.js'
import { backoffMs } from '../policy/backoff.js'
import type { Exchange } from './exchange.js'
import type { Outbound } from './outbound.js'
import { pause } from './timers.js'
import type { Timers } from './types.js'

/** Retries of transient faults, one per profile; going through the profiles is apart from these. */
const MOST_RETRIES = 3
const BACKOFF = { baseMs: 200, maxMs: 2_000 }

/** What ends a wait at the deadline. It never reaches a caller. */
export const DEADLINE: KeymuxError = new KeymuxError('aborted', 'the deadline of the request has passed')

/** What the course of a request depends on. */
export interface CourseOptions {
  readonly request: ForwardRequest
  readonly outbound: Outbound
  readonly timers: Timers
  readonly random: Random
  readonly deadlineMs: number
}

/** How far one request has come, and what it may still do. */
export class Course {
  attempts = 0
  /** The exchange under way. */
  exchange: Exchange | undefined
  readonly #options: CourseOptions
  /** Made when something waits: most requests never do. */
  #waiting: AbortController | undefined
  readonly #retried: string[] = []
  readonly #cancelDeadline: () => void
  #expired = false
  #settled = false
  readonly #abort = (): void => this.#waiting?.abort(this.#options.request.signal?.reason)

  constructor(options: CourseOptions) {
    this.#options = options
    this.#cancelDeadline = options.timers.after(options.deadlineMs, () => this.#expire())
  }

  /** Fires with the caller's signal and at the deadline: ends every wait. */
  get signal(): AbortSignal {
    if (this.#waiting !== undefined) return this.#waiting.signal
    this.#waiting = new AbortController()
    const { signal } = this.#options.request
    if (signal?.aborted === true) this.#abort()
    else if (this.#expired) this.#waiting.abort(DEADLINE)
    else signal?.addEventListener('abort', this.#abort, { once: true })
    return this.#waiting.signal
  }

  /** Whether the deadline has passed. */
  get isExpired(): boolean {
    return this.#expired
  }

  /** Whether the answer is there, and whatever is still under way has become useless. */
  get isSettled(): boolean {
    return this.#settled
  }

  /** Whether no further try may be made, whoever is left to ask. */
  get isOver(): boolean {
    const { maxAttempts = Number.POSITIVE_INFINITY } = this.#options.request
    return this.#expired || this.#settled || this.#options.outbound.isSpent || this.attempts >= maxAttempts
  }

  /** Whether a profile may be asked a second time. Counts as done. */
  takeRetry(profileId: string): boolean {
    if (this.isOver || this.#retried.includes(profileId) || this.#retried.length >= MOST_RETRIES) return false
    this.#retried.push(profileId)
    return true
  }

  /** Waits before a retry: with jitter, longer each time, and no shorter than the provider asks. */
  backOff(statedMs: number): Promise<void> {
    const ownMs = backoffMs(this.#retried.length, { ...BACKOFF, random: this.#options.random })
    return this.wait(Math.max(ownMs, statedMs))
  }

  wait(ms: number): Promise<void> {
    return pause(ms, this.#options.timers, this.signal)
  }

  /** Ends the try under way: another one has been answered. */
  settle(): void {
    this.#settled = true
    this.exchange?.cancel()
    this.#waiting?.abort(DEADLINE)
  }

  /** The search is over; the caller's signal is the body's business from here on. */
  end(): void {
    this.#cancelDeadline()
    if (this.#waiting !== undefined) {
      this.#options.request.signal?.removeEventListener('abort', this.#abort)
    }
  }

  #expire(): void {
    this.#expired = true
    this.exchange?.hurry()
    this.#waiting?.abort(DEADLINE)
  }
}
