import { describe, expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import { applyReset, applySuccess, applyTrial, TRIAL_INTERVAL_MS } from '../policy/failure.js'
import { createMemoryStore } from '../storage/memory/index.js'

const NOW = new Date('2026-01-01T00:00:00Z')

describe('policy', () => {
  const stats = { errorCount: 1, failureCounts: { billing: 1 }, disabledUntil: new Date(NOW.getTime() + 1e7) }

  test('one trial per 10 minutes; a success and a reset forget it, stored forms keep it', () => {
    const tried = applyTrial(stats, NOW)
    if (tried === undefined) throw new Error('no trial')
    expect(applyTrial(tried, new Date(NOW.getTime() + TRIAL_INTERVAL_MS - 1))).toBeUndefined()
    expect(applyTrial(tried, new Date(NOW.getTime() + TRIAL_INTERVAL_MS))).toBeDefined()
    expect(usageFromJson(usageToJson(tried))).toEqual(tried)
    expect(applySuccess(tried, { now: NOW }).trialAt).toBeUndefined()
    expect(applyReset(tried).trialAt).toBeUndefined()
  })

  test('a trial in the future, left by a clock that was wrong, keeps nobody out', () => {
    const later = { ...stats, trialAt: new Date(NOW.getTime() + 3_600_000) }
    expect(applyTrial(later, NOW)?.trialAt).toEqual(NOW)
  })
})

describe('trials', () => {
  test('only disabled profiles are tried, one time in 10 minutes among all processes', async () => {
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect() })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await first.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    await first.profiles.markFailure('openai:a', 'billing')
    await first.profiles.markFailure('openai:b', 'rate_limit')
    const second = await openTestHandle({ store: memory.connect(), clock: first.clock })

    const won = await Promise.all(
      [first, second, first, second].map((handle) => handle.resolver.resolveTrial('openai')),
    )
    expect(won.filter((one) => one !== undefined)).toHaveLength(1)
    expect(won.find((one) => one !== undefined)).toMatchObject({
      credential: 'sk-a',
      profile: { id: 'openai:a' },
    })
    first.clock.advance(TRIAL_INTERVAL_MS - 1)
    expect(await second.resolver.resolveTrial('openai')).toBeUndefined()
    first.clock.advance(1)
    expect(await second.resolver.resolveTrial('openai')).toMatchObject({ credential: 'sk-a' })
    expect(await first.resolver.resolveTrial('openai')).toBeUndefined()
  })

  test('a success lifts the disable; the next disable may be tried again', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.markFailure('openai:a', 'auth_permanent')
    expect(await resolver.resolveTrial('openai')).toBeDefined()
    await profiles.markSuccess('openai:a')
    expect((await resolver.resolve('openai')).profile.id).toBe('openai:a')
    await profiles.markFailure('openai:a', 'auth_permanent')
    expect(await resolver.resolveTrial('openai')).toBeDefined()
  })

  test('preference, model, mode, exclusion and the owner are honoured', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', priority: 3, models: ['o*'] })
    await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b', priority: 2 })
    await profiles.add({ provider: 'openai', name: 'c', secret: 'sk-c', priority: 1 })
    await profiles.add({ provider: 'openai', name: 'd', secret: 'sk-d', enabled: false })
    for (const name of ['a', 'b', 'c', 'd']) await profiles.markFailure(`openai:${name}`, 'billing')
    const model = 'gpt-4o'
    expect(await resolver.resolveTrial('openai', undefined, { mode: 'token' })).toBeUndefined()
    expect(await resolver.resolveTrial('openai', undefined, { model, strict: true })).toBeUndefined()
    expect(
      await resolver.resolveTrial('openai', 'c', { model, exclude: new Set(['openai:b']) }),
    ).toMatchObject({
      credential: 'sk-c',
    })
    expect(await resolver.resolveTrial('openai', 'c', { model })).toMatchObject({ credential: 'sk-b' })
    expect(await resolver.resolveTrial('openai', undefined, { model })).toBeUndefined()
    expect(await resolver.resolveTrial('openai')).toMatchObject({ credential: 'sk-a' })
  })
})

describe('exclusion', () => {
  test('excluded profiles are passed over, and are told apart in the explanation', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', priority: 2 })
    await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b', priority: 1 })
    await profiles.add({ provider: 'openai', name: 'c', secret: 'sk-c' })
    await profiles.markFailure('openai:c', 'rate_limit', { retryAfterMs: 5_000 })
    const exclude = new Set(['openai:a', 'openai:gone'])
    expect((await resolver.resolve('openai', 'a', { exclude })).profile.id).toBe('openai:b')
    exclude.add('openai:b')
    await expect(resolver.resolve('openai', undefined, { exclude })).rejects.toMatchObject({
      code: 'no_usable_profile',
      retryAt: new Date(clock.now().getTime() + 5_000),
      reasons: [
        { profileId: 'openai:a', state: 'failed' },
        { profileId: 'openai:b', state: 'failed' },
        { profileId: 'openai:c', state: 'cooling' },
      ],
    })
  })
})
