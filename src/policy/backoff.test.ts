import { describe, expect, it } from 'vitest'
import { backoffMs, doubled } from './backoff.js'

const bounds = { baseMs: 5000, maxMs: 60_000 }

describe('backoffMs', () => {
  it('doubles from the base to the cap', () => {
    const waits = [1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(attempt, bounds))
    expect(waits).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it('spreads over the upper half with randomness', () => {
    expect(backoffMs(1, { ...bounds, random: () => 0 })).toBe(2500)
    expect(backoffMs(1, { ...bounds, random: () => 0.5 })).toBe(3750)
    expect(backoffMs(99, { ...bounds, random: () => 0.999999 })).toBeLessThanOrEqual(60_000)
  })

  it.each([0, -3, Number.NaN, 0.5])('counts attempt %s as the first', (attempt) => {
    expect(backoffMs(attempt, bounds)).toBe(5000)
  })
})

it('doubled does not overflow', () => {
  expect(doubled(5, 1e9, 24)).toBe(24)
  expect(doubled(5, Number.POSITIVE_INFINITY, 24)).toBe(24)
  expect(doubled(5, Number.MAX_SAFE_INTEGER, 24)).toBe(24)
})
