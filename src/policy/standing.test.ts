import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AUTH_MODES } from '../domain/profile.js'
import { FAILURE_REASONS, type ProfileUsageStats } from '../domain/usage.js'
import { modelWindow, type RenewalWait, type StandingFacts, standing } from './standing.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.parse('2026-11-23T12:00:00Z')
const NOW = new Date(START)
const at = (ms: number): Date => new Date(START + ms)

const facts: StandingFacts = {
  provider: 'openai',
  enabled: true,
  mode: 'api_key',
  hasCredential: true,
  renewable: false,
}
const oauth: StandingFacts = { ...facts, mode: 'oauth', renewable: true }

function windows(fields: Partial<ProfileUsageStats>): ProfileUsageStats {
  return { errorCount: 0, failureCounts: {}, ...fields }
}

const both = windows({
  cooldownUntil: at(HOUR),
  cooldownReason: 'rate_limit',
  disabledUntil: at(5 * HOUR),
  disabledReason: 'billing',
})

describe('state', () => {
  it('is available without windows', () => {
    expect(standing(facts, NOW)).toEqual({ state: 'available', expired: false })
  })

  it('is off when its owner switched it off, whatever else', () => {
    expect(standing({ ...facts, enabled: false, hasCredential: false, stats: both }, NOW)).toEqual({
      state: 'off',
      expired: false,
    })
  })

  it('is invalid without a credential, as an OAuth profile that was never logged in', () => {
    const profile = { ...oauth, hasCredential: false, renewable: false, stats: both }
    expect(standing(profile, NOW)).toEqual({ state: 'invalid', expired: false })
  })

  it('is available when an expired OAuth login can be renewed', () => {
    expect(standing({ ...oauth, expiresAt: START - HOUR }, NOW)).toEqual({
      state: 'available',
      expired: true,
    })
  })

  it('is expired when it cannot be renewed, before any window', () => {
    const expired = { state: 'expired', expired: true }
    expect(standing({ ...oauth, renewable: false, expiresAt: START, stats: both }, NOW)).toEqual(expired)
    expect(standing({ ...facts, mode: 'token', expiresAt: START }, NOW)).toEqual(expired)
    expect(standing({ ...facts, mode: 'token', renewable: true, expiresAt: START }, NOW)).toEqual(expired)
  })

  it('never expires with an API key', () => {
    expect(standing({ ...facts, expiresAt: START - 1 }, NOW)).toEqual({ state: 'available', expired: false })
  })

  it('expires 5 minutes early with OAuth, on time with a token', () => {
    const login = { ...oauth, expiresAt: START + 5 * MINUTE }
    expect(standing(login, at(-1))).toEqual({ state: 'available', expired: false, nextChangeAt: NOW })
    expect(standing(login, NOW)).toEqual({ state: 'available', expired: true })
    const token: StandingFacts = { ...facts, mode: 'token', expiresAt: START }
    expect(standing(token, at(-1))).toEqual({ state: 'available', expired: false, nextChangeAt: NOW })
  })

  it('is disabled before cooling, until the later end', () => {
    expect(standing({ ...facts, stats: both }, NOW)).toEqual({
      state: 'disabled',
      until: at(5 * HOUR),
      reason: 'billing',
      expired: false,
      nextChangeAt: at(HOUR),
    })
    const longPause = { ...both, cooldownUntil: at(9 * HOUR) }
    expect(standing({ ...facts, stats: longPause }, NOW)).toEqual({
      state: 'disabled',
      until: at(9 * HOUR),
      reason: 'billing',
      expired: false,
      nextChangeAt: at(5 * HOUR),
    })
    expect(standing({ ...facts, stats: longPause }, at(5 * HOUR))).toMatchObject({
      state: 'cooling',
      until: at(9 * HOUR),
      reason: 'rate_limit',
    })
  })

  it('is available again at the very end of its window', () => {
    const stats = windows({ cooldownUntil: at(10) })
    expect(standing({ ...facts, stats }, at(9))).toMatchObject({ state: 'cooling', reason: 'rate_limit' })
    expect(standing({ ...facts, stats }, at(10)).state).toBe('available')
  })
})

describe('a failed renewal', () => {
  const renewal = { servableUntil: START, from: START - HOUR, until: at(10), reason: 'server_error' as const }
  const expired = { ...oauth, expiresAt: START + MINUTE, renewal }

  it('sets a login aside while it waits, from when its token is worth nothing', () => {
    expect(standing(expired, at(-1))).toEqual({ state: 'available', expired: true, nextChangeAt: NOW })
    expect(standing(expired, NOW)).toEqual({
      state: 'cooling',
      until: at(10),
      reason: 'server_error',
      expired: true,
      nextChangeAt: at(10),
    })
    expect(standing(expired, at(10))).toEqual({ state: 'available', expired: true })
  })

  it('that is over before its token is worth nothing changes nothing', () => {
    const facts = { ...expired, renewal: { ...renewal, servableUntil: START + HOUR } }
    expect(standing(facts, NOW)).toEqual({ state: 'available', expired: true })
  })

  it('is not believed to wait longer than any does', () => {
    const facts = { ...expired, renewal: { ...renewal, from: START + 5 } }
    expect(standing(facts, NOW)).toEqual({ state: 'available', expired: true, nextChangeAt: at(5) })
    expect(standing(facts, at(5)).state).toBe('cooling')
  })

  it('and a window: the later end and its reason stand', () => {
    const stats = windows({ cooldownUntil: at(20), cooldownReason: 'rate_limit' })
    expect(standing({ ...expired, stats }, NOW)).toMatchObject({
      state: 'cooling',
      until: at(20),
      reason: 'rate_limit',
      nextChangeAt: at(10),
    })
  })

  it('says nothing of a login that can never be renewed', () => {
    expect(standing({ ...expired, renewable: false }, NOW).state).toBe('expired')
  })
})

describe('an account', () => {
  it('sets aside all its profiles: the later of both windows stands', () => {
    const own = windows({ cooldownUntil: at(10), cooldownReason: 'session_expired' })
    const shared = windows({ cooldownUntil: at(20), cooldownReason: 'rate_limit' })
    const expected = { state: 'cooling', until: at(20), reason: 'rate_limit', nextChangeAt: at(10) }
    expect(standing({ ...facts, stats: own, accountStats: shared }, NOW)).toMatchObject(expected)
    expect(standing({ ...facts, stats: shared, accountStats: own }, NOW)).toMatchObject(expected)
    expect(standing({ ...facts, accountStats: both }, NOW).state).toBe('disabled')
  })
})

describe('OpenRouter', () => {
  const router = { ...facts, provider: 'openrouter' }

  it.each(['auth', 'auth_permanent', 'session_expired'] as const)('passes over windows of %s', (reason) => {
    const stats = windows({
      cooldownUntil: at(10),
      cooldownReason: reason,
      disabledUntil: at(20),
      disabledReason: reason,
    })
    expect(standing({ ...router, stats }, NOW)).toEqual({ state: 'available', expired: false })
    expect(standing({ ...facts, stats }, NOW).state).toBe('disabled')
  })

  it('is held by rate limits and billing, and by windows without a reason', () => {
    expect(standing({ ...router, stats: both }, NOW).state).toBe('disabled')
    expect(standing({ ...router, stats: windows({ cooldownUntil: at(1) }) }, NOW).state).toBe('cooling')
    expect(standing({ ...router, stats: windows({ disabledUntil: at(1) }) }, NOW).state).toBe('disabled')
  })
})

describe('modelWindow', () => {
  const own = windows({ modelCooldowns: { m: { until: at(10), reason: 'overloaded' } } })
  const shared = windows({ modelCooldowns: { m: { until: at(20), reason: 'rate_limit', stated: true } } })

  it('is the later of both', () => {
    expect(modelWindow(own, shared, 'm', NOW)).toEqual({ until: at(20), reason: 'rate_limit' })
    expect(modelWindow(shared, own, 'm', NOW)).toEqual({ until: at(20), reason: 'rate_limit' })
    expect(modelWindow(own, undefined, 'm', NOW)).toEqual({ until: at(10), reason: 'overloaded' })
  })

  it('is none for other models, after its end, or for inherited names', () => {
    expect(modelWindow(own, shared, 'n', NOW)).toBeUndefined()
    expect(modelWindow(own, shared, 'm', at(20))).toBeUndefined()
    expect(modelWindow(own, undefined, 'constructor', NOW)).toBeUndefined()
    expect(modelWindow(undefined, undefined, 'm', NOW)).toBeUndefined()
  })
})

const offset = fc.integer({ min: -5, max: 5 })
const instant = offset.map(at)
const reason = fc.constantFrom(...FAILURE_REASONS)
const someWindows: fc.Arbitrary<ProfileUsageStats> = fc
  .record(
    { cooldownUntil: instant, cooldownReason: reason, disabledUntil: instant, disabledReason: reason },
    { requiredKeys: [] },
  )
  .map(windows)
const someRenewal: fc.Arbitrary<RenewalWait> = fc.record({
  servableUntil: offset.map((ms) => START + ms),
  from: offset.map((ms) => START + ms),
  until: instant,
  reason,
})
const anyFacts: fc.Arbitrary<StandingFacts> = fc.record(
  {
    provider: fc.constantFrom('openai', 'openrouter'),
    enabled: fc.boolean(),
    mode: fc.constantFrom(...AUTH_MODES),
    hasCredential: fc.boolean(),
    renewable: fc.boolean(),
    renewal: someRenewal,
    expiresAt: fc
      .oneof(
        offset,
        offset.map((ms) => ms + 5 * MINUTE),
      )
      .map((ms) => START + ms),
    stats: someWindows,
    accountStats: someWindows,
  },
  { requiredKeys: ['provider', 'enabled', 'mode', 'hasCredential', 'renewable'] },
)

it('does not change before nextChangeAt', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      for (let ms = -6; ms < 6; ms += 1) {
        const { nextChangeAt, ...now } = standing(given, at(ms))
        if (nextChangeAt !== undefined) expect(nextChangeAt.getTime()).toBeGreaterThan(START + ms)
        const { nextChangeAt: _next, ...then } = standing(given, at(ms + 1))
        if (nextChangeAt === undefined || nextChangeAt > at(ms + 1)) expect(then).toEqual(now)
      }
    }),
    { numRuns: 1000 },
  )
})
