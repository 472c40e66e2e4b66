import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import { newUsageStats, type ProfileUsageStats } from '../domain/usage.js'
import { behindAt, isBehind, withBehind } from './behind.js'
import { applyFailure, applyReset, applySuccess } from './failure.js'

const START = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number): Date => new Date(START + seconds * 1_000)

function broke(
  stats: ProfileUsageStats,
  seconds: number,
  {
    model = 'm',
    brokeOff = 'unstated',
    reason = 'server_error',
  }: Partial<{
    model: string
    brokeOff: 'stated' | 'unstated'
    reason: 'server_error' | 'rate_limit' | 'overloaded'
  }> = {},
): ProfileUsageStats {
  return applyFailure(stats, reason, { now: at(seconds), provider: 'openai', model, brokeOff }).stats
}

describe('an answer that broke off', () => {
  test('sends its account behind others for this model, and opens no window', () => {
    const stats = broke(newUsageStats(), 0)
    expect([isBehind(stats, 'm', at(29)), isBehind(stats, 'm', at(30)), isBehind(stats, 'n', at(1))]).toEqual(
      [true, false, false],
    )
    expect(stats).toMatchObject({ errorCount: 1, failureCounts: { server_error: 1 }, runs: {} })
    expect(stats).not.toHaveProperty('cooldownUntil')
    expect(stats).not.toHaveProperty('modelCooldowns')
  })

  test('for 30 s, doubling to 5 min, once per period', () => {
    let [stats, now] = [newUsageStats(), 0]
    for (const seconds of [30, 60, 120, 240, 300, 300]) {
      stats = broke(stats, now)
      // Many at once, as when an upstream is restarted.
      for (let count = 0; count < 5; count += 1) stats = broke(stats, now + 1)
      expect(isBehind(stats, 'm', at(now + seconds - 1))).toBe(true)
      now += seconds
      expect(isBehind(stats, 'm', at(now))).toBe(false)
    }
    expect(broke(stats, now).runs).toEqual({})
  })

  test('begins anew after a success of the model, a reset, and a day', () => {
    const twice = broke(broke(newUsageStats(), 0), 30)
    const fresh = [
      applySuccess(twice, { now: at(40), model: 'm' }),
      applyReset(twice),
      broke(twice, 90_000_000),
    ].map((stats) => stats.behind?.m?.count)
    expect(fresh).toEqual([undefined, undefined, 1])
    expect(applySuccess(twice, { now: at(40), model: 'n' }).behind).toEqual(twice.behind)
  })

  test('whose error states a reason has the effect of that besides', () => {
    const limited = broke(newUsageStats(), 0, { brokeOff: 'stated', reason: 'rate_limit' })
    expect(limited.modelCooldowns?.m?.reason).toBe('rate_limit')
    expect(isBehind(limited, 'm', at(1))).toBe(true)
    const run = [0, 30, 90].reduce(
      (stats, seconds) => broke(stats, seconds, { brokeOff: 'stated' }),
      newUsageStats(),
    )
    expect(run).toMatchObject({ cooldownReason: 'server_error' })
  })

  test('of a request that named no model', () => {
    const stats = broke(newUsageStats(), 0, { model: '' })
    expect([isBehind(stats, undefined, at(1)), isBehind(stats, 'm', at(1))]).toEqual([true, false])
  })

  test('from before a reset says nothing', () => {
    const stats = applyReset(newUsageStats())
    const context = { now: at(0), provider: 'openai', model: 'm', brokeOff: 'unstated' } as const
    expect(applyFailure(stats, 'server_error', { ...context, sent: { epoch: 0, generation: 0 } }).stats).toBe(
      stats,
    )
  })
})

test('a clock that was wrong keeps nobody behind', () => {
  expect(isBehind(broke(newUsageStats(), 3_600), 'm', at(0))).toBe(false)
})

test('made-up models do not make the record grow, and no name is special', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')), { maxLength: 400 }),
      (models) => {
        let stats = newUsageStats()
        for (const [index, model] of models.entries()) {
          expect(isBehind(newUsageStats(), model, at(index))).toBe(false)
          stats = withBehind(stats, model, { now: at(index), memoryMs: 1e9 })
          expect(isBehind(stats, model, at(index))).toBe(true)
        }
        expect(behindAt(stats, at(0)).length).toBeLessThanOrEqual(256)
        const { ['__proto__']: _unnameable, ...kept } = stats.behind ?? {}
        expect(usageFromJson(JSON.parse(JSON.stringify(usageToJson(stats)))).behind ?? {}).toEqual(kept)
      },
    ),
    { numRuns: 30 },
  )
})

test('a record can be read again whatever model was limited', () => {
  for (const model of ['__proto__', 'constructor', 'toString', 'm']) {
    const { stats } = applyFailure(newUsageStats(), 'rate_limit', { now: at(0), provider: 'openai', model })
    const read = usageFromJson(JSON.parse(JSON.stringify(usageToJson(stats))))
    expect(read.modelCooldowns).toEqual(model === '__proto__' ? undefined : stats.modelCooldowns)
  }
})
