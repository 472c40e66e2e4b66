import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TestHandle } from '../../test/support/handle.js'
import { openTestHandle } from '../../test/support/handle.js'
import { newStore, ProfileTools, Resolver } from '../compose-compat.js'
import { KeymuxError } from '../domain/errors.js'
import type { ProfileManager } from '../domain/ports.js'
import { formatProfileList } from '../profiles/format-list.js'
import { createFakeClock, type FakeClock } from '../testing/fake-clock.js'
import { createMemoryVault } from '../testing/memory-vault.js'

interface Setting {
  readonly tools: ProfileTools
  readonly manager: ProfileManager
  readonly resolver: Resolver
  readonly clock: FakeClock
  close(): Promise<void>
}

/** The seed's methods alone, as a manager of somebody else's has them. */
function plain(manager: ProfileManager): ProfileManager {
  return {
    get: manager.get.bind(manager),
    getByProvider: manager.getByProvider.bind(manager),
    save: manager.save.bind(manager),
    delete: manager.delete.bind(manager),
    list: manager.list.bind(manager),
    resolve: manager.resolve.bind(manager),
    markUsed: manager.markUsed.bind(manager),
    markError: manager.markError.bind(manager),
    markFailure: manager.markFailure.bind(manager),
    isInCooldown: manager.isInCooldown.bind(manager),
    clearExpiredCooldowns: manager.clearExpiredCooldowns.bind(manager),
  }
}

async function ownVault(): Promise<Setting> {
  const handle: TestHandle = await openTestHandle()
  const { profiles, resolver, clock } = handle
  await handle.vault.set('SHARED', 'sk-from-the-vault')
  return {
    manager: profiles,
    resolver,
    clock,
    tools: new ProfileTools(profiles, resolver, { clock, allowEndpoints: true }),
    close: handle.close,
  }
}

async function anyVault(wrap: (manager: ProfileManager) => ProfileManager): Promise<Setting> {
  const clock = createFakeClock()
  const manager = wrap(newStore({ vault: createMemoryVault({ SHARED: 'sk-from-the-vault' }), clock }))
  const resolver = new Resolver({ store: manager, clock })
  return {
    manager,
    resolver,
    clock,
    tools: new ProfileTools(manager, resolver, { clock, allowEndpoints: true }),
    close: async () => {},
  }
}

const FAILURE = { success: false, error: expect.any(String) as string }

describe.each<[string, () => Promise<Setting>]>([
  ['a vault of keymux', ownVault],
  ['a store on any vault', () => anyVault((manager) => manager)],
  ["somebody else's manager", () => anyVault(plain)],
])('on %s', (_name, open) => {
  let setting: Setting
  let tools: ProfileTools
  beforeEach(async () => {
    setting = await open()
    tools = setting.tools
  })
  afterEach(() => setting.close())

  const add = (name: string, more: object = {}): Promise<object> =>
    tools.add({ provider: 'openai', name, mode: 'api_key', api_key: `sk-${name}`, ...more })
  const item = async (id: string): Promise<object | undefined> =>
    (await tools.list()).profiles.find((profile) => profile.id === id)

  describe('add', () => {
    it('adds an API key that resolves', async () => {
      expect(await add('work', { priority: 3 })).toEqual({ success: true, profile_id: 'openai:work' })
      expect(await setting.resolver.resolve('openai', 'work')).toMatchObject({ credential: 'sk-work' })
      expect(await item('openai:work')).toMatchObject({
        mode: 'api_key',
        priority: 3,
        enabled: true,
        valid: true,
      })
    })

    it('adds a token, and lets the mode follow from the secret', async () => {
      expect(await tools.add({ provider: 'Anthropic', name: 'ci', token: 'tok-1' })).toEqual({
        success: true,
        profile_id: 'anthropic:ci',
      })
      expect(await item('anthropic:ci')).toMatchObject({ mode: 'token' })
      expect(await tools.add({ provider: 'groq', api_key: 'gsk-1' })).toEqual({
        success: true,
        profile_id: 'groq:default',
      })
    })

    it('keeps base URL, account and models', async () => {
      await add('work', { base_url: 'http://127.0.0.1:9/v1', account: 'org-1', models: ['gpt-4*'] })
      expect(await item('openai:work')).toMatchObject({
        base_url: 'http://127.0.0.1:9/v1',
        account: 'org-1',
        models: ['gpt-4*'],
      })
    })

    it('refuses an existing id unless replace is given', async () => {
      await add('work')
      expect(await add('work', { api_key: 'sk-second' })).toEqual({
        ...FAILURE,
        code: 'profile_exists',
        hint: expect.stringContaining('replace: true') as string,
      })
      expect((await setting.resolver.resolve('openai')).credential).toBe('sk-work')
      expect(await add('work', { api_key: 'sk-second', replace: true })).toMatchObject({ success: true })
      expect((await setting.resolver.resolve('openai')).credential).toBe('sk-second')
    })

    it('says that an OAuth profile still needs a login', async () => {
      const added = await tools.add({ provider: 'gemini', name: 'me@x.com', mode: 'oauth' })
      expect(added).toMatchObject({ success: true, profile_id: 'gemini:me@x.com' })
      expect(added.message).toContain('needs a login')
      expect(added.hint).toBe('run keymux login gemini:me@x.com')
      expect(await item('gemini:me@x.com')).toMatchObject({
        valid: false,
        state: 'invalid',
        login_needed: true,
      })
    })

    it.each<[string, object, string, string]>([
      ['nothing that says how', { provider: 'openai', name: 'a' }, 'invalid_value', 'mode: '],
      ['a missing key', { provider: 'openai', mode: 'api_key' }, 'invalid_secret', 'api_key: '],
      ['an empty key', { provider: 'openai', mode: 'api_key', api_key: '' }, 'invalid_secret', 'api_key: '],
      ['a missing token', { provider: 'openai', mode: 'token' }, 'invalid_secret', 'token: '],
      ['a token for a key', { provider: 'openai', mode: 'api_key', token: 't' }, 'invalid_value', 'token: '],
      ['both', { provider: 'openai', api_key: 'k', token: 't' }, 'invalid_value', 'token: '],
      ['a key for OAuth', { provider: 'gemini', mode: 'oauth', api_key: 'k' }, 'invalid_value', 'api_key: '],
      ['an unknown mode', { provider: 'openai', mode: 'magic', api_key: 'k' }, 'invalid_value', 'mode: '],
      ['an unknown provider', { provider: 'nobody', api_key: 'k' }, 'unknown_provider', '"nobody"'],
      ['no provider', { api_key: 'k' }, 'invalid_value', 'provider: '],
      ['a provider of another type', { provider: 7, api_key: 'k' }, 'invalid_value', 'provider: '],
      ['a bad provider', { provider: 'a/b', api_key: 'k' }, 'invalid_profile_id', 'a/b'],
      ['a bad name', { provider: 'openai', name: 'a:b', api_key: 'k' }, 'invalid_profile_id', 'colon'],
      [
        'a key for a name',
        { provider: 'openai', name: 'sk-marker-1', api_key: 'k' },
        'invalid_value',
        'name: ',
      ],
      ['a name of another type', { provider: 'openai', name: {}, api_key: 'k' }, 'invalid_value', 'name: '],
      [
        'an endless name',
        { provider: 'openai', name: 'n'.repeat(10_000_000), api_key: 'k' },
        'invalid_value',
        'name: ',
      ],
      ['a mode that is not supported', { provider: 'openai', mode: 'oauth' }, 'unsupported_mode', 'oauth'],
      [
        'a priority of another type',
        { provider: 'openai', api_key: 'k', priority: '1' },
        'invalid_value',
        'priority: ',
      ],
      ['half a priority', { provider: 'openai', api_key: 'k', priority: 0.5 }, 'invalid_value', 'priority: '],
      [
        'an endless priority',
        { provider: 'openai', api_key: 'k', priority: 1e12 },
        'invalid_value',
        'priority',
      ],
      [
        'replace of another type',
        { provider: 'openai', api_key: 'k', replace: 'yes' },
        'invalid_value',
        'replace: ',
      ],
      [
        'models of another type',
        { provider: 'openai', api_key: 'k', models: 'gpt' },
        'invalid_value',
        'models: ',
      ],
      [
        'a model of another type',
        { provider: 'openai', api_key: 'k', models: [1] },
        'invalid_value',
        'models[0]: ',
      ],
      [
        'plain HTTP',
        { provider: 'openai', api_key: 'k', base_url: 'http://example.com' },
        'invalid_value',
        'loopback',
      ],
      ['a NUL in the key', { provider: 'openai', api_key: 'a\0b' }, 'invalid_secret', 'NUL'],
      ['a key of 2 MiB', { provider: 'openai', api_key: 'k'.repeat(2_097_152) }, 'invalid_secret', '1 MiB'],
    ])('refuses %s', async (_what, args, code, words) => {
      const result = await tools.add(args as never)
      expect(result).toMatchObject({ ...FAILURE, code })
      expect(`${result.error}; ${result.hint}`).toContain(words)
      expect(result.error?.length).toBeLessThan(400)
      expect((await tools.list()).total).toBe(0)
    })
  })

  describe('delete, enable and setPriority', () => {
    beforeEach(async () => {
      await add('work')
      await add('home')
    })

    it('deletes', async () => {
      expect(await tools.delete({ profile_id: 'openai:work' })).toEqual({ success: true })
      expect((await tools.list()).profiles.map(({ id }) => id)).toEqual(['openai:home'])
      expect(await tools.delete({ profile_id: 'openai:work' })).toMatchObject({
        ...FAILURE,
        code: 'profile_not_found',
      })
    })

    it('switches off and on', async () => {
      await tools.setPriority({ profile_id: 'openai:work', priority: 5 })
      expect((await setting.resolver.resolve('openai')).credential).toBe('sk-work')
      expect(await tools.enable({ profile_id: 'OpenAI:work', enable: false })).toEqual({ success: true })
      expect(await item('openai:work')).toMatchObject({ enabled: false, valid: false, state: 'off' })
      expect((await setting.resolver.resolve('openai', 'work')).credential).toBe('sk-home')
      expect(await tools.enable({ profile_id: 'openai:work', enable: true })).toEqual({ success: true })
      expect((await setting.resolver.resolve('openai')).credential).toBe('sk-work')
    })

    it('sets the priority', async () => {
      expect(await tools.setPriority({ profile_id: 'openai:work', priority: -7 })).toEqual({ success: true })
      expect(await item('openai:work')).toMatchObject({ priority: -7 })
    })

    it.each<[string, Promise<unknown> | (() => Promise<unknown>), string, string]>([
      [
        'enable without a choice',
        () => tools.enable({ profile_id: 'openai:work' } as never),
        'invalid_value',
        'enable: ',
      ],
      [
        'enable with a text',
        () => tools.enable({ profile_id: 'openai:work', enable: 'no' } as never),
        'invalid_value',
        'enable: ',
      ],
      [
        'no priority',
        () => tools.setPriority({ profile_id: 'openai:work' } as never),
        'invalid_value',
        'priority: ',
      ],
      ['no id', () => tools.delete({} as never), 'invalid_value', 'profile_id: '],
      [
        'an id of another type',
        () => tools.delete({ profile_id: ['openai:work'] } as never),
        'invalid_value',
        'profile_id: ',
      ],
      ['a bad id', () => tools.delete({ profile_id: 'openai:' }), 'invalid_profile_id', 'empty'],
      [
        'somebody else',
        () => tools.enable({ profile_id: 'openai:x', enable: true }),
        'profile_not_found',
        'openai:x',
      ],
      [
        'nobody',
        () => tools.setPriority({ profile_id: '__proto__:x', priority: 1 }),
        'invalid_profile_id',
        '__proto__',
      ],
    ])('refuses %s', async (_what, call, code, words) => {
      const result = await (typeof call === 'function' ? call() : call)
      expect(result).toMatchObject({ ...FAILURE, code, error: expect.stringContaining(words) as string })
      expect((await tools.list()).profiles.map(({ enabled, priority }) => [enabled, priority])).toEqual([
        [true, 0],
        [true, 0],
      ])
    })
  })

  describe('list', () => {
    it('is empty at first', async () => {
      expect(await tools.list()).toEqual({ profiles: [], total: 0 })
      expect(await tools.list(undefined)).toEqual({ profiles: [], total: 0 })
    })

    it('tells how each profile stands', async () => {
      await add('work', { priority: 2 })
      await setting.manager.markFailure('openai:work', 'rate_limit', { retryAfterMs: 90_000 })
      await setting.manager.markError('openai:work', new Error('no key sk-work here'))
      const listed = await tools.list()
      expect(listed).toMatchObject({
        total: 1,
        profiles: [
          {
            id: 'openai:work',
            provider: 'openai',
            name: 'work',
            mode: 'api_key',
            enabled: true,
            valid: true,
            priority: 2,
            state: 'cooling',
            last_error: 'no key [redacted] here',
          },
        ],
      })
      expect(formatProfileList(listed)).toContain('work')
    })

    it('filters', async () => {
      await add('work')
      await tools.add({ provider: 'groq', name: 'ci', token: 'tok-1' })
      await tools.enable({ profile_id: 'openai:work', enable: false })
      const ids = async (filter: object): Promise<string[]> =>
        (await tools.list(filter)).profiles.map(({ id }) => id)
      expect(await ids({})).toEqual(['groq:ci', 'openai:work'])
      expect(await ids({ provider: 'GROQ' })).toEqual(['groq:ci'])
      expect(await ids({ provider: '' })).toHaveLength(2)
      expect(await ids({ mode: 'token' })).toEqual(['groq:ci'])
      expect(await ids({ enabled: false })).toEqual(['openai:work'])
      expect(await ids({ enabled: true, mode: 'api_key' })).toEqual([])
      expect(await ids({ provider: 'nobody' })).toEqual([])
    })

    it.each<[string, unknown, string]>([
      ['a mode that is none', { mode: 'magic' }, 'mode: '],
      ['enabled of another type', { enabled: 'yes' }, 'enabled: '],
      ['a provider of another type', { provider: 3 }, 'provider: '],
      ['a list', [], 'object'],
      ['a number', 7, 'object'],
    ])('refuses %s, and still gives a list', async (_what, args, words) => {
      await add('work')
      expect(await tools.list(args as never)).toEqual({
        ...FAILURE,
        error: expect.stringContaining(words) as string,
        code: 'invalid_value',
        profiles: [],
        total: 0,
      })
    })
  })

  describe('import and export', () => {
    it.each<[string, 'api_key' | 'token' | 'oauth', string, object]>([
      ['a key', 'api_key', 'openai', { key: 'sk-1' }],
      ['a reference to a key', 'api_key', 'openai', { key_ref: 'vault://SHARED' }],
      ['a bare reference', 'api_key', 'openai', { key_ref: 'SHARED' }],
      ['a token', 'token', 'groq', { token: 'tok-1', expires_at: '2027-01-01T00:00:00Z' }],
      ['a reference to a token', 'token', 'groq', { token_ref: 'env://TOKEN' }],
      [
        'a login',
        'oauth',
        'gemini',
        {
          access_token: 'at-1',
          refresh_token: 'rt-1',
          expires_at: '2027-01-01T00:00:00Z',
          email: 'me@x.com',
          client_id: 'client',
          scopes: ['openid', 'email'],
          metadata: { project: 'p-1' },
        },
      ],
    ])('brings back %s', async (_what, mode, provider, data) => {
      const args = { provider, name: 'moved', mode }
      expect(await tools.import({ ...args, data })).toEqual({
        success: true,
        profile_id: `${provider}:moved`,
      })
      const exported = await tools.export({ profile_id: `${provider}:moved` })
      expect(exported).toMatchObject({ success: true, mode, data })
      expect(await tools.import({ ...args, data: JSON.stringify(exported.data) })).toMatchObject({
        code: 'profile_exists',
      })
      expect(
        await tools.import({ ...args, data: JSON.stringify(exported.data), replace: true }),
      ).toMatchObject({
        success: true,
      })
      expect(await tools.export({ profile_id: `${provider}:moved` })).toEqual(exported)
    })

    it('says that a login without any means of renewal has ended', async () => {
      const data = { access_token: 'at-1', expires_at: '2020-01-01T00:00:00Z' }
      const result = await tools.import({ provider: 'gemini', name: 'old', mode: 'oauth', data })
      expect(result).toMatchObject({ success: true, hint: 'run keymux login gemini:old' })
    })

    it.each<[string, string, unknown, string]>([
      ['no data', 'api_key', undefined, 'data: '],
      ['a list', 'api_key', ['sk-marker-1'], 'data: '],
      ['a number', 'api_key', 7, 'data: '],
      ['text that is not JSON', 'api_key', 'sk-marker-1', 'data: '],
      ['JSON text that is no object', 'api_key', '"sk-marker-1"', 'data: '],
      ['the wrong field', 'api_key', { api_key: 'sk-marker-1' }, 'data.key: '],
      ['a field of another mode', 'api_key', { token: 'sk-marker-1' }, 'data.key: '],
      ['a key of another type', 'api_key', { key: ['sk-marker-1'] }, 'data.key: '],
      ['an empty key', 'api_key', { key: '' }, 'data.key: '],
      ['a key with a NUL', 'api_key', { key: 'sk-marker-1\0' }, 'data.key: '],
      ['a key of 2 MiB', 'api_key', { key: 'k'.repeat(2_097_152) }, 'data.key: '],
      ['key and reference', 'api_key', { key: 'sk-marker-1', key_ref: 'vault://A' }, 'data.key_ref: '],
      ['a key for a bare reference', 'api_key', { key_ref: 'sk-marker-1' }, 'data.key_ref: '],
      ['a key for a reference', 'api_key', { key_ref: 'http://sk-marker-1' }, 'data.key_ref: '],
      ['no token', 'token', { expires_at: '2027-01-01T00:00:00Z' }, 'data.token: '],
      ['a bad time', 'token', { token: 'sk-marker-1', expires_at: 'sk-marker-1' }, 'data.expires_at: '],
      ['a time of another type', 'token', { token: 'sk-marker-1', expires_at: 17 }, 'data.expires_at: '],
      ['a bad reference', 'token', { token_ref: 'ftp://x' }, 'data.token_ref: '],
      ['no tokens', 'oauth', { email: 'me@x.com' }, 'data.access_token: '],
      ['a token without an end', 'oauth', { access_token: 'sk-marker-1' }, 'data.expires_at: '],
      ['an access token of another type', 'oauth', { access_token: {} }, 'data.access_token: '],
      ['a refresh token of another type', 'oauth', { refresh_token: 5 }, 'data.refresh_token: '],
      ['a refresh token with a NUL', 'oauth', { refresh_token: 'sk-marker-1\0' }, 'data.refresh_token: '],
      ['a bad e-mail type', 'oauth', { refresh_token: 'sk-marker-1', email: 1 }, 'data.email: '],
      ['a bad client', 'oauth', { refresh_token: 'sk-marker-1', client_id: [] }, 'data.client_id: '],
      ['scopes as a text', 'oauth', { refresh_token: 'sk-marker-1', scopes: 'openid' }, 'data.scopes: '],
      [
        'a scope of another type',
        'oauth',
        { refresh_token: 'sk-marker-1', scopes: ['a', 2] },
        'data.scopes[1]: ',
      ],
      ['metadata as a list', 'oauth', { refresh_token: 'sk-marker-1', metadata: [] }, 'data.metadata: '],
      [
        'metadata of another type',
        'oauth',
        { refresh_token: 'sk-marker-1', metadata: { a: 1 } },
        'data.metadata["a"]: ',
      ],
      ['a mode that is none', 'magic', { key: 'sk-marker-1' }, 'mode: '],
    ])('refuses %s and names the field', async (_what, mode, data, words) => {
      const result = await tools.import({
        provider: 'gemini',
        name: 'moved',
        mode: mode as never,
        data: data as never,
      })
      expect(result).toMatchObject({
        ...FAILURE,
        error: expect.stringMatching(new RegExp(`^${words.replace(/[[\]."]/g, '\\$&')}`)) as string,
      })
      expect(JSON.stringify(result)).not.toContain('sk-marker-1')
      expect((await tools.list()).total).toBe(0)
    })

    it('exports nothing where there is nothing', async () => {
      expect(await tools.export({ profile_id: 'openai:x' })).toMatchObject({
        ...FAILURE,
        code: 'profile_not_found',
      })
      await tools.add({ provider: 'gemini', name: 'a', mode: 'oauth' })
      expect(await tools.export({ profile_id: 'gemini:a' })).toMatchObject({
        ...FAILURE,
        code: 'reference_unresolved',
      })
    })

    it('reveals to nobody where that is not allowed', async () => {
      await add('work')
      const guarded = new ProfileTools(setting.manager, setting.resolver, { allowReveal: false })
      const result = await guarded.export({ profile_id: 'openai:work' })
      expect(result).toMatchObject({ success: false, code: 'reveal_refused' })
      expect(result.error).toContain('person')
      expect(JSON.stringify(result)).not.toContain('sk-work')
      expect(await guarded.test({ profile_id: 'openai:work' })).toMatchObject({ valid: true })
    })
  })

  describe('test', () => {
    const test = (id: string): Promise<object> => tools.test({ profile_id: id })
    const give = (mode: 'api_key' | 'token' | 'oauth', data: object): Promise<object> =>
      tools.import({ provider: 'gemini', name: 'a', mode, data })

    it('finds a key valid, without using it', async () => {
      await add('work')
      expect(await test('openai:work')).toEqual({ success: true, valid: true, state: 'available' })
      expect(await item('openai:work')).not.toHaveProperty('last_used_at')
    })

    it('tells how long a token is still good, in milliseconds', async () => {
      await give('token', { token: 'tok', expires_at: '2026-01-01T01:00:00Z' })
      expect(await test('gemini:a')).toEqual({
        success: true,
        valid: true,
        state: 'available',
        expires_in: 3_600_000,
      })
      setting.clock.advance(3_600_000)
      expect(await test('gemini:a')).toEqual({
        success: true,
        valid: false,
        expired: true,
        state: 'expired',
        error: 'gemini:a expired at 2026-01-01T01:00:00Z and cannot be renewed',
        code: 'test_failed',
        hint: 'add it again with replace: true',
      })
    })

    it('gives the e-mail of a login', async () => {
      await give('oauth', { access_token: 'at', expires_at: '2026-01-01T01:00:00Z', email: 'me@x.com' })
      expect(await test('gemini:a')).toMatchObject({ valid: true, email: 'me@x.com', expires_in: 3_600_000 })
      setting.clock.advance(4_000_000)
      expect(await test('gemini:a')).toMatchObject({
        success: true,
        valid: false,
        expired: true,
        code: 'test_failed',
        hint: 'run keymux login gemini:a',
      })
    })

    it('says what a profile lacks', async () => {
      await tools.add({ provider: 'gemini', name: 'a', mode: 'oauth' })
      expect(await test('gemini:a')).toMatchObject({
        success: true,
        valid: false,
        error: 'gemini:a needs a login',
        hint: 'run keymux login gemini:a',
      })
      await add('work')
      await tools.enable({ profile_id: 'openai:work', enable: false })
      expect(await test('openai:work')).toMatchObject({
        success: true,
        valid: false,
        error: 'openai:work is switched off',
      })
    })

    it('follows references', async () => {
      await give('api_key', { key_ref: 'vault://SHARED' })
      expect(await test('gemini:a')).toMatchObject({ success: true, valid: true })
      await tools.delete({ profile_id: 'gemini:a' })
      await give('token', { token_ref: 'vault://MISSING' })
      expect(await test('gemini:a')).toMatchObject({
        success: true,
        valid: false,
        code: 'reference_unresolved',
        error: 'gemini:a reads its secret from vault://MISSING, which gives none',
      })
    })

    it('finds a profile sound that merely waits', async () => {
      await add('work')
      await setting.manager.markFailure('openai:work', 'rate_limit', { retryAfterMs: 90_000 })
      expect(await test('openai:work')).toMatchObject({ success: true, valid: true, state: 'cooling' })
    })

    it('fails where there is nothing to test', async () => {
      expect(await test('openai:x')).toEqual({
        ...FAILURE,
        valid: false,
        code: 'profile_not_found',
        hint: 'see keymux list',
      })
      expect(await test('')).toMatchObject({ ...FAILURE, valid: false, code: 'invalid_value' })
    })
  })

  it('lists providers', async () => {
    const { providers } = await tools.providers()
    expect(providers).toEqual(
      expect.arrayContaining([
        {
          name: 'openai',
          label: 'OpenAI',
          description: expect.any(String) as string,
          modes: expect.arrayContaining(['api_key']) as string[],
          env_key: 'OPENAI_API_KEY',
          website: expect.stringContaining('https://') as string,
        },
      ]),
    )
    expect(providers.map(({ name }) => name)).toEqual(providers.map(({ name }) => name).sort())
  })

  it('obeys an aborted signal by saying so', async () => {
    const result = await tools.delete(
      { profile_id: 'openai:work' },
      { signal: AbortSignal.abort(new Error('sk-marker-1')) },
    )
    expect(result).toEqual({ ...FAILURE, code: 'aborted', hint: 'call again' })
    expect(JSON.stringify(result)).not.toContain('sk-marker-1')
  })
})

describe('a vault of keymux', () => {
  it('tells until when and why a profile is unusable', async () => {
    const { tools, manager, clock, close } = await ownVault()
    await tools.add({ provider: 'openai', name: 'work', api_key: 'sk-work' })
    await manager.markFailure('openai:work', 'rate_limit', { retryAfterMs: 90_000 })
    const until = new Date(clock.now().getTime() + 90_000).toISOString().replace('.000', '')
    const facts = { state: 'cooling', unusable_until: until, unusable_reason: 'rate_limit' }
    expect((await tools.list()).profiles[0]).toMatchObject(facts)
    expect(await tools.test({ profile_id: 'openai:work' })).toMatchObject(facts)
    await close()
  })

  it('finds an expired login valid that can be renewed, and does not renew it', async () => {
    let renewals = 0
    const refresher = {
      refreshToken: async () => {
        renewals += 1
        throw new KeymuxError('refresh_failed', 'not now')
      },
    }
    const handle = await openTestHandle({ refresher })
    const tools = new ProfileTools(handle.profiles, handle.resolver, { clock: handle.clock })
    const data = { access_token: 'at', refresh_token: 'rt', expires_at: '2026-01-01T01:00:00Z' }
    await tools.import({ provider: 'gemini', name: 'a', mode: 'oauth', data })
    handle.clock.advance(7_200_000)
    expect(await tools.test({ profile_id: 'gemini:a' })).toEqual({
      success: true,
      valid: true,
      expired: true,
      state: 'available',
    })
    expect(renewals).toBe(0)
    await handle.close()
  })

  it('writes an export into the audit, and shows nothing when that fails', async () => {
    const handle = await openTestHandle()
    const tools = new ProfileTools(handle.profiles, handle.resolver)
    await tools.add({ provider: 'openai', name: 'work', api_key: 'sk-work' })
    await tools.export({ profile_id: 'openai:work' })
    expect(await handle.vault.audit()).toContainEqual(
      expect.objectContaining({ event: 'exported', subject: 'openai:work' }),
    )
    handle.profiles.noteRevealed = () => Promise.reject(new KeymuxError('storage_full', 'the disk is full'))
    const result = await tools.export({ profile_id: 'openai:work' })
    expect(result).toEqual({ success: false, code: 'storage_full', error: 'the disk is full' })
    await handle.close()
  })
})

describe('trouble below', () => {
  it('says that the vault is locked', async () => {
    const vault = createMemoryVault()
    const manager = newStore({ vault })
    const tools = new ProfileTools(manager, new Resolver({ store: manager }))
    await tools.add({ provider: 'openai', name: 'work', api_key: 'sk-work' })
    vault.lock()
    expect(await tools.add({ provider: 'openai', name: 'b', api_key: 'sk-b' })).toMatchObject({
      ...FAILURE,
      code: 'vault_locked',
    })
    expect(await tools.list()).toEqual({ profiles: [], total: 0 })
    vault.unlock()
    expect(await tools.list()).toMatchObject({ total: 1 })
  })

  it('repeats nothing secret from an error of somebody else', async () => {
    const { manager } = await anyVault(plain)
    const broken = {
      ...manager,
      save: () => Promise.reject(new Error('cannot store MARKER-7f3a\nnor Bearer abc123def456')),
    }
    const tools = new ProfileTools(broken, new Resolver({ store: broken }))
    const results = [
      await tools.add({ provider: 'openai', api_key: 'MARKER-7f3a' }),
      await tools.import({ provider: 'openai', mode: 'token', data: { token: 'MARKER-7f3a' } }),
    ]
    for (const result of results) {
      expect(result).toEqual({
        success: false,
        code: 'internal_error',
        error: 'internal error: cannot store [redacted] nor Bearer [redacted]',
      })
    }
  })

  it('survives a manager that throws what is no error', async () => {
    const { manager } = await anyVault(plain)
    for (const thrown of [undefined, null, 'sk-marker-1', 7, { message: 'sk-marker-1' }]) {
      const broken = { ...manager, list: () => Promise.reject(thrown) }
      const tools = new ProfileTools(broken, new Resolver({ store: broken }))
      const result = await tools.list()
      expect(result).toMatchObject({
        success: false,
        code: 'internal_error',
        error: 'internal error: unknown',
      })
    }
  })
})
