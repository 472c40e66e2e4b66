import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  FAILURE_REASONS,
  type FailureReason,
  newUsageStats,
  type ProfileUsageStats,
} from '../domain/usage.js'
import { applyFailure, applySuccess } from './failure.js'
import { judgedFor } from './verdicts.js'

// Outcomes of requests that were sent with several credentials of one profile, one renewed from the other, in whatever
// order they come.

const VERDICTS: readonly FailureReason[] = ['auth', 'auth_permanent', 'session_expired']
const OTHERS = FAILURE_REASONS.filter((reason) => !VERDICTS.includes(reason))
const START = Date.parse('2026-11-23T12:00:00Z')
const NEWEST = 3

interface Event {
  readonly what: FailureReason | 'success'
  readonly generation: number
  readonly afterMs: number
}

const history = (...reasons: readonly FailureReason[]): fc.Arbitrary<Event[]> =>
  fc.array(
    fc.record({
      what: fc.constantFrom('success' as const, ...reasons),
      generation: fc.integer({ min: 1, max: NEWEST }),
      afterMs: fc.constantFrom(0, 1, 20_000, 40_000, 6 * 3_600_000),
    }),
    { maxLength: 25 },
  )

/** The statistics after one more outcome, sent in the epoch that they are in: generations alone are at stake here. */
function told(stats: ProfileUsageStats, { what, generation }: Event, now: Date): ProfileUsageStats {
  const sent = { epoch: stats.epoch ?? 0, generation }
  if (what === 'success') return applySuccess(stats, { now, sent })
  return applyFailure(stats, what, { now, provider: 'openai', sent }).stats
}

/** What counts of all that was said of credentials, for one of this generation. */
function verdictsOf(stats: ProfileUsageStats, generation: number): object {
  const { runs = {}, ...judged } = judgedFor(stats, generation)
  const isVerdict = (reason: FailureReason | undefined): boolean => VERDICTS.includes(reason ?? 'unknown')
  return {
    auth: runs.auth,
    permanent: runs.auth_permanent,
    disabledUntil: isVerdict(judged.disabledReason) ? judged.disabledUntil : undefined,
    cooldownUntil: isVerdict(judged.cooldownReason) ? judged.cooldownUntil : undefined,
  }
}

/** The history with the instant of each event. */
function timed(events: readonly Event[]): (Event & { readonly now: Date })[] {
  let at = START
  return events.map((event) => {
    at += event.afterMs
    return { ...event, now: new Date(at) }
  })
}

describe('outcomes of several generations of a credential', () => {
  test('leave what the same outcomes leave without those that a verdict on a newer one had overtaken', () => {
    fc.assert(
      fc.property(history(...VERDICTS), (events) => {
        let [all, timely] = [newUsageStats(), newUsageStats()]
        let judged = 0
        for (const event of timed(events)) {
          all = told(all, event, event.now)
          if (event.generation < judged) continue
          if (event.what !== 'success') judged = event.generation
          timely = told(timely, event, event.now)
        }
        expect(verdictsOf(all, NEWEST)).toEqual(verdictsOf(timely, NEWEST))
        expect(verdictsOf(all, judged)).toEqual(verdictsOf(timely, judged))
      }),
      { numRuns: 2_000 },
    )
  })

  test('a success of an older one lifts what is of the account, and nothing that was said of the newer one', () => {
    fc.assert(
      fc.property(history(...FAILURE_REASONS), (events) => {
        let stats = newUsageStats()
        for (const event of timed(events)) {
          const before = stats
          stats = told(stats, event, event.now)
          if (event.what !== 'success' || event.generation >= (before.generation ?? 0)) continue
          expect(verdictsOf(stats, NEWEST)).toEqual(verdictsOf(before, NEWEST))
          expect(stats.disabledReason).not.toBe('billing')
          expect(Object.keys(stats.runs ?? {}).filter((name) => !name.startsWith('auth'))).toEqual([])
          // A trial of a disable that stands is still the last one.
          if (stats.disabledUntil !== undefined) expect(stats.trialAt).toBe(before.trialAt)
          expect((stats.epoch ?? 0) > (before.epoch ?? 0)).toBe(before.disabledReason === 'billing')
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('a failure of a newer one finds nothing that was said of an older one', () => {
    fc.assert(
      fc.property(history(...FAILURE_REASONS), fc.constantFrom(...OTHERS), (events, reason) => {
        const [now, generation] = [new Date(START + 1), NEWEST + 1]
        let stats = newUsageStats()
        for (const event of timed(events)) stats = told(stats, { ...event, afterMs: 0 }, event.now)
        const failure: Event = { what: reason, generation, afterMs: 0 }
        expect(judgedFor(told(stats, failure, now), generation)).toEqual(
          told(judgedFor(stats, generation), failure, now),
        )
      }),
      { numRuns: 2_000 },
    )
  })
})
