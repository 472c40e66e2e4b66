import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ProfileStore } from '../domain/profile-store.js'
import {
  clearExpiredCooldowns,
  isAuthCooldownBypassedForProfile,
  isProfileInCooldown,
  markProfileFailure,
  resolveProfileUnusableUntil,
} from './failure.js'

const HOUR = 3_600_000
const NOW = new Date('2026-11-23T12:00:00Z')
const at = (ms: number): Date => new Date(NOW.getTime() + ms)
const ID = 'openai:work'

describe('markProfileFailure', () => {
  it('changes the live record', () => {
    const store = new ProfileStore()
    const stats = store.getUsageStats(ID)
    markProfileFailure(store, ID, 'billing', undefined, { now: NOW })
    expect(store.getUsageStats(ID)).toBe(stats)
    expect(stats).toMatchObject({ errorCount: 1, disabledUntil: at(5 * HOUR), disabledReason: 'billing' })
    markProfileFailure(store, ID, 'unknown', undefined, { now: at(5 * HOUR) })
    expect(stats).not.toHaveProperty('disabledUntil')
  })

  it("reads the provider's own settings", () => {
    const store = new ProfileStore()
    const config = { byProvider: { groq: { rateLimitSeconds: 300, billingBackoffHours: 1 } } }
    markProfileFailure(store, 'groq:a', 'rate_limit', config, { now: NOW })
    expect(resolveProfileUnusableUntil(store, 'groq:a', NOW)).toEqual(at(300_000))
    markProfileFailure(store, 'groq:a', 'billing', config, { now: NOW })
    expect(resolveProfileUnusableUntil(store, 'groq:a', NOW)).toEqual(at(HOUR))
    markProfileFailure(store, ID, 'rate_limit', config, { now: NOW })
    expect(resolveProfileUnusableUntil(store, ID, NOW)).toEqual(at(30_000))
  })

  it('passes on a stated wait and a model', () => {
    const store = new ProfileStore()
    markProfileFailure(store, ID, 'rate_limit', undefined, { now: NOW, retryAfterMs: 7, model: 'm' })
    expect(store.getUsageStats(ID).modelCooldowns).toEqual({
      m: { until: at(7), reason: 'rate_limit', stated: true },
    })
    expect(isProfileInCooldown(store, ID, NOW)).toBe(false)
  })

  it("takes the system's time by default", () => {
    const store = new ProfileStore()
    markProfileFailure(store, ID, 'rate_limit')
    expect(isProfileInCooldown(store, ID)).toBe(true)
    expect(clearExpiredCooldowns(store)).toBe(false)
  })
})

describe('resolveProfileUnusableUntil', () => {
  it('is the later of both windows, undefined when there is none', () => {
    const store = new ProfileStore()
    expect(resolveProfileUnusableUntil(store, ID, NOW)).toBeUndefined()
    expect(store.usageStats[ID]).toBeUndefined()
    Object.assign(store.getUsageStats(ID), { cooldownUntil: at(20), disabledUntil: at(10) })
    expect(resolveProfileUnusableUntil(store, ID, NOW)).toEqual(at(20))
    expect(resolveProfileUnusableUntil(store, ID, at(19))).toEqual(at(20))
    expect(resolveProfileUnusableUntil(store, ID, at(20))).toBeUndefined()
    expect([isProfileInCooldown(store, ID, at(19)), isProfileInCooldown(store, ID, at(20))]).toEqual([
      true,
      false,
    ])
  })

  it('trusts long disables that the settings allowed', () => {
    const store = new ProfileStore()
    const config = { billingBackoffHours: 48, billingMaxHours: 72 }
    markProfileFailure(store, ID, 'billing', config, { now: NOW })
    expect(resolveProfileUnusableUntil(store, ID, NOW)).toEqual(at(48 * HOUR))
    expect(resolveProfileUnusableUntil(store, ID, at(47 * HOUR))).toEqual(at(48 * HOUR))
  })

  it('cuts the windows of a clock that was years ahead, once', () => {
    const store = new ProfileStore()
    const wrong = new Date('2066-01-01T00:00:00Z')
    for (const reason of ['billing', 'rate_limit'] as const) {
      markProfileFailure(store, ID, reason, undefined, { now: wrong, retryAfterMs: HOUR })
    }
    const until = resolveProfileUnusableUntil(store, ID, NOW)
    expect(until).toEqual(at(24 * HOUR))
    expect(resolveProfileUnusableUntil(store, ID, at(HOUR))).toEqual(until)
    expect(isProfileInCooldown(store, ID, at(24 * HOUR))).toBe(false)
  })
})

describe('clearExpiredCooldowns', () => {
  it('tells whether anything changed', () => {
    const store = ProfileStore.fromJSON(readFileSync('test/vectors/devclaw/sample.store.json', 'utf8'))
    const stats = store.getUsageStats(ID)
    expect(clearExpiredCooldowns(store, new Date('2026-11-23T14:51:00Z'))).toBe(false)
    expect(clearExpiredCooldowns(store, new Date('2026-11-23T14:52:00Z'))).toBe(true)
    expect(stats).not.toHaveProperty('cooldownUntil')
    expect(stats).toHaveProperty('disabledUntil')
    expect(clearExpiredCooldowns(store, new Date('2026-11-25T00:00:00Z'))).toBe(true)
    expect(stats).toEqual({
      errorCount: 2,
      failureCounts: { billing: 1, rate_limit: 1 },
      lastFailureAt: new Date('2026-11-23T14:50:44.332Z'),
    })
    expect(clearExpiredCooldowns(store, new Date('2026-11-25T00:00:00Z'))).toBe(false)
  })

  it('resets no counter: the disable goes on growing', () => {
    const store = new ProfileStore()
    let now = 0
    const lengths = []
    for (let step = 0; step < 4; step += 1) {
      markProfileFailure(store, ID, 'billing', undefined, { now: at(now) })
      const until = resolveProfileUnusableUntil(store, ID, at(now))?.getTime() ?? 0
      lengths.push((until - at(now).getTime()) / HOUR)
      now = until - NOW.getTime()
      expect(clearExpiredCooldowns(store, at(now))).toBe(true)
    }
    expect(lengths).toEqual([5, 10, 20, 24])
  })
})

describe('OpenRouter', () => {
  const router = 'openrouter:default'

  it('bypasses auth windows alone', () => {
    const store = new ProfileStore()
    expect(isAuthCooldownBypassedForProfile(store, router)).toBe(true)
    expect(isAuthCooldownBypassedForProfile(store, ID)).toBe(false)
    for (const id of [router, ID]) {
      markProfileFailure(store, id, 'auth_permanent', undefined, { now: NOW })
      markProfileFailure(store, id, 'session_expired', undefined, { now: NOW })
    }
    expect(isProfileInCooldown(store, router, NOW)).toBe(false)
    expect(resolveProfileUnusableUntil(store, router, NOW)).toBeUndefined()
    expect(isProfileInCooldown(store, ID, NOW)).toBe(true)
    markProfileFailure(store, router, 'rate_limit', undefined, { now: NOW })
    expect(resolveProfileUnusableUntil(store, router, NOW)).toEqual(at(30_000))
    markProfileFailure(store, router, 'billing', undefined, { now: NOW })
    expect(resolveProfileUnusableUntil(store, router, NOW)).toEqual(at(5 * HOUR))
  })

  it('counts a cooldown without a reason as a rate limit', () => {
    const store = new ProfileStore()
    store.getUsageStats(router).cooldownUntil = at(10)
    expect(isProfileInCooldown(store, router, NOW)).toBe(true)
  })
})
