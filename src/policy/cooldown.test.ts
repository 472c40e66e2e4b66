import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  calculateBillingDisable,
  calculateRateLimitCooldown,
  failureWindowMs,
  longestDisableMs,
  statedWaitMs,
} from './cooldown.js'

const HOUR = 3_600_000

describe('calculateRateLimitCooldown', () => {
  it.each([
    [undefined, 30_000],
    [{}, 30_000],
    [{ rateLimitSeconds: 10 }, 10_000],
    [{ rateLimitSeconds: 0 }, 30_000],
    [{ rateLimitSeconds: -1 }, 30_000],
    [{ rateLimitSeconds: Number.NaN }, 30_000],
    [{ rateLimitSeconds: Number.POSITIVE_INFINITY }, 30_000],
  ])('of %o is %d ms', (config, expected) => {
    expect(calculateRateLimitCooldown(config)).toBe(expected)
  })

  it("honours a provider's own setting, and falls back when it has none", () => {
    const config = { rateLimitSeconds: 20, byProvider: { groq: { rateLimitSeconds: 10 }, xai: {} } }
    expect(calculateRateLimitCooldown(config, 'groq')).toBe(10_000)
    expect(calculateRateLimitCooldown(config, 'GROQ')).toBe(10_000)
    expect(calculateRateLimitCooldown(config, 'xai')).toBe(20_000)
    expect(calculateRateLimitCooldown(config, 'openai')).toBe(20_000)
    expect(calculateRateLimitCooldown(config, 'constructor')).toBe(20_000)
    expect(calculateRateLimitCooldown({ byProvider: { groq: { rateLimitSeconds: 0 } } }, 'groq')).toBe(30_000)
  })
})

describe('calculateBillingDisable', () => {
  it('doubles from 5 h to 24 h', () => {
    const hours = [1, 2, 3, 4, 5].map((n) => calculateBillingDisable(n) / HOUR)
    expect(hours).toEqual([5, 10, 20, 24, 24])
  })

  it.each([0, -1, Number.NaN])('counts %s as 1', (n) => {
    expect(calculateBillingDisable(n)).toBe(5 * HOUR)
  })

  it.each([1e9, Number.MAX_VALUE, Number.POSITIVE_INFINITY])('does not overflow for %s', (n) => {
    expect(calculateBillingDisable(n)).toBe(24 * HOUR)
  })

  it('takes base and cap from the settings, the base from a provider of its own too', () => {
    const config = {
      billingBackoffHours: 1,
      billingMaxHours: 3,
      byProvider: { openai: { billingBackoffHours: 2 } },
    }
    expect([1, 2, 3].map((n) => calculateBillingDisable(n, config) / HOUR)).toEqual([1, 2, 3])
    expect([1, 2].map((n) => calculateBillingDisable(n, config, 'openai') / HOUR)).toEqual([2, 3])
    expect(calculateBillingDisable(1, { billingBackoffHours: 48 })).toBe(24 * HOUR)
  })

  it('never falls and never passes the longest disable', () => {
    const hours = fc.option(fc.double({ min: -1, max: 1000, noNaN: true }), { nil: undefined })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), hours, hours, (n, base, max) => {
        const config = {
          ...(base === undefined ? {} : { billingBackoffHours: base }),
          ...(max === undefined ? {} : { billingMaxHours: max }),
        }
        const wait = calculateBillingDisable(n, config)
        expect(wait).toBeGreaterThan(0)
        expect(wait).toBeLessThanOrEqual(calculateBillingDisable(n + 1, config))
        expect(wait).toBeLessThanOrEqual(longestDisableMs(config, 'openai'))
      }),
    )
  })
})

it('statedWaitMs ignores what is no wait and believes at most 24 h', () => {
  expect([1, 20_000, 24 * HOUR].map((ms) => statedWaitMs(ms))).toEqual([1, 20_000, 24 * HOUR])
  expect(statedWaitMs(24 * HOUR + 1)).toBe(24 * HOUR)
  expect(statedWaitMs(Number.MAX_VALUE)).toBe(24 * HOUR)
  for (const nonsense of [undefined, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(statedWaitMs(nonsense)).toBeUndefined()
  }
})

it('failureWindowMs is 24 h unless set', () => {
  expect(failureWindowMs(undefined)).toBe(24 * HOUR)
  expect(failureWindowMs({ failureWindowHours: 2 })).toBe(2 * HOUR)
  expect(failureWindowMs({ failureWindowHours: -2 })).toBe(24 * HOUR)
})
