import { describe, expect, it } from 'vitest'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import {
  FAILURE_REASONS,
  type FailureReason,
  newUsageStats,
  type ProfileCooldownConfig,
  type ProfileUsageStats,
} from '../domain/usage.js'
import { applyFailure, applyReset, applySuccess, type FailureContext } from './failure.js'
import { clearExpiredWindows } from './windows.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const START = Date.parse('2026-11-23T12:00:00Z')

const at = (ms: number): Date => new Date(START + ms)
const ms = (time: Date | undefined): number | undefined => time && time.getTime() - START

/** A profile in use: failures, successes and resets at times after the start, in milliseconds. */
class Use {
  stats: ProfileUsageStats = newUsageStats()
  readonly context: Omit<FailureContext, 'now'>

  constructor(config?: ProfileCooldownConfig, provider = 'openai') {
    this.context = { provider, config }
  }

  fail(reason: FailureReason, time: number, details: Partial<FailureContext> = {}): string {
    const outcome = applyFailure(this.stats, reason, { ...this.context, ...details, now: at(time) })
    this.stats = outcome.stats
    return outcome.scope
  }

  succeed(time: number, model?: string): void {
    this.stats = applySuccess(this.stats, { now: at(time), model })
  }

  get cooldown(): number | undefined {
    return ms(this.stats.cooldownUntil)
  }

  get disable(): number | undefined {
    return ms(this.stats.disabledUntil)
  }

  model(name: string): number | undefined {
    return ms(this.stats.modelCooldowns?.[name]?.until)
  }
}

describe('every report', () => {
  it('counts in the totals, inside windows too', () => {
    const use = new Use()
    for (const time of [0, 1, 2]) use.fail('billing', time)
    use.fail('format', 3)
    expect(use.stats).toMatchObject({
      errorCount: 4,
      failureCounts: { billing: 3, format: 1 },
      lastFailureAt: at(3),
    })
  })

  it('is forgotten when the last one is older than the failure window', () => {
    const use = new Use({ failureWindowHours: 2 })
    use.fail('unknown', 0)
    use.fail('unknown', 2 * HOUR)
    expect(use.stats.errorCount).toBe(2)
    use.fail('timeout', 4 * HOUR + 1)
    expect(use.stats).toMatchObject({ errorCount: 1, failureCounts: { timeout: 1 } })
    expect(use.stats.failureCounts).not.toHaveProperty('unknown')
  })

  it('leaves the statistics that it was given alone', () => {
    const stats = usageFromJson({
      error_count: 1,
      failure_counts: { billing: 1 },
      model_cooldowns: { m: { until: '2030-01-01T00:00:00Z', reason: 'rate_limit' } },
      runs: { billing: { count: 1, last_at: '2026-11-23T11:00:00Z' } },
    })
    const before = structuredClone(stats)
    for (const reason of FAILURE_REASONS) {
      applyFailure(stats, reason, { now: at(0), provider: 'openai', model: 'm' })
    }
    applySuccess(stats, { now: at(0), model: 'm' })
    applyReset(stats)
    clearExpiredWindows(stats, at(1e12))
    expect(stats).toEqual(before)
  })

  it('of a reason nobody knows is unknown', () => {
    const use = new Use()
    use.fail('__proto__' as FailureReason, 0)
    expect(use.stats.failureCounts).toEqual({ unknown: 1 })
  })
})

describe('scope', () => {
  it.each([
    ['format', undefined, 'request'],
    ['context_overflow', 'm', 'request'],
    ['rate_limit', undefined, 'credential'],
    ['rate_limit', 'm', 'model'],
    ['model_not_found', undefined, 'model'],
    ['model_not_found', 'm', 'model'],
    ['overloaded', 'm', 'provider'],
    ['server_error', 'm', 'provider'],
    ['timeout', undefined, 'provider'],
    ['auth', 'm', 'credential'],
    ['auth_permanent', undefined, 'credential'],
    ['billing', 'm', 'credential'],
    ['session_expired', 'm', 'credential'],
    ['unknown', 'm', 'credential'],
  ] as const)('of %s with model %s is %s', (reason, model, scope) => {
    expect(new Use().fail(reason, 0, { model })).toBe(scope)
  })
})

describe('rate_limit', () => {
  it('pauses the profile for 30 s, or as long as configured, by provider too', () => {
    const config = { rateLimitSeconds: 20, byProvider: { groq: { rateLimitSeconds: 10 } } }
    for (const [settings, provider, seconds] of [
      [undefined, 'openai', 30],
      [config, 'openai', 20],
      [config, 'groq', 10],
    ] as const) {
      const use = new Use(settings, provider)
      use.fail('rate_limit', 0)
      expect(use.cooldown).toBe(seconds * SECOND)
      expect(use.stats).toMatchObject({ cooldownReason: 'rate_limit' })
      expect(use.stats).not.toHaveProperty('cooldownStated')
    }
  })

  it('pauses until the stated time, 24 h at most', () => {
    const use = new Use()
    use.fail('rate_limit', 0, { retryAfterMs: 90 * SECOND })
    expect(use.cooldown).toBe(90 * SECOND)
    expect(use.stats.cooldownStated).toBe(true)
    const greedy = new Use()
    greedy.fail('rate_limit', 0, { retryAfterMs: 1e15 })
    expect(greedy.cooldown).toBe(24 * HOUR)
  })

  it.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY])('ignores a stated wait of %s', (retryAfterMs) => {
    const use = new Use()
    use.fail('rate_limit', 0, { retryAfterMs })
    expect(use.cooldown).toBe(30 * SECOND)
    expect(use.stats.cooldownStated).toBeUndefined()
  })

  it('pauses the model alone when it is known', () => {
    const use = new Use()
    use.fail('rate_limit', 0, { model: 'gpt-4o', retryAfterMs: 5 * SECOND })
    expect([use.cooldown, use.model('gpt-4o'), use.model('gpt-4')]).toEqual([
      undefined,
      5 * SECOND,
      undefined,
    ])
    expect(use.stats.modelCooldowns?.['gpt-4o']).toEqual({
      until: at(5 * SECOND),
      reason: 'rate_limit',
      stated: true,
    })
  })

  it('is neither extended nor shortened by our own estimate', () => {
    const use = new Use()
    use.fail('rate_limit', 0)
    use.fail('rate_limit', 29 * SECOND)
    use.fail('session_expired', 29 * SECOND)
    expect(use.cooldown).toBe(30 * SECOND)
    use.fail('rate_limit', 30 * SECOND)
    expect(use.cooldown).toBe(60 * SECOND)
  })

  it('takes a stated time instead of our own estimate, a shorter one too', () => {
    const use = new Use()
    use.fail('rate_limit', 0)
    use.fail('rate_limit', 1 * SECOND, { retryAfterMs: 2 * SECOND })
    expect(use.cooldown).toBe(3 * SECOND)
    const other = new Use()
    other.fail('rate_limit', 0)
    other.fail('rate_limit', 0, { retryAfterMs: 2 * HOUR })
    expect(other.cooldown).toBe(2 * HOUR)
  })

  it('keeps the later of two stated times, against our own estimate too', () => {
    const use = new Use()
    use.fail('rate_limit', 0, { retryAfterMs: 10 * SECOND })
    use.fail('rate_limit', 1 * SECOND, { retryAfterMs: 2 * SECOND })
    use.fail('rate_limit', 2 * SECOND)
    expect(use.cooldown).toBe(10 * SECOND)
    use.fail('rate_limit', 3 * SECOND, { retryAfterMs: 20 * SECOND })
    expect(use.cooldown).toBe(23 * SECOND)
  })
})

describe('session_expired', () => {
  it('pauses for 30 s whatever is configured for rate limits, or until the stated time', () => {
    const use = new Use({ rateLimitSeconds: 300 })
    use.fail('session_expired', 0)
    expect([use.cooldown, use.stats.cooldownReason]).toEqual([30 * SECOND, 'session_expired'])
    use.fail('session_expired', 0, { retryAfterMs: MINUTE })
    expect(use.cooldown).toBe(MINUTE)
  })
})

describe.each(['billing', 'auth_permanent'] as const)('%s', (reason) => {
  it('disables for 5, 10, 20, 24, 24 hours, one step per window', () => {
    const use = new Use()
    const lengths = []
    let now = 0
    for (let step = 0; step < 5; step += 1) {
      use.fail(reason, now)
      use.fail(reason, now + 1)
      lengths.push(((use.disable ?? 0) - now) / HOUR)
      now = use.disable ?? 0
    }
    expect(lengths).toEqual([5, 10, 20, 24, 24])
    expect(use.stats).toMatchObject({ disabledReason: reason, errorCount: 10 })
  })

  it('goes on growing after an expired disable was cleared: clearing resets no counter', () => {
    const use = new Use()
    use.fail(reason, 0)
    use.stats = clearExpiredWindows(use.stats, at(5 * HOUR))
    expect(use.stats).not.toHaveProperty('disabledUntil')
    expect(use.stats).toMatchObject({ errorCount: 1, failureCounts: { [reason]: 1 } })
    use.fail(reason, 5 * HOUR)
    expect(use.disable).toBe(15 * HOUR)
  })

  it('counts its own failures alone in the exponent', () => {
    const use = new Use()
    for (const other of FAILURE_REASONS) {
      if (other !== reason && other !== 'billing' && other !== 'auth_permanent') use.fail(other, 0)
    }
    use.fail(reason, 1)
    expect(use.disable).toBe(1 + 5 * HOUR)
  })

  it('starts anew after the failure window, and after a success', () => {
    const use = new Use()
    use.fail(reason, 0)
    use.fail(reason, 24 * HOUR + 1)
    expect(use.disable).toBe(29 * HOUR + 1)
    use.fail(reason, 29 * HOUR + 1)
    expect(use.disable).toBe(39 * HOUR + 1)
    use.succeed(30 * HOUR)
    expect(use.disable).toBeUndefined()
    use.fail(reason, 30 * HOUR)
    expect(use.disable).toBe(35 * HOUR)
  })

  it("goes by the original's counts where there are no runs", () => {
    const use = new Use()
    const last = at(-6 * HOUR)
    use.stats = { errorCount: 9, failureCounts: { [reason]: 2, timeout: 7 }, lastFailureAt: last }
    use.fail(reason, 0)
    expect(use.disable).toBe(20 * HOUR)
    const forgotten = new Use()
    forgotten.stats = { errorCount: 9, failureCounts: { [reason]: 2 }, lastFailureAt: at(-25 * HOUR) }
    forgotten.fail(reason, 0)
    expect(forgotten.disable).toBe(5 * HOUR)
  })

  it("does not go by the original's counts once a success ended the run, stored and read again", () => {
    const use = new Use()
    use.stats = { errorCount: 2, failureCounts: { [reason]: 2 }, lastFailureAt: at(-6 * HOUR) }
    use.succeed(-1)
    use.stats = usageFromJson(usageToJson(use.stats))
    use.fail(reason, 0)
    expect(use.disable).toBe(5 * HOUR)
    expect(use.stats.failureCounts[reason]).toBe(3)
  })

  it("honours a provider's own backoff", () => {
    const config = { byProvider: { openai: { billingBackoffHours: 1 } } }
    const use = new Use(config)
    use.fail(reason, 0)
    expect(use.disable).toBe(HOUR)
    const other = new Use(config, 'groq')
    other.fail(reason, 0)
    expect(other.disable).toBe(5 * HOUR)
  })

  it('takes a stated time and still counts', () => {
    const use = new Use()
    use.fail(reason, 0, { retryAfterMs: HOUR })
    expect([use.disable, use.stats.disabledStated]).toEqual([HOUR, true])
    use.fail(reason, HOUR)
    expect(use.disable).toBe(11 * HOUR)
    expect(use.stats).not.toHaveProperty('disabledStated')
  })
})

describe('auth', () => {
  it('is tracked twice and permanent the third time in a row', () => {
    const use = new Use()
    use.fail('auth', 0)
    use.fail('auth', 1, { retryAfterMs: MINUTE })
    expect([use.disable, use.cooldown]).toEqual([undefined, undefined])
    use.fail('auth', 2, { retryAfterMs: MINUTE })
    expect(use.disable).toBe(2 + 5 * HOUR)
    expect(use.stats).toMatchObject({ disabledReason: 'auth_permanent', failureCounts: { auth: 3 } })
  })

  it('escalates with each further one outside the window', () => {
    const use = new Use()
    for (const time of [0, 1, 2, 3, 4]) use.fail('auth', time)
    expect(use.disable).toBe(2 + 5 * HOUR)
    use.fail('auth', 6 * HOUR)
    expect(use.disable).toBe(16 * HOUR)
  })

  it('is broken by a success, not by other failures', () => {
    const use = new Use()
    use.fail('auth', 0)
    use.fail('auth', 1)
    use.succeed(2)
    use.fail('auth', 3)
    use.fail('timeout', 4)
    use.fail('rate_limit', 5)
    use.fail('auth', 6)
    expect(use.disable).toBeUndefined()
    use.fail('auth', 7)
    expect(use.disable).toBe(7 + 5 * HOUR)
  })

  it('has an exponent of its own, which billing does not raise', () => {
    const use = new Use()
    use.fail('billing', 0)
    use.fail('billing', 5 * HOUR)
    for (const step of [0, 1, 2]) use.fail('auth', 15 * HOUR + step)
    expect(use.disable).toBe(20 * HOUR + 2)
  })
})

describe('timeout and server_error', () => {
  it('are one class: the third in a row pauses for 30 s', () => {
    const use = new Use({ rateLimitSeconds: 5 })
    use.fail('timeout', 0)
    use.fail('server_error', 1)
    expect(use.cooldown).toBeUndefined()
    use.fail('timeout', 2)
    expect([use.cooldown, use.stats.cooldownReason]).toEqual([2 + 30 * SECOND, 'timeout'])
    use.fail('server_error', 3)
    expect(use.cooldown).toBe(2 + 30 * SECOND)
  })

  it('pause again at once after the window, until a success', () => {
    const use = new Use()
    for (const time of [0, 1, 2]) use.fail('server_error', time)
    use.fail('server_error', MINUTE)
    expect(use.cooldown).toBe(MINUTE + 30 * SECOND)
    use.succeed(2 * MINUTE)
    use.fail('server_error', 3 * MINUTE)
    expect(use.cooldown).toBeUndefined()
  })

  it('do not count inside a pause for another reason', () => {
    const use = new Use()
    use.fail('rate_limit', 0)
    for (const time of [1, 2, 3]) use.fail('timeout', time)
    use.fail('timeout', MINUTE)
    expect(use.cooldown).toBeUndefined()
  })
})

describe('overloaded', () => {
  it('pauses the model from 5 s doubling to 60 s', () => {
    const use = new Use()
    const lengths = []
    let now = 0
    for (let step = 0; step < 6; step += 1) {
      use.fail('overloaded', now, { model: 'm' })
      use.fail('overloaded', now + 1, { model: 'm' })
      lengths.push(((use.model('m') ?? 0) - now) / SECOND)
      now = use.model('m') ?? 0
    }
    expect(lengths).toEqual([5, 10, 20, 40, 60, 60])
    expect(use.cooldown).toBeUndefined()
  })

  it('pauses the profile when the model is unknown, with jitter', () => {
    const use = new Use()
    use.fail('overloaded', 0, { random: () => 0 })
    expect([use.cooldown, use.stats.cooldownReason]).toEqual([2500, 'overloaded'])
    const empty = new Use()
    empty.fail('overloaded', 0, { model: '' })
    expect(empty.cooldown).toBe(5 * SECOND)
  })
})

describe('model_not_found', () => {
  it('sets the model aside for 12 h, and nothing when there is none', () => {
    const use = new Use()
    use.fail('model_not_found', 0, { model: 'gpt-9' })
    use.fail('model_not_found', 1)
    expect([use.model('gpt-9'), use.cooldown, use.disable]).toEqual([12 * HOUR, undefined, undefined])
    expect(Object.keys(use.stats.modelCooldowns ?? {})).toEqual(['gpt-9'])
  })

  it('keeps names that objects inherit apart', () => {
    const use = new Use()
    for (const model of ['__proto__', 'constructor', 'toString']) use.fail('model_not_found', 0, { model })
    expect(Object.keys(use.stats.modelCooldowns ?? {})).toEqual(['__proto__', 'constructor', 'toString'])
    use.succeed(1, '__proto__')
    expect(Object.keys(use.stats.modelCooldowns ?? {})).toEqual(['constructor', 'toString'])
    expect({}).not.toHaveProperty('until')
  })

  it('does not let made-up names grow the record for ever', () => {
    const use = new Use()
    use.fail('rate_limit', 0, { model: 'real', retryAfterMs: 23 * HOUR })
    for (let index = 0; index < 1000; index += 1) use.fail('model_not_found', index, { model: `m${index}` })
    use.fail('model_not_found', 1000, { model: 'x'.repeat(10_000_000) })
    const kept = Object.keys(use.stats.modelCooldowns ?? {})
    expect(kept).toHaveLength(256)
    expect(kept).toContain('real')
    expect(kept).toContain('m999')
    use.fail('rate_limit', 1001, { model: 'other', retryAfterMs: 1 })
    expect(use.model('other')).toBe(1002)
    expect(JSON.stringify(usageToJson(use.stats)).length).toBeLessThan(50_000)
  })

  it('drops windows that have ended', () => {
    const use = new Use()
    use.fail('rate_limit', 0, { model: 'm' })
    use.fail('unknown', 30 * SECOND)
    expect(use.stats).not.toHaveProperty('modelCooldowns')
  })
})

describe.each(['format', 'context_overflow', 'unknown'] as const)('%s', (reason) => {
  it('is counted and opens no window', () => {
    const use = new Use()
    for (let time = 0; time < 5; time += 1) use.fail(reason, time, { model: 'm', retryAfterMs: MINUTE })
    expect(use.stats).toEqual({
      errorCount: 5,
      failureCounts: { [reason]: 5 },
      lastFailureAt: at(4),
      runs: {},
    })
  })
})

describe('a success', () => {
  it('ends all runs and a disable, and leaves totals and a rate limit alone', () => {
    const use = new Use()
    for (const reason of ['billing', 'auth', 'timeout', 'rate_limit'] as const) use.fail(reason, 0)
    use.succeed(1)
    expect(use.stats).toEqual({
      lastUsed: at(1),
      epoch: 1,
      cooldownUntil: at(30 * SECOND),
      cooldownReason: 'rate_limit',
      errorCount: 4,
      failureCounts: { billing: 1, auth: 1, timeout: 1, rate_limit: 1 },
      lastFailureAt: at(0),
      runs: {},
    })
  })

  it.each([
    ['model_not_found', undefined],
    ['overloaded', undefined],
    ['rate_limit', 30 * SECOND],
  ] as const)('on a model set aside for %s leaves %s', (reason, left) => {
    const use = new Use()
    use.fail(reason, 0, { model: 'm' })
    use.fail('model_not_found', 0, { model: 'other' })
    use.succeed(1, 'm')
    expect([use.model('m'), use.model('other')]).toEqual([left, 12 * HOUR])
  })
})

it('a reset clears windows and runs, and leaves totals', () => {
  const use = new Use()
  for (const reason of FAILURE_REASONS) use.fail(reason, 0, { model: 'm' })
  for (const time of [1, 2, 3]) use.fail('timeout', time)
  use.fail('session_expired', MINUTE)
  expect(use.cooldown).toBeDefined()
  const { errorCount, failureCounts, lastFailureAt } = use.stats
  expect(applyReset(use.stats)).toEqual({ epoch: 1, errorCount, failureCounts, lastFailureAt, runs: {} })
  use.stats = applyReset(use.stats)
  use.fail('billing', HOUR)
  expect(use.disable).toBe(6 * HOUR)
})

describe('OpenRouter', () => {
  it('is not kept out of a billing disable by an auth window that means nothing', () => {
    const use = new Use(undefined, 'openrouter')
    use.fail('auth_permanent', 0)
    use.fail('session_expired', 0)
    use.fail('billing', 1)
    use.fail('rate_limit', 1)
    expect(use.stats).toMatchObject({ disabledReason: 'billing', cooldownReason: 'rate_limit' })
    use.fail('auth_permanent', 2, { retryAfterMs: 1 })
    use.fail('session_expired', 2, { retryAfterMs: 1 })
    expect([use.disable, use.cooldown]).toEqual([1 + 5 * HOUR, 1 + 30 * SECOND])
  })
})
