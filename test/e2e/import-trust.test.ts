import { resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  corpAt,
  exportOf,
  KINDS,
  type OutsideWorld,
  openOutsideWorld,
  PLANTED,
  SPENT_LOGIN,
  storedProfile,
} from '../support/outside.js'
import type { Outcome } from '../transcripts/fake-host.js'

let world: OutsideWorld
beforeEach(async () => {
  world = await openOutsideWorld()
})
afterEach(() => world.close())

interface Report {
  readonly imported: string[]
  readonly skipped: { id: string; reason: string }[]
  readonly failed: { id: string; reason: string }[]
  readonly notes?: string[]
}

const read = ({ code, stdout, stderr }: Outcome): Report & { code: number } => {
  if (stderr !== '') throw new Error(stderr)
  return { code, ...(JSON.parse(stdout) as Report) }
}
const run = async (args: readonly string[]): Promise<Report & { code: number }> =>
  read(await world.run(['import', ...args, '--json']))
const json = (contents: Parameters<typeof exportOf>[0], ...more: string[]) =>
  run(['json', world.file('in.json', exportOf(contents)), ...more])
const TRUST = '--trust-endpoints'
const key = (id: string, more: object = {}) =>
  storedProfile(id, 'api_key', { api_key: { key: 'k-1' }, ...more })

test('a proxy is taken with --trust-endpoints alone', async () => {
  const contents = {
    profiles: [key('openai:far', { proxy: 'http://proxy.example:1' }), key('openai:near', { proxy: 'none' })],
  }
  const first = await json(contents)
  expect(first).toMatchObject({ code: 1, imported: ['openai:near'] })
  expect(first.failed[0]?.reason).toContain('through the proxy http://proxy.example:1')
  expect(await json(contents, TRUST)).toMatchObject({ code: 0, imported: ['openai:far'], failed: [] })
  expect((await world.keymux.profiles.get('openai:far'))?.proxy).toBe('http://proxy.example:1')
})

describe('an address', () => {
  test.each([
    ['https://collector.example/v1', 'https://collector.example/v1'],
    ['http://127.0.0.1:9/v1', 'http://127.0.0.1:9/v1'],
    ['https://api.openai.com.collector.example/v1', 'collector.example'],
    ['https://api.openai.com/other', 'https://api.openai.com/other'],
  ])('that is not the provider’s, %s, is taken with --trust-endpoints alone', async (base_url, said) => {
    const contents = { profiles: [key('openai:far', { base_url }), key('openai:near')] }
    const first = await json(contents)
    expect(first).toMatchObject({ code: 1, imported: ['openai:near'], skipped: [] })
    expect(first.failed).toEqual([{ id: 'openai:far', reason: expect.stringContaining(said) }])
    expect(first.failed[0]?.reason).toContain(TRUST)
    expect(await world.keymux.profiles.get('openai:far')).toBeUndefined()
    expect(await json(contents, TRUST)).toMatchObject({ code: 0, imported: ['openai:far'], failed: [] })
    expect((await world.keymux.profiles.get('openai:far'))?.baseUrl).toBe(base_url)
    // What is there is there, whatever is believed.
    expect(await json(contents)).toMatchObject({ code: 0, imported: [], failed: [] })
  })

  test.each(['https://api.openai.com/v1', 'https://api.openai.com/v1/', 'https://API.openai.com:443/v1'])(
    'that is the provider’s own, %s, needs nothing',
    async (base_url) => {
      expect(await json({ profiles: [key('openai:near', { base_url })] })).toMatchObject({
        code: 0,
        imported: ['openai:near'],
      })
    },
  )

  test('does not come over what is there either', async () => {
    await world.keymux.profiles.add({ provider: 'openai', name: 'mine', secret: 'sk-mine' })
    const contents = { profiles: [key('openai:mine', { base_url: 'https://collector.example/v1' })] }
    expect(await json(contents, '--replace')).toMatchObject({ code: 1, imported: [] })
    expect(await world.keymux.profiles.get('openai:mine')).toMatchObject({ apiKey: { key: 'sk-mine' } })
  })

  test('is shown without what looks like a key, and without tricks', async () => {
    const base_url = 'https://collector.example/sk-ant-api03-MarkerMarkerMarker/\u202e'
    const path = world.file('in.json', exportOf({ profiles: [key('openai:far', { base_url })] }))
    const { stdout } = await world.run(['import', 'json', path])
    expect(stdout).toContain('https://collector.example/')
    expect(stdout).not.toMatch(/Marker|\u202e/)
  })

  test.each<[string, object, string]>([
    ['qwen-code', { access_token: 'at', resource_url: 'collector.example' }, 'https://collector.example/v1'],
    [
      'copilot',
      { 'collector.example:app': { user: 'ada', oauth_token: 'gho_1' } },
      'https://copilot-api.collector.example',
    ],
    [
      'openclaw',
      {
        profiles: {
          'github-copilot:a': {
            type: 'oauth',
            provider: 'github-copilot',
            access: 'at',
            enterpriseUrl: 'collector.example',
          },
        },
      },
      'https://copilot-api.collector.example',
    ],
    [
      'opencode',
      { 'github-copilot': { type: 'oauth', access: 'at', enterpriseUrl: 'collector.example' } },
      'https://copilot-api.collector.example',
    ],
    [
      'pi',
      { 'github-copilot': { type: 'oauth', access: 'at', enterpriseUrl: 'collector.example' } },
      'https://copilot-api.collector.example',
    ],
  ])('in a file of %s', async (source, contents, said) => {
    const path = world.file('tool.json', JSON.stringify(contents))
    const first = await run([source, path])
    expect(first).toMatchObject({ code: 1, imported: [], skipped: [] })
    expect(first.failed).toEqual([{ id: expect.any(String), reason: expect.stringContaining(said) }])
    expect(await run([source, path, TRUST])).toMatchObject({ code: 0, imported: [first.failed[0]?.id] })
  })
})

describe('a reference', () => {
  test.each(KINDS)('to a key, %s', async (kind) => {
    const profiles = [storedProfile('groq:a', 'api_key', { api_key: { key_ref: world.references[kind] } })]
    const inside = kind === 'vault' || kind === 'bare'
    const first = await json({ profiles })
    expect(first).toMatchObject({ code: inside ? 0 : 1, imported: inside ? ['groq:a'] : [] })
    if (!inside) {
      expect(first.failed[0]?.reason).toContain(kind === 'exec' ? 'exec://' : world.references[kind])
      expect(first.failed[0]?.reason).toContain(TRUST)
      expect(await json({ profiles }, TRUST)).toMatchObject({ code: 0, imported: ['groq:a'] })
    }
    expect((await world.keymux.resolver.resolve('groq')).credential).toBe(PLANTED[kind])
  })

  test.each<[string, object]>([
    [
      'openclaw',
      {
        profiles: {
          'openai:a': { type: 'api_key', provider: 'openai', keyRef: { source: 'env', id: 'PLANTED' } },
        },
      },
    ],
    ['openclaw', { profiles: { 'openai:a': { type: 'api_key', provider: 'openai', key: '$PLANTED' } } }],
    ['pi', { openai: { type: 'api_key', key: '$PLANTED' } }],
  ])('to a variable, in a file of %s', async (source, contents) => {
    const path = world.file('tool.json', JSON.stringify(contents))
    const first = await run([source, path])
    expect(first).toMatchObject({ code: 1, imported: [] })
    expect(first.failed[0]?.reason).toMatch(/env:\/\/PLANTED.*--trust-endpoints/)
    expect(await run([source, path, TRUST])).toMatchObject({ code: 0 })
    expect((await world.keymux.resolver.resolve('openai')).credential).toBe(PLANTED.env)
  })

  test.each(KINDS)('to a client’s secret is left out, and that is said: %s', async (kind) => {
    const oauth = {
      provider: 'corp',
      profile_name: 'x',
      ...SPENT_LOGIN,
      client_secret_ref: world.references[kind],
      metadata: { project: 'p', page: 'https://collector.example', client_secret_ref: 'file:///etc/passwd' },
    }
    const profiles = [storedProfile('corp:a', 'oauth', { oauth })]
    const first = await json({ profiles })
    expect(first).toMatchObject({ code: 0, imported: ['corp:a'] })
    expect(first.notes).toEqual([
      expect.stringMatching(/^corp:a came without where .* and metadata "page" and .*--trust-endpoints/),
    ])
    expect((await world.keymux.profiles.get('corp:a'))?.oauth?.metadata).toEqual({ project: 'p' })
    await world.keymux.resolver.resolve('corp')
    expect(world.sent()).not.toContain('PLANTED')
  })

  test.each(KINDS)('to a client’s secret comes along where the person says so: %s', async (kind) => {
    const oauth = { provider: 'corp', profile_name: 'x', ...SPENT_LOGIN }
    const profiles = [
      storedProfile('corp:a', 'oauth', { oauth: { ...oauth, client_secret_ref: world.references[kind] } }),
    ]
    expect(await json({ profiles })).toMatchObject({ imported: ['corp:a'] })
    expect(await json({ profiles })).toMatchObject({ skipped: [{ reason: 'already there' }] })
    expect(await json({ profiles }, TRUST, '--replace')).toMatchObject({ imported: ['corp:a'] })
    expect(await json({ profiles })).toMatchObject({ skipped: [{ reason: 'already there' }] })
    await world.keymux.resolver.resolve('corp')
    expect(world.sent()).toContain(PLANTED[kind])
  })
})

test('a provider is an address, and comes with --trust-endpoints alone', async () => {
  const sly = { name: 'sly', ...corpAt(world.origin, { client_secret_ref: world.references.file }) }
  const login = { provider: 'sly', profile_name: 'a', ...SPENT_LOGIN }
  const contents = { providers: [sly], profiles: [storedProfile('sly:a', 'oauth', { oauth: login })] }
  const first = await json(contents)
  expect(first).toMatchObject({ code: 1, imported: [], skipped: [{ id: 'sly:a' }] })
  expect(first.failed).toEqual([{ id: 'provider/sly', reason: expect.stringContaining(TRUST) }])
  expect(first.failed[0]?.reason).toContain(`${world.origin}/token`)
  expect(world.keymux.providers.get('sly')).toBeUndefined()
  expect(await json(contents, TRUST)).toMatchObject({ code: 0, imported: ['provider/sly', 'sly:a'] })
  expect(await json(contents)).toMatchObject({ code: 0, skipped: [{ id: 'provider/sly' }, { id: 'sly:a' }] })
})

describe('a priority', () => {
  test.each([1_000_000, -1_000_000, 100_001, Number.MAX_SAFE_INTEGER])(
    'of %i is refused',
    async (priority) => {
      const report = await json({ profiles: [key('openai:first', { priority })] })
      expect(report).toMatchObject({ code: 1, imported: [] })
      expect(report.failed[0]?.reason).toContain('between -100000 and 100000')
      const { tools } = world.keymux
      await tools.add({ provider: 'openai', name: 'tool', api_key: 'sk-1' })
      expect(await tools.setPriority({ profile_id: 'openai:tool', priority })).toMatchObject({
        success: false,
      })
      const added = await tools.add({ provider: 'groq', name: 'tool', api_key: 'gsk-1', priority })
      expect(added).toMatchObject({ success: false, code: 'invalid_value' })
      const args = ['add', 'groq:cli', '--stdin', '--priority', String(priority)]
      expect(await world.run(args, { stdin: 'gsk-1' })).toMatchObject({ code: 2 })
    },
  )

  test.each([100_000, -100_000, 7])('of %i is kept', async (priority) => {
    expect(await json({ profiles: [key('openai:first', { priority })] })).toMatchObject({ code: 0 })
    expect((await world.keymux.profiles.get('openai:first'))?.priority).toBe(priority)
  })
})

test('a vault of DevClaw comes in whole, bare references and all', async () => {
  const path = resolve('test/vectors/devclaw/sample.devclaw.vault')
  const { code, failed, imported } = read(
    await world.run(['import', 'devclaw', path, '--json'], {
      env: { DEVCLAW_VAULT_PASSWORD: 'correct horse battery staple' },
    }),
  )
  expect([code, failed]).toEqual([0, []])
  expect(imported).toContain('openai:default')
  expect((await world.keymux.profiles.view('openai:default')).reference).toBe('vault://OPENAI_API_KEY')
})

test('one’s own backup comes back whole where one says so, and otherwise what is missing is said', async () => {
  const { profiles, providerShelf } = world.keymux
  await providerShelf.add('own', corpAt(world.origin, { client_secret_ref: 'vault://PLANTED' }))
  await profiles.add({ provider: 'openai', name: 'far', secret: 'sk-1', baseUrl: 'https://proxy.example/v1' })
  await profiles.add({ provider: 'groq', reference: 'env://PLANTED' })
  await profiles.add({ provider: 'own', secret: 'own-key' })
  const oauth = {
    accessToken: 'at',
    refreshToken: 'rt',
    expiresAt: new Date('2090-01-01T00:00:00Z'),
    clientId: 'corp-client',
    clientSecretRef: 'vault://PLANTED',
  }
  await profiles.add({ provider: 'corp', name: 'login', mode: 'oauth', oauth })
  const sealed = await world.run(['export'])
  const back = async (...more: string[]): Promise<[Report & { code: number }, OutsideWorld]> => {
    const other = await openOutsideWorld()
    const outcome = await other.run(['import', 'age', '-', '--json', ...more], { stdin: sealed.stdout })
    return [read(outcome), other]
  }
  const [part, first] = await back()
  expect(part).toMatchObject({
    code: 1,
    imported: ['corp:login'],
    failed: [{ id: 'provider/own' }, { id: 'groq:default' }, { id: 'openai:far' }],
    notes: [expect.stringContaining("where its client's secret is kept")],
  })
  await first.close()
  const [whole, second] = await back(TRUST)
  expect(whole).toMatchObject({ code: 0, failed: [] })
  expect(await second.keymux.profiles.get('corp:login')).toMatchObject({
    oauth: { clientSecretRef: 'vault://PLANTED' },
  })
  await second.close()
})
