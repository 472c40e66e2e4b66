import { addTally, type Breach, newTally, type Tally } from './breaches.js'
import { makeWorld } from './make-world.js'
import { runWorld } from './run-world.js'
import { shrinkWorld } from './shrink.js'
import type { SeenAnswer, World } from './world.js'

/** Options of {@link simulate}. */
export interface SimulationOptions {
  /** Default 1. The first world has this seed, the next one the following. */
  readonly seed?: number | undefined
  /** How many requests are sent in all. Default 2,000. */
  readonly requests?: number | undefined
  /** How many each world has. Default 1,000. A world is replayed with its own seed and the same number. */
  readonly requestsPerWorld?: number | undefined
  /**
   * Answers that were seen, to be told for anything beside those that are made up. Those with a documented code, header or
   * time in them are left out. None by default.
   */
  readonly seen?: readonly SeenAnswer[] | undefined
  /** Whether the first breach of each rule is shrunk to a short trace. Default true. */
  readonly shrinks?: boolean | undefined
  /** Is told of every world that is over. */
  readonly onWorld?: ((seed: number, tally: Tally) => void) | undefined
}

/** A rule that did not hold in a world. */
export interface FoundBreach extends Breach {
  /** Of the world. */
  readonly seed: number
  /** What led to it, as short as could be found; absent for breaches of a rule that has one already. */
  readonly trace?: readonly string[]
}

/** What came of a simulation. */
export interface SimulationReport {
  readonly tally: Tally
  /** Half-open trials. */
  readonly checks: number
  /** Upstream calls, checks apart, by those of an oracle that is bound by the same rules. */
  readonly ratio: number
  readonly breaches: readonly FoundBreach[]
}

/** The most that upstream calls may come to, by those of an oracle. */
const MOST_CALLS = 1.3
const LONGEST_TRACE = 40

/**
 * Sends seeded requests through the real forwarding core, on a vault in memory and a clock of its own, before providers
 * that lie: by wording, status and content in every way that was seen, while a documented code, header or time is true.
 * Accounts run out of money and limits, keys are revoked and replaced, models and features are missing, pages, silence,
 * empty answers and broken streams come in between. Tells which rules did not hold, and how to see that again.
 *
 * @throws RangeError when a number is not a positive whole one
 */
export async function simulate(options: SimulationOptions = {}): Promise<SimulationReport> {
  const { seed = 1, requests = 2_000, requestsPerWorld = 1_000, shrinks = true, seen, onWorld } = options
  for (const count of [requests, requestsPerWorld]) {
    if (!Number.isSafeInteger(count) || count <= 0)
      throw new RangeError('a simulation needs whole numbers above 0')
  }
  const tally = newTally()
  const breaches: FoundBreach[] = []
  let checks = 0
  for (let left = requests, at = seed; left > 0; left -= requestsPerWorld, at += 1) {
    const size = Math.min(left, requestsPerWorld)
    const world = makeWorld(at, size, seen)
    const run = await runWorld(world)
    addTally(tally, run.tally)
    checks += run.checks
    for (const breach of run.breaches) {
      const isFirst = !breaches.some(({ rule }) => rule === breach.rule)
      const trace = shrinks && isFirst ? await shortTrace(world, breach) : undefined
      breaches.push({ ...breach, seed: at, ...(trace === undefined ? {} : { trace }) })
    }
    onWorld?.(at, run.tally)
  }
  const ratio = tally.oracle === 0 ? 1 : (tally.calls - checks) / tally.oracle
  if (ratio > MOST_CALLS) {
    const what = `${tally.calls - checks} calls where an oracle needs ${tally.oracle}`
    breaches.push({ rule: 'calls', atMs: 0, seed, what })
  }
  return { tally, checks, ratio, breaches }
}

async function shortTrace(world: World, { rule, atMs }: Breach): Promise<string[]> {
  const short = await shrinkWorld(world, atMs, async (shorter) =>
    (await runWorld(shorter)).breaches.some((breach) => breach.rule === rule),
  )
  const { trace } = await runWorld(short, { traced: true })
  const episodes = short.episodes.map(
    ({ id, accounts, model, fromMs, toMs }) =>
      `${seconds(fromMs)} to ${seconds(toMs)}: ${id} at ${accounts.join(', ')}${model === undefined ? '' : `, ${model}`}`,
  )
  return [...episodes, ...trace.slice(-LONGEST_TRACE)]
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
