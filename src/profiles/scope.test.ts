import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import { NoUsableProfileError } from '../domain/errors.js'
import { PROFILE_PREFERENCES } from '../domain/ports.js'
import { FallbackChain } from '../resolver/multi.js'

async function handleWith(
  profiles: Readonly<Record<string, string | undefined>>,
  provider = 'openai',
): Promise<TestHandle> {
  const handle = await openTestHandle()
  await addAll(handle, profiles, provider)
  return handle
}

async function addAll(
  { profiles: manager }: TestHandle,
  profiles: Readonly<Record<string, string | undefined>>,
  provider: string,
): Promise<void> {
  const names = Object.entries(profiles)
  for (const [at, [name, pool]] of names.entries()) {
    await manager.add({ provider, name, secret: `sk-${name}`, pool, priority: names.length - at })
  }
}

const who = async (
  handle: TestHandle,
  ...call: Parameters<TestHandle['resolver']['resolve']>
): Promise<string> => (await handle.resolver.resolve(...call)).profile.name

describe('a profile that is named and not there', () => {
  test.each([false, true])('is an error, whether there are others or not (strict: %s)', async (strict) => {
    const handle = await handleWith({ a: undefined })
    for (const provider of ['openai', 'anthropic']) {
      await expect(handle.resolver.resolve(provider, 'typo', { strict })).rejects.toMatchObject({
        code: 'profile_not_found',
        exitCode: 4,
      })
    }
    await expect(handle.resolver.resolve('nobody', 'typo')).rejects.toMatchObject({
      code: 'unknown_provider',
    })
    expect(handle.resolver.resolveNow('openai', 'typo')).toBeUndefined()
    expect(await handle.resolver.resolveTrial('openai', 'typo')).toBeUndefined()
    const chain = new FallbackChain(handle.resolver, 'groq', 'openai:typo', 'openai:a')
    await expect(chain.resolve()).rejects.toMatchObject({ code: 'profile_not_found' })
  })
})

describe('a pool', () => {
  const pools = { w1: 'work', w2: 'work', p1: 'personal', none: undefined }

  test('is that of the profile that is named, also where that one cannot serve', async () => {
    const handle = await handleWith(pools)
    expect(await who(handle, 'openai', 'p1')).toBe('p1')
    await handle.profiles.markFailure('openai:w1', 'billing')
    expect(await who(handle, 'openai', 'w1')).toBe('w2')
    await handle.profiles.markFailure('openai:w2', 'rate_limit')
    const refused = handle.resolver.resolve('openai', 'w1')
    await expect(refused).rejects.toBeInstanceOf(NoUsableProfileError)
    await expect(refused).rejects.toMatchObject({
      attemptedProfiles: ['openai:w1', 'openai:w2'],
      pool: 'work',
      message: expect.stringContaining('in the pool "work"'),
    })
    expect(await handle.resolver.resolveTrial('openai', 'p1')).toBeUndefined()
  })

  test('is that of the profile that comes first, although another one could serve now', async () => {
    const handle = await handleWith(pools)
    for (const name of ['w1', 'w2']) await handle.profiles.markFailure(`openai:${name}`, 'billing')
    await expect(handle.resolver.resolve('openai')).rejects.toMatchObject({ pool: 'work' })
    await handle.profiles.update('openai:w1', { enabled: false })
    await handle.profiles.update('openai:w2', { enabled: false })
    expect(await who(handle, 'openai')).toBe('p1')
    await handle.profiles.delete('openai:p1')
    expect(await who(handle, 'openai')).toBe('none')
  })

  test('holds for a whole chain', async () => {
    const handle = await handleWith({ w: 'work' })
    await addAll(handle, { p: 'personal', w: 'work' }, 'groq')
    await addAll(handle, { x: undefined }, 'mistral')
    const chain = new FallbackChain(handle.resolver, 'openai', 'groq', 'mistral')
    await handle.profiles.markFailure('openai:w', 'billing')
    expect((await chain.resolve()).profile.id).toBe('groq:w')
    await handle.profiles.markFailure('groq:w', 'billing')
    // A provider without pools is one pool.
    expect((await chain.resolve()).profile.id).toBe('mistral:x')
  })

  test('is changed and taken away like other settings', async () => {
    const handle = await handleWith({ a: 'work', b: 'personal' })
    await handle.profiles.markFailure('openai:a', 'billing')
    await expect(handle.resolver.resolve('openai')).rejects.toMatchObject({ pool: 'work' })
    await handle.profiles.update('openai:b', { pool: 'work' })
    expect(await who(handle, 'openai')).toBe('b')
    await handle.profiles.update('openai:b', { pool: null })
    await handle.profiles.update('openai:a', { pool: null })
    expect(await who(handle, 'openai')).toBe('b')
  })

  test('is never left, whatever fails and whatever is asked for', async () => {
    const pool = fc.constantFrom('work', 'personal', undefined)
    const world = fc.record({
      pools: fc.array(pool, { minLength: 2, maxLength: 5 }),
      failed: fc.array(fc.nat(4), { maxLength: 4 }),
      only: fc.option(fc.subarray([0, 1, 2, 3, 4]), { nil: undefined }),
      named: fc.option(fc.nat(4), { nil: undefined }),
      preference: fc.constantFrom(...PROFILE_PREFERENCES),
    })
    await fc.assert(
      fc.asyncProperty(world, async ({ pools: names, failed, only, named, preference }) => {
        const handle = await handleWith(Object.fromEntries(names.map((name, at) => [`n${at}`, name])))
        const first = (await handle.profiles.getByProvider('openai', preference)).find(
          ({ name }) => only === undefined || only.includes(Number(name.slice(1))),
        )
        for (const at of failed) {
          if (at < names.length) await handle.profiles.markFailure(`openai:n${at}`, 'billing')
        }
        const wanted = named === undefined || named >= names.length ? undefined : `n${named}`
        const ids = only && new Set(only.map((at) => `openai:n${at}`))
        const stays = wanted === undefined ? first?.pool : names[named ?? 0]
        const tried = new Set<string>()
        for (;;) {
          const found = await handle.resolver
            .resolve('openai', wanted, { only: ids, exclude: tried, preference })
            .catch((error: unknown) => error)
          if (found instanceof NoUsableProfileError) break
          const { profile } = found as Awaited<ReturnType<TestHandle['resolver']['resolve']>>
          expect(names.every((name) => name === undefined) ? undefined : profile.pool).toBe(
            names.every((name) => name === undefined) ? undefined : stays,
          )
          if (ids !== undefined) expect(ids).toContain(profile.id)
          expect(tried).not.toContain(profile.id)
          tried.add(profile.id)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('a profile that is replaced', () => {
  const settings = {
    priority: 7,
    account: 'org',
    models: ['gpt-4*'],
    baseUrl: 'https://proxy.example/v1',
    pool: 'work',
    concurrency: 2,
    headers: { 'OpenAI-Organization': 'org-1' },
    proxy: 'HTTP://Proxy.example:3128/',
  }
  const stored = {
    ...settings,
    headers: { 'openai-organization': 'org-1' },
    proxy: 'http://proxy.example:3128',
    enabled: false,
  }

  test('keeps its settings, and takes those that are given', async () => {
    const { profiles } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-1', ...settings, enabled: false })
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-2' }, { replace: true })
    expect(await profiles.get('openai:a')).toMatchObject({ ...stored, apiKey: { key: 'sk-2' } })
    const given = { priority: 0, enabled: true, pool: 'other', models: ['o3'] }
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-3', ...given }, { replace: true })
    expect(await profiles.get('openai:a')).toMatchObject({ ...stored, ...given })
  })

  test('takes no proxy with a login, and lets go of one', async () => {
    const { profiles } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-1', proxy: 'vault://corp-proxy' })
    expect((await profiles.view('openai:a')).proxy).toBe('vault://corp-proxy')
    for (const proxy of ['http://user:Planted@p:1', 'p:1', 'socks4://p:1', '', 7 as unknown as string]) {
      const refused = await profiles.update('openai:a', { proxy }).catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'invalid_value', hint: expect.stringContaining('vault://NAME') })
      expect(String(refused)).not.toContain('Planted')
    }
    await profiles.update('openai:a', { proxy: 'direct' })
    expect((await profiles.get('openai:a'))?.proxy).toBe('none')
    await profiles.update('openai:a', { proxy: null })
    expect(await profiles.get('openai:a')).not.toHaveProperty('proxy')
    await profiles.update('openai:a', { proxy: 'exec://print-a-proxy Planted' })
    expect((await profiles.view('openai:a')).proxy).toBe('exec://…')
  })

  test.each([
    ['authorization', 'Bearer x'],
    ['X-Api-Key', 'x'],
    ['cookie', 'a=b'],
    ['host', 'x.example'],
    ['content-length', '1'],
    ['transfer-encoding', 'chunked'],
    ['bad name', 'x'],
    ['x-ok', 'line\nbreak'],
    ['x-ok', ''],
  ])('takes no header %s: %j', async (name, value) => {
    const { profiles } = await openTestHandle()
    const profile = { provider: 'openai', name: 'a', secret: 'sk-1', headers: { [name]: value } }
    await expect(profiles.add(profile)).rejects.toMatchObject({ code: 'invalid_value' })
    await profiles.add({ ...profile, headers: undefined })
    await expect(profiles.update('openai:a', { headers: { [name]: value } })).rejects.toMatchObject({
      code: 'invalid_value',
    })
  })
})
