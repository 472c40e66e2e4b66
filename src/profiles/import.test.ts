import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { AuthProfile } from '../domain/profile.js'
import { createMemoryStore } from '../storage/memory/index.js'

const then = new Date('2026-01-02T03:04:05Z')

function profile(name: string, more: Partial<AuthProfile> = {}): AuthProfile {
  return {
    id: `openai:${name}`,
    provider: 'openai',
    name,
    mode: 'api_key',
    priority: 7,
    enabled: true,
    createdAt: then,
    updatedAt: then,
    apiKey: { key: `sk-${name}` },
    ...more,
  }
}

const events = async ({ vault }: TestHandle): Promise<string[]> =>
  (await vault.audit()).map(({ event, subject }) => `${event} ${subject}`)

describe('importing a profile', () => {
  test('takes no generation and no epoch along: failures of the new record count', async () => {
    const handle = await openTestHandle()
    const stats = { errorCount: 1, failureCounts: { auth: 1 as const }, generation: 3, epoch: 4 }
    await handle.profiles.importProfile(profile('a'), { stats, lastGood: false })
    for (let turn = 0; turn < 3; turn += 1) await handle.profiles.markFailure('openai:a', 'auth')
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled', errorCount: 4 })
  })

  test('over another one ends the say of requests with the old key', async () => {
    const handle = await openTestHandle()
    await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-old' })
    const { origin } = await handle.resolver.resolve('openai')
    if (origin === undefined) throw new Error('no origin')
    const stats = { errorCount: 0, failureCounts: {}, epoch: 0 }
    await handle.profiles.importProfile(profile('a'), { stats, lastGood: false }, { replace: true })
    await handle.profiles.reportFailure('openai:a', 'billing', { origin })
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 0 })
  })

  test('keeps its times, its use, its windows and its place as last good', async () => {
    const memory = createMemoryStore()
    const handle = await openTestHandle({ store: memory.connect() })
    const until = new Date(handle.clock.now().getTime() + 3_600_000)
    const stats = {
      errorCount: 3,
      failureCounts: { billing: 2, rate_limit: 1 },
      disabledUntil: until,
      disabledReason: 'billing' as const,
      lastUsed: then,
    }
    await handle.profiles.importProfile(profile('a', { lastError: 'no', lastErrorAt: then }), {
      stats,
      lastGood: true,
    })
    await handle.close()
    const again = await openTestHandle({ store: memory.connect(), clock: handle.clock })
    expect(await again.profiles.view('openai:a')).toMatchObject({
      createdAt: then,
      updatedAt: then,
      lastUsedAt: then,
      lastError: 'no',
      priority: 7,
      state: 'disabled',
      unusableReason: 'billing',
      unusableUntil: until,
      errorCount: 3,
      failureCounts: { billing: 2, rate_limit: 1 },
      lastGood: true,
    })
    expect(await events(again)).toContain('imported openai:a')
    expect(await again.vault.check()).toEqual([])
  })

  test('refuses one that is there, unless it shall be replaced; then the old windows are gone', async () => {
    const handle = await openTestHandle()
    const { profiles } = handle
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-old' })
    await profiles.markFailure('openai:a', 'rate_limit')
    await expect(profiles.importProfile(profile('a'))).rejects.toMatchObject({ code: 'profile_exists' })
    expect((await profiles.get('openai:a'))?.apiKey?.key).toBe('sk-old')
    await profiles.importProfile(profile('a'), undefined, { replace: true })
    expect((await profiles.get('openai:a'))?.apiKey?.key).toBe('sk-a')
    expect((await profiles.view('openai:a')).state).toBe('available')
  })

  test('stores nothing of what it refuses', async () => {
    const { profiles } = await openTestHandle()
    const unknown = { ...profile('a'), id: 'nobody:a' as const, provider: 'nobody' }
    await expect(profiles.importProfile(unknown)).rejects.toMatchObject({ code: 'unknown_provider' })
    await expect(profiles.importProfile(profile('a', { mode: 'oauth' }))).rejects.toMatchObject({
      code: 'unsupported_mode',
    })
    expect(await profiles.list()).toEqual([])
  })

  test('redacts a message that repeats the key', async () => {
    const { profiles } = await openTestHandle()
    await profiles.importProfile(
      profile('a', { apiKey: { key: 'topsecret' }, lastError: 'bad key topsecret\nx' }),
    )
    expect((await profiles.view('openai:a')).lastError).toBe('bad key [redacted] x')
  })
})

describe('requiring logins', () => {
  test('marks every login that has tokens, keeps them, and says which', async () => {
    const handle = await openTestHandle()
    const { profiles } = handle
    const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt: new Date('2031-01-01T00:00:00Z') }
    await profiles.add({ provider: 'gemini', name: 'a', mode: 'oauth', oauth })
    await profiles.add({ provider: 'gemini', name: 'empty', mode: 'oauth' })
    await profiles.add({ provider: 'openai', name: 'key', secret: 'sk' })
    expect(await profiles.requireLogins()).toEqual(['gemini:a'])
    expect(await profiles.view('gemini:a')).toMatchObject({ loginNeeded: true, state: 'invalid' })
    expect((await profiles.get('gemini:a'))?.oauth).toMatchObject({ refreshToken: 'rt', loginNeeded: true })
    expect((await profiles.view('openai:key')).state).toBe('available')
    expect(await profiles.requireLogins()).toEqual([])
  })
})

test('an export of several profiles is one step, and all of it or nothing', async () => {
  const handle = await openTestHandle()
  const { profiles } = handle
  for (const name of ['a', 'b']) await profiles.add({ provider: 'openai', name, secret: 'sk' })
  await expect(profiles.noteRevealed(['openai:a', 'openai:none'], 'exported')).rejects.toMatchObject({
    code: 'profile_not_found',
  })
  expect(await events(handle)).not.toContain('exported openai:a')
  await profiles.noteRevealed(['openai:a', 'openai:b'], 'exported')
  expect((await events(handle)).slice(-2)).toEqual(['exported openai:a', 'exported openai:b'])
})
