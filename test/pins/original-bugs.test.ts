import { describe, expect, test } from 'vitest'
import { isProfileValid, type OAuthToken } from '../../src/domain/profile.js'
import { ProfileTools } from '../../src/operations/profile-tools.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { openTestHandle } from '../support/handle.js'

/*
 * The sixteen faults of the original that must not come along. Each test fails on the original's behaviour.
 */

const HOUR = 3_600_000

const login = (now: Date, refreshToken: string, expiresInMs = -HOUR) => ({
  accessToken: `old-${refreshToken}`,
  refreshToken,
  expiresAt: new Date(now.getTime() + expiresInMs),
  scopes: ['s'],
  metadata: { project: 'p' },
})

const renewing = (extra: (refreshToken: string) => Partial<OAuthToken> = () => ({})) => ({
  refreshToken: async (provider: string, refreshToken: string): Promise<OAuthToken> => ({
    provider,
    accessToken: `new-${refreshToken}`,
    expiresAt: new Date('2026-01-01T10:00:00Z'),
    ...extra(refreshToken),
  }),
})

describe('faults of the original', () => {
  test('1: two logins of one provider do not overwrite each other when renewed', async () => {
    const handle = await openTestHandle({ refresher: renewing((token) => ({ refreshToken: `${token}'` })) })
    for (const name of ['a', 'b']) {
      await handle.profiles.add({ provider: 'gemini', name, oauth: login(handle.clock.now(), `rt-${name}`) })
    }
    await Promise.all([handle.resolver.resolve('gemini', 'a'), handle.resolver.resolve('gemini', 'b')])
    const tokens = (await handle.profiles.list()).map((profile) => [
      profile.oauth?.accessToken,
      profile.oauth?.refreshToken,
    ])
    expect(tokens).toEqual([
      ['new-rt-a', "rt-a'"],
      ['new-rt-b', "rt-b'"],
    ])
  })

  test('2: an expired login that can be renewed is renewed, not skipped', async () => {
    const handle = await openTestHandle({ refresher: renewing() })
    await handle.profiles.add({ provider: 'gemini', oauth: login(handle.clock.now(), 'rt') })
    expect((await handle.resolver.resolve('gemini')).credential).toBe('new-rt')
  })

  test('3: a token profile with a reference alone is valid', async () => {
    const handle = await openTestHandle()
    const profile = await handle.profiles.add({ provider: 'openai', mode: 'token', reference: 'env://TOKEN' })
    handle.env.TOKEN = 'tok'
    expect(isProfileValid(profile, handle.clock.now())).toBe(true)
    expect((await handle.resolver.resolve('openai')).credential).toBe('tok')
  })

  test('4: nothing cached outlives a change of its profile, here or in another process', async () => {
    const memory = createMemoryStore()
    const here = await openTestHandle({ store: memory.connect() })
    const there = await openTestHandle({ store: memory.connect(), clock: here.clock })
    await here.profiles.add({ provider: 'openai', name: 'a', secret: 'one', priority: 1 })
    await here.profiles.add({ provider: 'openai', name: 'b', secret: 'two' })
    const seen: string[] = []
    const look = async (): Promise<void> => {
      seen.push((await here.resolver.resolve('openai')).credential)
    }
    await look()
    await there.profiles.markFailure('openai:a', 'rate_limit')
    await look()
    await there.profiles.reset('openai:a')
    await there.profiles.add(
      { provider: 'openai', name: 'a', secret: 'changed', priority: 1 },
      { replace: true },
    )
    await look()
    await there.profiles.update('openai:a', { enabled: false })
    await look()
    await there.profiles.update('openai:a', { enabled: true })
    await there.profiles.delete('openai:a')
    await look()
    expect(seen).toEqual(['one', 'two', 'changed', 'two', 'two'])
  })

  test('5: last good breaks ties, and overrules neither priority nor cooldown nor taking turns', async () => {
    const { profiles, resolver, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'high', secret: 'h', priority: 1 })
    await profiles.add({ provider: 'openai', name: 'low', secret: 'l' })
    await profiles.markSuccess('openai:low')
    expect((await resolver.resolve('openai')).profile.name).toBe('high')
    await profiles.markFailure('openai:high', 'rate_limit')
    await profiles.markFailure('openai:low', 'rate_limit')
    await expect(resolver.resolve('openai')).rejects.toMatchObject({ code: 'no_usable_profile' })
    clock.advance(30_000)
    const turns: string[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      clock.advance(1)
      turns.push((await resolver.resolve('openai', undefined, { preference: 'type' })).profile.name)
    }
    expect(new Set(turns.slice(0, 2)).size).toBe(2)
    expect(turns.slice(2)).toEqual(turns.slice(0, 2))
  })

  test('6: forgetting one provider leaves those whose name begins alike', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', secret: 'sk' })
    await resolver.resolve('openai')
    resolver.invalidateCache('open')
    expect(resolver.getCacheStats()).toEqual({ totalEntries: 1, valid: 1, expired: 0 })
  })

  test('7: failures, uses and last good survive the process', async () => {
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect() })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    await first.profiles.markSuccess('openai:a')
    await first.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: HOUR })
    await first.close()
    const second = await openTestHandle({ store: memory.connect(), clock: first.clock })
    expect(await second.profiles.view('openai:a')).toMatchObject({
      state: 'cooling',
      failureCounts: { rate_limit: 1 },
      lastGood: true,
      lastUsedAt: first.clock.now(),
    })
  })

  test('8: clearing an expired disable keeps the count, so the next one is longer', async () => {
    const { profiles, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    const disabledFor: number[] = []
    for (let time = 0; time < 4; time += 1) {
      await profiles.markFailure('openai:a', 'billing')
      const until = (await profiles.view('openai:a')).unusableUntil?.getTime() ?? 0
      disabledFor.push((until - clock.now().getTime()) / HOUR)
      clock.set(new Date(until))
      await profiles.clearExpiredCooldowns()
    }
    expect(disabledFor).toEqual([5, 10, 20, 24])
  })

  test('9: the exponent counts bills alone', async () => {
    const { profiles, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    for (let time = 0; time < 5; time += 1) await profiles.markFailure('openai:a', 'unknown')
    await profiles.markFailure('openai:a', 'billing')
    const until = (await profiles.view('openai:a')).unusableUntil
    expect(until).toEqual(new Date(clock.now().getTime() + 5 * HOUR))
  })

  test('10: a provider’s own cooldown is honoured', async () => {
    const cooldown = { rateLimitSeconds: 60, byProvider: { groq: { rateLimitSeconds: 10 } } }
    const { profiles, clock } = await openTestHandle({ cooldown })
    const waits: number[] = []
    for (const provider of ['groq', 'openai']) {
      await profiles.add({ provider, name: 'a', secret: 'sk' })
      await profiles.markFailure(`${provider}:a`, 'rate_limit')
      const until = (await profiles.view(`${provider}:a`)).unusableUntil?.getTime() ?? 0
      waits.push(until - clock.now().getTime())
    }
    expect(waits).toEqual([10_000, 60_000])
  })

  test('11: an answer without a refresh token keeps the old one, scopes and metadata too', async () => {
    const handle = await openTestHandle({ refresher: renewing() })
    await handle.profiles.add({ provider: 'gemini', name: 'a', oauth: login(handle.clock.now(), 'rt') })
    await handle.resolver.resolve('gemini')
    expect((await handle.profiles.get('gemini:a'))?.oauth).toMatchObject({
      accessToken: 'new-rt',
      refreshToken: 'rt',
      scopes: ['s'],
      metadata: { project: 'p' },
    })
  })

  test('12: saving one profile writes one row, whatever the number of profiles', async () => {
    const memory = createMemoryStore()
    const handle = await openTestHandle({ store: memory.connect() })
    for (let index = 0; index < 50; index += 1) {
      await handle.profiles.add({ provider: 'openai', name: `n${index}`, secret: 'sk' })
    }
    const watcher = memory.connect()
    const before = await watcher.read((reader) => reader.cursor())
    await handle.profiles.update('openai:n7', { priority: 3 })
    const { rows, full } = await watcher.read((reader) => reader.changesSince(before))
    expect(full).toBe(false)
    expect(rows.map((row) => row.table)).toEqual(['profile'])
  })

  test('13: add never overwrites unasked, and says what a login still lacks', async () => {
    const { profiles, resolver } = await openTestHandle()
    const tools = new ProfileTools(profiles, resolver)
    await tools.add({ provider: 'openai', name: 'a', mode: 'api_key', api_key: 'first' })
    const again = await tools.add({ provider: 'openai', name: 'a', mode: 'api_key', api_key: 'second' })
    expect(again).toMatchObject({ success: false, code: 'profile_exists' })
    expect((await profiles.get('openai:a'))?.apiKey?.key).toBe('first')
    const empty = await tools.add({ provider: 'gemini', name: 'me', mode: 'oauth' })
    expect(empty.success).toBe(true)
    expect(JSON.stringify(empty)).toContain('keymux login gemini:me')
  })

  test('14: import refuses data of another shape and names the field', async () => {
    const { profiles, resolver } = await openTestHandle()
    const tools = new ProfileTools(profiles, resolver)
    const result = await tools.import({
      provider: 'openai',
      name: 'a',
      mode: 'api_key',
      data: JSON.stringify({ key: 7 }),
    })
    expect(result.success).toBe(false)
    expect(result.error).toContain('key')
    expect(await profiles.list()).toEqual([])
  })

  test('15: a profile that is switched off is not handed out, not even by name', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk', enabled: false })
    await expect(resolver.resolve('openai', 'a')).rejects.toMatchObject({ code: 'no_usable_profile' })
    expect((await profiles.resolve({ provider: 'openai', preferredProfile: 'a' })).error?.code).toBe(
      'no_usable_profile',
    )
  })

  test('16: equals always come in the same order', async () => {
    const names = ['q', 'b', 'z', 'a', 'm']
    for (const order of [names, [...names].reverse()]) {
      const { profiles } = await openTestHandle()
      for (const name of order) await profiles.add({ provider: 'openai', name, secret: 'sk' })
      for (const preference of ['default', 'valid', 'recent', 'type'] as const) {
        const listed = await profiles.getByProvider('openai', preference)
        expect(listed.map((profile) => profile.name)).toEqual(['a', 'b', 'm', 'q', 'z'])
      }
    }
  })
})
