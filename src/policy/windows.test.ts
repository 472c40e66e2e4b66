import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FAILURE_REASONS, type ProfileUsageStats } from '../domain/usage.js'
import {
  COOLDOWN,
  clampWindows,
  clampWithoutConfig,
  clearExpiredWindows,
  DISABLE,
  instantAfter,
  readWindow,
  type WindowSlot,
} from './windows.js'

const SECOND = 1000
const HOUR = 3_600_000
const NOW = new Date('2026-11-23T12:00:00Z')
const FAR = new Date('2099-01-01T00:00:00Z')

const empty: ProfileUsageStats = { errorCount: 0, failureCounts: {} }
const limits = { provider: 'openai' }

function ahead(time: Date | undefined): number | undefined {
  return time && time.getTime() - NOW.getTime()
}

describe('clampWindows', () => {
  it.each([
    ['rate_limit', undefined, 30 * SECOND],
    ['session_expired', undefined, 30 * SECOND],
    ['timeout', undefined, 30 * SECOND],
    ['server_error', undefined, 30 * SECOND],
    ['overloaded', undefined, 60 * SECOND],
    ['overloaded', true, 24 * HOUR],
    ['rate_limit', true, 24 * HOUR],
    [undefined, undefined, 24 * HOUR],
  ] as const)('cuts a cooldown of %s (stated: %s) to %d ms', (cooldownReason, cooldownStated, longest) => {
    const stats: ProfileUsageStats = { ...empty, cooldownUntil: FAR }
    if (cooldownReason !== undefined) stats.cooldownReason = cooldownReason
    if (cooldownStated !== undefined) stats.cooldownStated = cooldownStated
    expect(ahead(clampWindows(stats, NOW, limits).cooldownUntil)).toBe(longest)
  })

  it.each([
    ['rate_limit', undefined, 30 * SECOND],
    ['overloaded', undefined, 60 * SECOND],
    ['model_not_found', undefined, 12 * HOUR],
    ['model_not_found', true, 24 * HOUR],
  ] as const)('cuts a model window of %s (stated: %s) to %d ms', (reason, stated, longest) => {
    const window = { until: FAR, reason, ...(stated ? { stated } : {}) }
    const clamped = clampWindows({ ...empty, modelCooldowns: { m: window } }, NOW, limits)
    expect(ahead(clamped.modelCooldowns?.m?.until)).toBe(longest)
  })

  it('cuts by the settings, those of the provider first', () => {
    const config = {
      rateLimitSeconds: 100,
      billingMaxHours: 2,
      billingBackoffHours: 1,
      byProvider: { groq: { rateLimitSeconds: 10, billingBackoffHours: 3 } },
    }
    const stats: ProfileUsageStats = {
      ...empty,
      cooldownUntil: FAR,
      cooldownReason: 'rate_limit',
      disabledUntil: FAR,
    }
    const clamped = (provider: string) => {
      const { cooldownUntil, disabledUntil } = clampWindows(stats, NOW, { provider, config })
      return [ahead(cooldownUntil), ahead(disabledUntil)]
    }
    expect(clamped('openai')).toEqual([100 * SECOND, 2 * HOUR])
    expect(clamped('groq')).toEqual([10 * SECOND, 3 * HOUR])
  })

  it('gives back the same object when nothing is too far ahead', () => {
    const stats = {
      ...empty,
      cooldownUntil: instantAfter(NOW, 5 * HOUR),
      disabledUntil: instantAfter(NOW, 24 * HOUR),
    }
    expect(clampWindows(stats, NOW, limits)).toBe(stats)
  })
})

describe('clampWithoutConfig', () => {
  it('leaves a window as long as it was opened by settings it does not know', () => {
    const stats: ProfileUsageStats = {
      ...empty,
      disabledUntil: instantAfter(NOW, 72 * HOUR),
      disabledReason: 'billing',
      lastFailureAt: NOW,
    }
    expect(clampWithoutConfig(stats, NOW)).toBe(stats)
    expect(clampWithoutConfig(stats, instantAfter(NOW, 71 * HOUR))).toBe(stats)
  })

  it('cuts what a clock far ahead has left', () => {
    const stats = {
      ...empty,
      disabledUntil: instantAfter(FAR, 5 * HOUR),
      lastFailureAt: FAR,
      cooldownUntil: FAR,
    }
    const { disabledUntil, cooldownUntil } = clampWithoutConfig(stats, NOW)
    expect([ahead(disabledUntil), ahead(cooldownUntil)]).toEqual([24 * HOUR, 24 * HOUR])
    expect(ahead(clampWithoutConfig({ ...empty, disabledUntil: FAR }, NOW).disabledUntil)).toBe(24 * HOUR)
  })
})

describe('clearExpiredWindows', () => {
  it('removes each window at its end, not before, and nothing else', () => {
    const until = instantAfter(NOW, 10)
    const stats: ProfileUsageStats = {
      errorCount: 3,
      failureCounts: { billing: 3 },
      cooldownUntil: until,
      cooldownReason: 'rate_limit',
      cooldownStated: true,
      disabledUntil: until,
      disabledReason: 'billing',
      disabledStated: true,
      modelCooldowns: { m: { until, reason: 'rate_limit' } },
      runs: { billing: { count: 3, lastAt: NOW } },
    }
    expect(clearExpiredWindows(stats, instantAfter(NOW, 9))).toBe(stats)
    const { errorCount, failureCounts, runs } = stats
    expect(clearExpiredWindows(stats, until)).toEqual({ errorCount, failureCounts, runs })
  })

  it('keeps the open windows of other models', () => {
    const open = { until: instantAfter(NOW, 1), reason: 'rate_limit' as const }
    const stats = { ...empty, modelCooldowns: { ended: { until: NOW, reason: 'rate_limit' as const }, open } }
    expect(clearExpiredWindows(stats, NOW).modelCooldowns).toEqual({ open })
  })
})

it('a record full of model windows is cleaned in one go', () => {
  const models = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, index) => [
      `m${index}`,
      { until: index === 7 ? FAR : NOW, reason: 'rate_limit' as const },
    ]),
  )
  const cleared = clearExpiredWindows({ ...empty, modelCooldowns: models }, NOW)
  expect(Object.keys(clampWindows(cleared, NOW, limits).modelCooldowns ?? {})).toEqual(['m7'])
})

it('instantAfter never leaves the range of dates', () => {
  expect(instantAfter(NOW, 1e300).getTime()).toBe(8.64e15)
  expect(instantAfter(NOW, Number.POSITIVE_INFINITY).getTime()).toBe(8.64e15)
})

const instant = fc.date({ noInvalidDate: true })
const reason = fc.constantFrom(...FAILURE_REASONS)
const stats: fc.Arbitrary<ProfileUsageStats> = fc.record(
  {
    cooldownUntil: instant,
    cooldownReason: reason,
    cooldownStated: fc.boolean(),
    disabledUntil: instant,
    disabledReason: reason,
    disabledStated: fc.boolean(),
    errorCount: fc.nat(),
    failureCounts: fc.constant({}),
    lastFailureAt: instant,
    modelCooldowns: fc.dictionary(
      fc.string(),
      fc.record({ until: instant, reason, stated: fc.boolean() }, { requiredKeys: ['until', 'reason'] }),
      { noNullPrototype: true },
    ),
  },
  { requiredKeys: ['errorCount', 'failureCounts'] },
)

describe('clamping', () => {
  it('never extends a window, never closes an open one, and leaves none more than 24 h ahead', () => {
    const now = fc.date({ min: new Date(0), max: FAR, noInvalidDate: true })
    fc.assert(
      fc.property(stats, now, (before, time) => {
        const clamped = clampWindows(before, time, limits)
        const models = Object.keys(before.modelCooldowns ?? {})
        expect(new Set(Object.keys(clamped.modelCooldowns ?? {}))).toEqual(new Set(models))
        const slots = [COOLDOWN, DISABLE, ...models.map((model): WindowSlot => ({ kind: 'model', model }))]
        for (const slot of slots) {
          const old = readWindow(before, slot)?.until.getTime() ?? Number.NEGATIVE_INFINITY
          const fresh = readWindow(clamped, slot)?.until.getTime() ?? Number.NEGATIVE_INFINITY
          expect(fresh).toBeLessThanOrEqual(old)
          expect(fresh > time.getTime()).toBe(old > time.getTime())
          expect(fresh).toBeLessThanOrEqual(time.getTime() + 24 * HOUR)
        }
        expect(clampWindows(clamped, time, limits)).toBe(clamped)
      }),
      { numRuns: 500 },
    )
  })
})
