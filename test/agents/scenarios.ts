import {
  badKey,
  errorInFirstEvent,
  errorMidStream,
  outOfMoney,
  overloaded,
  type RecordedRequest,
  type Reply,
  rateLimited,
  reset,
  type Script,
  serverError,
  truncated,
} from '../../src/entries/testing.js'
import { asksModel, turns } from './turns.js'

/** What the two accounts of a run do. */
export interface Scenario {
  readonly name: string
  /** Commands that the agent is told to run. */
  readonly turns?: number
  /** What each account does, given what it says when it works; absent: it works. */
  readonly accounts: readonly ((works: Reply) => Script)[]
  /** How long the agent may take, in milliseconds. */
  readonly limitMs?: number
  /** Each account signs its reasoning, and refuses what another one has signed. */
  readonly signs?: boolean
  /** Not in every run: it takes long. */
  readonly long?: boolean
}

/** A script of the requests that go to models; others always work. */
function inTurn(works: Reply, steps: readonly Reply[]): Script {
  let asked = 0
  return (request: RecordedRequest) => {
    if (!asksModel(request)) return works
    const step = steps[Math.min(asked, steps.length - 1)] ?? works
    asked += 1
    return step
  }
}
const always =
  (failure: Reply) =>
  (works: Reply): Script =>
    inTurn(works, [failure])

const soon = (retryAfterMs: number): Reply => rateLimited({ retryAfterMs })

/** Two accounts that fail in turns, each time in another way, while the other one works. */
const FAILURES: readonly Reply[] = [soon(1_000), overloaded(), serverError(), reset(), errorInFirstEvent()]

function failingInTurns(offset: number): (works: Reply) => Script {
  return (works) => {
    let asked = offset
    return (request: RecordedRequest) => {
      if (!asksModel(request)) return works
      asked += 1
      return asked % 3 === 0 ? (FAILURES[(asked / 3) % FAILURES.length] ?? works) : works
    }
  }
}

/** The scenarios of the matrix. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'works', turns: 1, accounts: [] },
  { name: 'rate-limited', turns: 1, accounts: [always(soon(60_000))] },
  { name: 'refused', turns: 1, accounts: [always(badKey())] },
  { name: 'unpaid', turns: 1, accounts: [always(outOfMoney())] },
  { name: 'overloaded', turns: 1, accounts: [always(overloaded())] },
  { name: 'server-error', turns: 1, accounts: [always(serverError())] },
  { name: 'reset', turns: 1, accounts: [always(reset())] },
  { name: 'error-in-first-event', turns: 1, accounts: [always(errorInFirstEvent())] },
  { name: 'error-mid-stream', turns: 1, accounts: [always(errorMidStream())] },
  { name: 'broken-off', turns: 1, accounts: [always(truncated({ in: turns(1) }))] },
  {
    name: 'both-rate-limited-shortly',
    turns: 1,
    accounts: [
      (works) => inTurn(works, [soon(3_000), works]),
      (works) => inTurn(works, [soon(3_000), works]),
    ],
  },
  {
    name: 'signed-reasoning',
    turns: 6,
    signs: true,
    // The session goes from the first to the second one, and back.
    accounts: [
      (works) => inTurn(works, [works, works, soon(1_000), works]),
      (works) => inTurn(works, [works, works, soon(60_000)]),
    ],
  },
  {
    name: 'twenty-turns',
    turns: 20,
    accounts: [failingInTurns(1), failingInTurns(2)],
    limitMs: 200_000,
    long: true,
  },
]
