import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import { type CheckSaid, newUsageStats, type ProfileUsageStats } from '../domain/usage.js'
import {
  applyCheck,
  applyCredit,
  CHECK_INTERVAL_MS,
  checkNeed,
  LOOK_INTERVAL_MS,
  withCheckBegun,
  withCheckWanted,
} from './checks.js'
import { applyFailure, applyReset, type FailureContext } from './failure.js'
import { DISABLE, holdingWindow, modelSlot, readWindow } from './windows.js'

const START = Date.parse('2026-01-01T00:00:00Z')
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const at = (ms: number): Date => new Date(START + ms)
const facts = (ms: number, tellsCredit = false) => ({ provider: 'openai', now: at(ms), tellsCredit })
const presumed = (ms: number, more: Partial<FailureContext> = {}): FailureContext => ({
  now: at(ms),
  provider: 'openai',
  certainty: 'presumed',
  isStatic: true,
  ...more,
})

function failed(
  stats: ProfileUsageStats,
  reason: 'auth' | 'auth_permanent' | 'billing',
  context: FailureContext,
): ProfileUsageStats {
  return applyFailure(stats, reason, context).stats
}

function checked(
  stats: ProfileUsageStats,
  said: CheckSaid,
  ms: number,
  hasCredit?: boolean,
): ProfileUsageStats {
  const outcome = { said, hasCredit, by: 'GET /models', begunAt: at(ms) }
  return applyCheck(stats, outcome, { now: at(ms), provider: 'openai' })
}

/** Begins a check where one is due, as a process that lives long does at once. */
function begun(stats: ProfileUsageStats, ms: number, tellsCredit = false): ProfileUsageStats | undefined {
  return withCheckBegun(stats, checkNeed(stats, undefined, facts(ms, tellsCredit)), at(ms))
}

const DISABLED = failed(newUsageStats(), 'auth_permanent', presumed(0, { model: 'm' }))

describe('what is to be checked', () => {
  test('a presumption at once, then once a minute', () => {
    expect(checkNeed(DISABLED, undefined, facts(0))).toMatchObject({ kind: 'confirm', about: 'credential' })
    const first = begun(DISABLED, 0)
    if (first === undefined) throw new Error('not due')
    expect(first.check).toEqual({ at: at(0) })
    expect(begun(first, CHECK_INTERVAL_MS - 1)).toBeUndefined()
  })

  test('the first refusal of a static key, whatever it was told by', () => {
    const stats = failed(newUsageStats(), 'auth', presumed(0, { certainty: 'stated' }))
    expect(checkNeed(stats, undefined, facts(0))?.kind).toBe('confirm')
  })

  test('a disable that is certain, half an hour after it began', () => {
    const stats = failed(newUsageStats(), 'auth_permanent', presumed(0, { certainty: 'stated' }))
    expect(checkNeed(stats, undefined, facts(0))?.kind).toBe('look')
    expect(begun(stats, LOOK_INTERVAL_MS - 1)).toBeUndefined()
    const first = begun(stats, LOOK_INTERVAL_MS)
    expect(first).toBeDefined()
    expect(begun(first ?? stats, 2 * LOOK_INTERVAL_MS - 1)).toBeUndefined()
    expect(begun(first ?? stats, 2 * LOOK_INTERVAL_MS)).toBeDefined()
  })

  test('money only where the check tells of it, of the account too', () => {
    const unpaid = failed(newUsageStats(), 'billing', presumed(0))
    expect(checkNeed(unpaid, undefined, facts(0))).toBeUndefined()
    expect(checkNeed(unpaid, undefined, facts(0, true))?.about).toBe('money')
    expect(checkNeed(newUsageStats(), unpaid, facts(0, true))?.about).toBe('money')
    expect(checkNeed(newUsageStats(), unpaid, facts(0))).toBeUndefined()
  })

  test('nothing that is not disabled, and nothing that means nothing for OpenRouter', () => {
    expect(checkNeed(newUsageStats(), undefined, facts(0))).toBeUndefined()
    expect(checkNeed(DISABLED, undefined, facts(MINUTE))).toBeUndefined()
    expect(checkNeed(DISABLED, undefined, { ...facts(0), provider: 'openrouter' })).toBeUndefined()
    const limited = applyFailure(newUsageStats(), 'rate_limit', presumed(0, { retryAfterMs: HOUR })).stats
    expect(checkNeed(limited, undefined, facts(0, true))).toBeUndefined()
  })

  test('also where a clock that was wrong has left a check in the future', () => {
    expect(begun({ ...DISABLED, check: { at: at(HOUR) } }, 0)).toBeDefined()
  })
})

describe('a wish for a check', () => {
  test('is one of a profile that nobody has set aside, once a minute at most and for 10 minutes', () => {
    const wished = withCheckWanted(newUsageStats(), at(0))
    if (wished === undefined) throw new Error('not wished')
    expect(usageFromJson(usageToJson(wished))).toEqual(wished)
    expect(withCheckWanted(wished, at(SECOND))).toBeUndefined()
    expect(checkNeed(wished, undefined, facts(SECOND))).toMatchObject({
      kind: 'confirm',
      about: 'credential',
    })
    expect(checkNeed(wished, undefined, { ...facts(SECOND), provider: 'openrouter' })).toBeUndefined()
    expect(checkNeed(wished, undefined, facts(10 * MINUTE))).toBeUndefined()
    const asked = begun(wished, SECOND)
    expect(asked).toEqual({ ...newUsageStats(), check: { at: at(SECOND) } })
    expect(withCheckWanted(asked ?? wished, at(30 * SECOND))).toBeUndefined()
    expect(withCheckWanted(asked ?? wished, at(2 * MINUTE))).toBeDefined()
  })

  test('sets aside what is refused, and nothing that is good', () => {
    const wished = withCheckWanted(newUsageStats(), at(0)) ?? newUsageStats()
    const asked = begun(wished, SECOND) ?? wished
    expect(checked(asked, 'refused', 2 * SECOND).disabledReason).toBe('auth_permanent')
    expect(checked(asked, 'valid', 2 * SECOND).disabledUntil).toBeUndefined()
  })
})

describe('a good answer', () => {
  test('sets the profile free, and holds the presumption against the model that was named', () => {
    const free = checked(DISABLED, 'valid', 5 * SECOND)
    expect(readWindow(free, DISABLE)).toBeUndefined()
    expect(readWindow(free, modelSlot('m'))).toEqual({
      until: at(5 * SECOND + 10 * MINUTE),
      reason: 'model_not_found',
      presumed: true,
    })
    expect(free.epoch).toBe(1)
    expect(free.runs).toEqual({})
  })

  test('sets nothing aside where no model was named, nor where the disable was certain', () => {
    const bare = failed(newUsageStats(), 'auth_permanent', presumed(0))
    expect(checked(bare, 'valid', SECOND).modelCooldowns).toBeUndefined()
    const stated = failed(newUsageStats(), 'auth_permanent', presumed(0, { certainty: 'stated', model: 'm' }))
    const free = checked(stated, 'valid', LOOK_INTERVAL_MS)
    expect(free.disabledUntil).toBeUndefined()
    expect(free.modelCooldowns).toBeUndefined()
  })

  test('drops what was sent before it', () => {
    const free = checked(DISABLED, 'valid', SECOND)
    const late = presumed(2 * SECOND, { sent: { epoch: 0, generation: 0 } })
    expect(failed(free, 'auth_permanent', late)).toBe(free)
  })

  test('shrinks the same presumption at once for a minute, and the run of refusals does not grow', () => {
    const free = checked({ ...DISABLED, check: { at: at(0) } }, 'valid', SECOND)
    let stats = free
    for (const reason of ['auth_permanent', 'auth', 'auth', 'auth'] as const) {
      stats = failed(stats, reason, presumed(30 * SECOND, { model: 'other' }))
    }
    expect(stats.disabledUntil).toBeUndefined()
    expect(stats.runs).toEqual({})
    expect(Object.keys(stats.modelCooldowns ?? {})).toEqual(['m', 'other'])
    expect(stats.failureCounts).toEqual({ auth_permanent: 2, auth: 3 })
    expect(failed(free, 'auth_permanent', presumed(MINUTE)).disabledUntil).toEqual(at(2 * MINUTE))
  })

  test('stands against no word of a caller, and no certain verdict', () => {
    const free = checked({ ...DISABLED, check: { at: at(0) } }, 'valid', SECOND)
    const word: FailureContext = { now: at(2 * SECOND), provider: 'openai' }
    expect(failed(free, 'auth_permanent', word).disabledUntil).toBeDefined()
    const stated = presumed(2 * SECOND, { certainty: 'stated' })
    expect(failed(free, 'auth_permanent', stated).disabledUntil).toBeDefined()
  })

  test('is forgotten with a reset, and with the credential that it was given for', () => {
    const free = checked({ ...DISABLED, check: { at: at(0) } }, 'valid', SECOND)
    expect(applyReset(free).check).toEqual({ at: at(0) })
    const before = { ...free, generation: 1 }
    const next = presumed(2 * SECOND, { sent: { epoch: 1, generation: 2 } })
    expect(failed(before, 'auth_permanent', next).disabledUntil).toBeDefined()
  })

  test('says nothing of money, unless it does', () => {
    const unpaid = failed(newUsageStats(), 'billing', presumed(0, { certainty: 'stated' }))
    expect(checked(unpaid, 'valid', LOOK_INTERVAL_MS).disabledUntil).toEqual(unpaid.disabledUntil)
    expect(checked(unpaid, 'valid', LOOK_INTERVAL_MS, false).disabledUntil).toEqual(unpaid.disabledUntil)
    const paid = checked(unpaid, 'valid', LOOK_INTERVAL_MS, true)
    expect(paid.disabledUntil).toBeUndefined()
    expect(paid.epoch).toBe(1)
    expect(applyCredit(unpaid).disabledUntil).toBeUndefined()
    expect(applyCredit(DISABLED)).toBe(DISABLED)
  })
})

describe('a refusal', () => {
  test('lets the presumption stand for hours, and says by what', () => {
    const stats = checked(DISABLED, 'refused', 5 * SECOND)
    expect(readWindow(stats, DISABLE)).toEqual({
      until: at(5 * SECOND + 5 * HOUR),
      reason: 'auth_permanent',
      evidence: { model: 'm', checkedBy: 'GET /models', checkedAt: at(5 * SECOND) },
    })
    expect(stats.runs).toEqual({ auth_permanent: { count: 1, lastAt: at(5 * SECOND) } })
    expect(usageFromJson(usageToJson(stats))).toEqual(stats)
  })

  test('doubles as every disable does, and confirms one that stands without making it longer', () => {
    const once = checked(DISABLED, 'refused', 0)
    const again = checked(once, 'refused', HOUR)
    expect(again.disabledUntil).toEqual(once.disabledUntil)
    expect(again.disabledEvidence?.checkedAt).toEqual(at(HOUR))
    const twice = checked(failed(once, 'auth_permanent', presumed(6 * HOUR)), 'refused', 6 * HOUR)
    expect(twice.disabledUntil).toEqual(at(16 * HOUR))
  })
})

describe('no answer', () => {
  test('changes nothing: the window ends by itself and doubles to 10 minutes', () => {
    let stats = newUsageStats()
    let ms = 0
    const lengths: number[] = []
    for (let round = 0; round < 6; round += 1) {
      stats = checked(failed(stats, 'auth_permanent', presumed(ms)), 'unasked', ms)
      const until = stats.disabledUntil?.getTime() ?? 0
      lengths.push(until - at(ms).getTime())
      ms = until - START
    }
    expect(lengths.map((length) => length / MINUTE)).toEqual([1, 2, 4, 8, 10, 10])
  })
})

/** What may happen to a profile: time passes, and a request fails with a presumption. */
const event = fc.record({
  afterMs: fc.integer({ min: 0, max: 4 * MINUTE }),
  reason: fc.constantFrom('auth' as const, 'auth_permanent' as const),
  certainty: fc.constantFrom('presumed' as const, 'presumed' as const, 'stated' as const),
  model: fc.option(fc.constantFrom('m', 'n'), { nil: undefined }),
})

test('no account whose check is good stays disabled as a whole for longer than a minute', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let stats = newUsageStats()
      let ms = 0
      for (const { afterMs, reason, certainty, model } of events) {
        ms += afterMs
        const isOfStatic = certainty === 'presumed' || reason === 'auth'
        if (!isOfStatic) continue
        stats = failed(stats, reason, presumed(ms, { certainty, model }))
        // A process that lives long looks all the time; what it finds due it checks at once.
        const need = checkNeed(stats, undefined, facts(ms))
        if (need === undefined) continue
        const dueMs = Math.max(need.dueMs - START, ms)
        const isOpen = holdingWindow(stats, DISABLE, 'openai', at(dueMs)) !== undefined
        expect(need.kind).toBe('confirm')
        expect(dueMs - ms).toBeLessThanOrEqual(CHECK_INTERVAL_MS)
        if (!isOpen) continue
        const claimed = withCheckBegun(stats, checkNeed(stats, undefined, facts(dueMs)), at(dueMs))
        expect(claimed).toBeDefined()
        stats = checked(claimed ?? stats, 'valid', dueMs)
        expect(holdingWindow(stats, DISABLE, 'openai', at(dueMs))).toBeUndefined()
        ms = dueMs
      }
    }),
  )
})

test('no account is disabled for longer than 10 minutes by presumptions that nothing has confirmed', () => {
  const said = fc.constantFrom<CheckSaid>('valid', 'unasked')
  fc.assert(
    fc.property(fc.array(fc.tuple(event, said), { maxLength: 60 }), (events) => {
      let stats = newUsageStats()
      let ms = 0
      for (const [{ afterMs, reason, model }, answer] of events) {
        ms += afterMs
        stats = failed(stats, reason, presumed(ms, { model }))
        const claimed = begun(stats, ms)
        if (claimed !== undefined) stats = checked(claimed, answer, ms)
        const left = (stats.disabledUntil?.getTime() ?? 0) - at(ms).getTime()
        expect(left).toBeLessThanOrEqual(10 * MINUTE)
      }
    }),
  )
})
