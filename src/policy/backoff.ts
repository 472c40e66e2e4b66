import type { Random } from '../domain/ports.js'

/** Bounds of an exponential backoff, in milliseconds. */
export interface BackoffOptions {
  /** The first wait. */
  readonly baseMs: number
  /** The longest wait. */
  readonly maxMs: number
  /** Spreads waits over the upper half, [0.5, 1) of the full one; without it the full wait is taken. */
  readonly random?: Random | undefined
}

/** The wait after the `attempt`th failure in a row (1, 2, …) in milliseconds: base·2^(attempt−1), capped, jittered. */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const full = doubled(options.baseMs, attempt, options.maxMs)
  return Math.round(options.random === undefined ? full : full * (0.5 + options.random() / 2))
}

/** base·2^(n−1), at most `max`; `n` counts from 1, and anything that is no number counts as 1. */
export function doubled(base: number, n: number, max: number): number {
  const exponent = n >= 1 ? Math.floor(n) - 1 : 0
  return Math.min(base * 2 ** exponent, max)
}
