import type { Clock, Random } from '../domain/ports.js'

/** The machine's own time. */
export const systemClock: Clock = { now: () => new Date() }

/** For jitter; secrets never come from here. */
export const systemRandom: Random = () => Math.random()
