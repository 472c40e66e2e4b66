import { describe, expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { NoUsableProfileError } from '../domain/errors.js'
import type { OAuthToken } from '../domain/profile.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { FallbackChain, MultiResolver } from './multi.js'

const MINUTE = 60_000

function oauth(expiresInMs: number, from: Date, extra: object = {}) {
  return {
    accessToken: 'at-1',
    refreshToken: 'rt-1',
    expiresAt: new Date(from.getTime() + expiresInMs),
    scopes: ['a', 'b'],
    metadata: { project: 'p' },
    ...extra,
  }
}

function refresherOf(answer: (refreshToken: string) => OAuthToken | Promise<OAuthToken>) {
  const calls: string[] = []
  return {
    calls,
    refreshToken: async (_provider: string, refreshToken: string) => {
      calls.push(refreshToken)
      return answer(refreshToken)
    },
  }
}

describe('choice', () => {
  test('priority decides, a named profile goes first, and a switched-off one never', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'low', secret: 'sk-low' })
    await profiles.add({ provider: 'openai', name: 'high', secret: 'sk-high', priority: 9 })
    expect((await resolver.resolve('openai')).profile.id).toBe('openai:high')
    expect((await resolver.resolve('OpenAI', 'low')).credential).toBe('sk-low')
    expect((await resolver.resolve('openai', 'openai:low')).credential).toBe('sk-low')
    await profiles.update('openai:low', { enabled: false })
    expect((await resolver.resolve('openai', 'low')).credential).toBe('sk-high')
    await expect(resolver.resolve('openai', 'low', { strict: true })).rejects.toMatchObject({
      code: 'no_usable_profile',
    })
  })

  test('last good breaks ties only', async () => {
    const { profiles, resolver } = await openTestHandle()
    for (const name of ['a', 'b', 'c']) await profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
    await profiles.markSuccess('openai:b')
    expect((await resolver.resolve('openai')).profile.name).toBe('b')
    await profiles.update('openai:c', { priority: 1 })
    expect((await resolver.resolve('openai')).profile.name).toBe('c')
    await profiles.markFailure('openai:c', 'rate_limit')
    await profiles.markFailure('openai:b', 'rate_limit')
    expect((await resolver.resolve('openai')).profile.name).toBe('a')
  })

  test('type preference goes round, also across processes', async () => {
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect() })
    for (const name of ['a', 'b', 'c'])
      await first.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
    const seen: string[] = []
    const next = async (handle: typeof first): Promise<void> => {
      handle.clock.advance(1)
      seen.push((await handle.resolver.resolve('openai', undefined, { preference: 'type' })).profile.name)
    }
    await next(first)
    await next(first)
    await first.close()
    const second = await openTestHandle({ store: memory.connect(), clock: first.clock })
    await next(second)
    await next(second)
    expect(seen).toEqual(['a', 'b', 'c', 'a'])
  })

  test('going round in turn is fair within one millisecond', async () => {
    const { profiles, resolver } = await openTestHandle()
    for (const name of ['a', 'b', 'c']) await profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
    const seen: string[] = []
    for (let call = 0; call < 300; call += 1) {
      seen.push((await resolver.resolve('openai', undefined, { preference: 'type' })).profile.name)
    }
    for (const name of ['a', 'b', 'c']) expect(seen.filter((each) => each === name)).toHaveLength(100)
  })

  test('models and model cooldowns are honoured', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', priority: 2, models: ['gpt-4*'] })
    await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    expect((await resolver.resolve('openai', undefined, { model: 'o3' })).profile.name).toBe('b')
    expect((await resolver.resolve('openai', undefined, { model: 'gpt-4o' })).profile.name).toBe('a')
    await profiles.markFailure('openai:a', 'rate_limit', { model: 'gpt-4o', retryAfterMs: MINUTE })
    expect((await resolver.resolve('openai', undefined, { model: 'gpt-4o' })).profile.name).toBe('b')
    expect((await resolver.resolve('openai', undefined, { model: 'gpt-4.1' })).profile.name).toBe('a')
    expect((await resolver.resolve('openai')).profile.name).toBe('a')
  })

  test('nothing usable: the soonest time and every reason', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    await profiles.add({ provider: 'openai', name: 'c', secret: 'sk-c', enabled: false })
    await profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 90_000 })
    await profiles.markFailure('openai:b', 'billing')
    const error = await resolver.resolve('openai').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(NoUsableProfileError)
    expect(error).toMatchObject({
      code: 'no_usable_profile',
      provider: 'openai',
      attemptedProfiles: ['openai:a', 'openai:b', 'openai:c'],
      retryAt: new Date(clock.now().getTime() + 90_000),
    })
    expect((error as NoUsableProfileError).reasons.map(({ state, reason }) => [state, reason])).toEqual([
      ['cooling', 'rate_limit'],
      ['disabled', 'billing'],
      ['off', undefined],
    ])
  })

  test('waits for the soonest when asked to, and not longer', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 5_000 })
    await expect(resolver.resolve('openai', undefined, { maxWaitMs: 4_999 })).rejects.toMatchObject({
      code: 'no_usable_profile',
    })
    const waiting = resolver.resolve('openai', undefined, { maxWaitMs: 5_000 })
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(5_000)
    expect((await waiting).credential).toBe('sk-a')
    await profiles.markFailure('openai:a', 'rate_limit')
    const controller = new AbortController()
    const aborted = resolver.resolve('openai', undefined, { maxWaitMs: MINUTE, signal: controller.signal })
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
  })

  test('an unknown provider is told apart from one without profiles', async () => {
    const { resolver } = await openTestHandle()
    await expect(resolver.resolve('openai')).rejects.toMatchObject({ code: 'no_usable_profile' })
    await expect(resolver.resolve('nobody')).rejects.toMatchObject({ code: 'unknown_provider' })
    await expect(resolver.resolve('openai', 'ghost', { strict: true })).rejects.toMatchObject({
      code: 'profile_not_found',
    })
  })

  test('a reference that cannot be read is passed over and named', async () => {
    const { profiles, resolver, env, vault } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', reference: 'env://NOT_SET', priority: 2 })
    await profiles.add({ provider: 'openai', name: 'b', reference: 'vault://OPENAI', priority: 1 })
    await expect(resolver.resolve('openai')).rejects.toMatchObject({
      reasons: [
        { profileId: 'openai:a', state: 'failed', reason: 'reference_unresolved' },
        { profileId: 'openai:b', state: 'failed', reason: 'reference_unresolved' },
      ],
    })
    await vault.set('OPENAI', 'sk-named')
    expect(await resolver.resolve('openai')).toMatchObject({
      credential: 'sk-named',
      attemptedProfiles: ['openai:a', 'openai:b'],
    })
    env.NOT_SET = 'sk-env'
    expect((await resolver.resolve('openai')).credential).toBe('sk-env')
  })
})

describe('the cache', () => {
  test('never outlives a change of the profile, here or elsewhere', async () => {
    const memory = createMemoryStore()
    const here = await openTestHandle({ store: memory.connect() })
    const there = await openTestHandle({ store: memory.connect(), clock: here.clock })
    await here.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-1', priority: 1 })
    await here.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    const resolve = async (): Promise<string> => (await here.resolver.resolve('openai')).credential
    expect([await resolve(), await resolve()]).toEqual(['sk-1', 'sk-1'])
    await there.profiles.add(
      { provider: 'openai', name: 'a', secret: 'sk-2', priority: 1 },
      { replace: true },
    )
    expect(await resolve()).toBe('sk-2')
    await there.profiles.update('openai:a', { enabled: false })
    expect(await resolve()).toBe('sk-b')
    await there.profiles.update('openai:a', { enabled: true })
    expect(await resolve()).toBe('sk-2')
    await there.profiles.markFailure('openai:a', 'billing')
    expect(await resolve()).toBe('sk-b')
    await there.profiles.delete('openai:b')
    await expect(resolve()).rejects.toMatchObject({ code: 'no_usable_profile' })
  })

  test('is forgotten by provider, exactly', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', secret: 'sk-a' })
    await profiles.add({ provider: 'openrouter', secret: 'sk-or' })
    await resolver.resolve('openai')
    await resolver.resolve('openrouter')
    expect(resolver.getCacheStats()).toEqual({ totalEntries: 2, valid: 2, expired: 0 })
    resolver.invalidateCache('open')
    expect(resolver.getCacheStats().totalEntries).toBe(2)
    await profiles.add({ provider: 'openai', secret: 'sk-b' }, { replace: true })
    expect(resolver.getCacheStats()).toEqual({ totalEntries: 2, valid: 1, expired: 1 })
    resolver.invalidateCache('openai')
    expect(resolver.getCacheStats().totalEntries).toBe(1)
    resolver.invalidateCache()
    expect(resolver.getCacheStats().totalEntries).toBe(0)
  })
})

describe('OAuth', () => {
  test('an expired login with a refresh token is renewed, once for all who ask, and nothing is lost', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const refresher = refresherOf(async () => {
      await gate
      return { provider: 'gemini', accessToken: 'at-2', expiresAt: new Date('2026-01-01T02:00:00Z') }
    })
    const { profiles, resolver, clock } = await openTestHandle({ refresher })
    await profiles.add({
      provider: 'gemini',
      name: 'me',
      oauth: oauth(-MINUTE, clock.now(), { email: 'me@x.com' }),
    })
    expect(await profiles.view('gemini:me')).toMatchObject({
      state: 'available',
      expired: true,
      renewable: true,
    })
    const asked = [resolver.resolve('gemini'), resolver.resolve('gemini'), resolver.resolveOAuth('gemini')]
    await new Promise((resolve) => setImmediate(resolve))
    release()
    const [one, two] = await Promise.all(asked)
    expect(one).toMatchObject({ credential: 'at-2', email: 'me@x.com' })
    expect(two).toMatchObject({ credential: 'at-2' })
    expect(refresher.calls).toEqual(['rt-1'])
    expect((await profiles.get('gemini:me'))?.oauth).toMatchObject({
      accessToken: 'at-2',
      refreshToken: 'rt-1',
      scopes: ['a', 'b'],
      metadata: { project: 'p' },
      email: 'me@x.com',
    })
    expect((await resolver.resolve('gemini')).credential).toBe('at-2')
    expect(refresher.calls).toHaveLength(1)
  })

  test('two accounts of one provider never cross', async () => {
    const refresher = refresherOf((token) => ({
      provider: 'gemini',
      accessToken: `new-${token}`,
      refreshToken: `${token}+`,
      expiresAt: new Date('2026-01-01T02:00:00Z'),
    }))
    const { profiles, resolver, clock } = await openTestHandle({ refresher })
    for (const name of ['a', 'b']) {
      await profiles.add({
        provider: 'gemini',
        name,
        oauth: oauth(-MINUTE, clock.now(), { refreshToken: `rt-${name}` }),
      })
    }
    const [a, b] = await Promise.all([resolver.resolve('gemini', 'a'), resolver.resolve('gemini', 'b')])
    expect([a.credential, b.credential]).toEqual(['new-rt-a', 'new-rt-b'])
    expect((await profiles.get('gemini:a'))?.oauth?.refreshToken).toBe('rt-a+')
    expect((await profiles.get('gemini:b'))?.oauth?.refreshToken).toBe('rt-b+')
  })

  test('a failed renewal moves on, deletes nothing, and backs off', async () => {
    const refresher = refresherOf(() => {
      throw new Error('connect ECONNREFUSED 127.0.0.1:1')
    })
    const { profiles, resolver, clock } = await openTestHandle({ refresher })
    await profiles.add({ provider: 'gemini', name: 'login', oauth: oauth(-MINUTE, clock.now()), priority: 5 })
    await profiles.add({ provider: 'gemini', name: 'key', secret: 'AIza-key' })
    expect((await resolver.resolve('gemini')).credential).toBe('AIza-key')
    expect((await resolver.resolve('gemini')).credential).toBe('AIza-key')
    expect(refresher.calls).toHaveLength(1)
    clock.advance(5_000)
    expect((await resolver.resolve('gemini')).credential).toBe('AIza-key')
    expect(refresher.calls).toHaveLength(2)
    expect((await profiles.get('gemini:login'))?.oauth?.refreshToken).toBe('rt-1')
    expect(await profiles.view('gemini:login')).toMatchObject({
      state: 'cooling',
      valid: true,
      unusableUntil: new Date(clock.now().getTime() + 10_000),
      unusableReason: 'timeout',
    })
  })

  test('a login that the provider ended says so and keeps its row', async () => {
    const refresher = refresherOf(() => {
      throw new Error('invalid_grant')
    })
    const { profiles, resolver, clock } = await openTestHandle({ refresher })
    await profiles.add({ provider: 'gemini', name: 'login', oauth: oauth(-MINUTE, clock.now()) })
    await expect(resolver.resolve('gemini')).rejects.toMatchObject({ code: 'no_usable_profile' })
    expect(await profiles.view('gemini:login')).toMatchObject({ state: 'invalid', loginNeeded: true })
    await expect(resolver.resolve('gemini')).rejects.toMatchObject({ hint: 'run keymux login gemini:login' })
    expect(refresher.calls).toHaveLength(1)
    expect((await profiles.get('gemini:login'))?.oauth?.refreshToken).toBe('rt-1')
  })

  test('without a way to renew, an expired login is not handed out and a due one still is', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'gemini', name: 'login', oauth: oauth(10 * MINUTE, clock.now()) })
    expect((await resolver.resolve('gemini')).credential).toBe('at-1')
    clock.advance(6 * MINUTE)
    expect((await profiles.view('gemini:login')).state).toBe('expired')
    await expect(resolver.resolve('gemini')).rejects.toMatchObject({ code: 'no_usable_profile' })
  })

  test('resolveAny prefers a login to a key to a token', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'gemini', name: 't', mode: 'token', secret: 'tok', priority: 9 })
    await profiles.add({ provider: 'gemini', name: 'k', secret: 'AIza', priority: 5 })
    await profiles.add({ provider: 'gemini', name: 'o', oauth: oauth(60 * MINUTE, clock.now()) })
    expect((await resolver.resolveAny('gemini')).profile.mode).toBe('oauth')
    await profiles.delete('gemini:o')
    expect((await resolver.resolveAny('gemini')).profile.mode).toBe('api_key')
    expect((await resolver.resolveApiKey('gemini')).apiKey).toBe('AIza')
    await profiles.delete('gemini:k')
    expect((await resolver.resolveAny('gemini')).profile.mode).toBe('token')
  })
})

describe('several providers', () => {
  test('a chain takes the first that can, and tells every error', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'groq', name: 'g', secret: 'gsk' })
    const chain = new FallbackChain(resolver, 'openai', 'groq:g')
    expect((await chain.resolve()).credential).toBe('gsk')
    await profiles.markFailure('groq:g', 'rate_limit', { retryAfterMs: 1_000 })
    await expect(chain.resolve()).rejects.toMatchObject({
      code: 'no_usable_profile',
      provider: 'openai,groq:g',
      cause: { errors: [{ provider: 'openai' }, { provider: 'groq' }] },
    })
  })

  test('resolveAll keeps failures apart', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', secret: 'sk' })
    const results = await new MultiResolver(resolver).resolveAll(['openai', 'groq', 'nobody'])
    expect(results.openai?.credential).toBe('sk')
    expect(results.groq?.error).toMatchObject({ code: 'no_usable_profile' })
    expect(results.nobody?.error).toMatchObject({ code: 'unknown_provider' })
  })
})
