import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../src/entries/gateway.js'
import { sealAge } from '../../src/interchange/age.js'
import { DEVCLAW_STORE_ENTRY, writeDevclawVault } from '../../src/interchange/devclaw-vault.js'
import { ProfileTools } from '../../src/operations/profile-tools.js'
import {
  exportOf,
  KINDS,
  type OutsideWorld,
  openOutsideWorld,
  PLANTED,
  SEALED_WITH,
  SPENT_LOGIN,
  storedProfile,
} from '../support/outside.js'

/*
 * Nothing that comes by a tool, over the gateway or in a file decides by itself what is read, what is run, or where a
 * credential is sent. Every door is tried with every kind of reference.
 */

let world: OutsideWorld
let gateway: Gateway
let state: string
beforeEach(async () => {
  world = await openOutsideWorld()
  state = mkdtempSync(join(tmpdir(), 'keymux-outside-state-'))
  gateway = await startGateway(world.keymux, { stateFolder: state })
})
afterEach(async () => {
  await gateway.close({ drainMs: 0 })
  await world.close()
  rmSync(state, { recursive: true, force: true })
})

async function api(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, text: await response.text() }
}

interface Handed {
  readonly id: string
  readonly mode: 'api_key' | 'token' | 'oauth'
  readonly data: object
}

/** Hands over credential data of profiles, however the door takes it. */
type Door = (all: readonly Handed[]) => Promise<unknown>

const byTool = (tools: () => Pick<ProfileTools, 'import'>): Door => {
  return async (all) => {
    for (const { id, mode, data } of all) {
      const [provider = '', name = ''] = id.split(':')
      await tools().import({ provider, name, mode, data })
    }
  }
}

const byFile = (write: (profiles: readonly object[]) => Promise<string[]>): Door => {
  return async (all) => {
    const profiles = all.map(({ id, mode, data }) => {
      const section = mode === 'oauth' ? { provider: 'corp', profile_name: 'x', ...data } : data
      return storedProfile(id, mode, { [mode]: section })
    })
    return world.run(['import', ...(await write(profiles)), '--json'])
  }
}

/** The profiles as DevClaw stores them. */
function devclawStore(profiles: readonly object[]): string {
  const byId = profiles.map((profile) => [Reflect.get(profile, 'id'), profile])
  return JSON.stringify({ version: 1, profiles: Object.fromEntries(byId) })
}

const DOORS: readonly (readonly [string, Door])[] = [
  ['a tool of the handle', byTool(() => world.keymux.tools)],
  [
    'a tool of agents',
    byTool(() => {
      const { profiles, resolver, providers } = world.keymux
      return new ProfileTools(profiles, resolver, { providers })
    }),
  ],
  [
    '/api',
    async (all) => {
      for (const { id, mode, data } of all) {
        const [provider, name] = id.split(':')
        await api('POST', '/api/tools/profile_import', { provider, name, mode, data })
      }
    },
  ],
  ['import json', byFile(async (profiles) => ['json', world.file('in.json', exportOf({ profiles }))])],
  [
    "import json of DevClaw's store",
    byFile(async (profiles) => ['json', world.file('in.json', devclawStore(profiles))]),
  ],
  [
    'import age',
    byFile(async (profiles) => {
      const sealed = await sealAge(exportOf({ profiles }), { passphrase: SEALED_WITH })
      return ['age', world.file('in.age', Buffer.from(sealed).toString())]
    }),
  ],
  [
    'import devclaw',
    byFile(async (profiles) => {
      const entries = new Map([[DEVCLAW_STORE_ENTRY, devclawStore(profiles)]])
      return ['devclaw', world.file('in.vault', await writeDevclawVault(entries, SEALED_WITH))]
    }),
  ],
]

/** Uses the profile, so that a login in it is renewed. What is handed out, or the error's text. */
async function use(id: string): Promise<string> {
  const [provider = '', name = ''] = id.split(':')
  return world.keymux.resolver
    .resolve(provider, name, { strict: true })
    .then(({ credential }) => credential, String)
}

describe.each(DOORS)('by %s', (_door, hand) => {
  test('a login comes in, and is renewed', async () => {
    await hand([{ id: 'corp:a', mode: 'oauth', data: SPENT_LOGIN }])
    expect(await use('corp:a')).toMatch(/^at-/)
    expect(world.sent()).toContain('POST /token')
  })

  test('no client secret is read, from wherever', async () => {
    const all = KINDS.flatMap((kind): Handed[] => {
      const reference = world.references[kind]
      const free = { clientSecretRef: reference, client_secret: reference, token_endpoint: reference }
      const logins = {
        metadata: { metadata: { client_secret_ref: reference } },
        field: { client_secret_ref: reference },
        others: { clientSecretRef: reference, metadata: free },
      }
      return Object.entries(logins).map(([place, more]) => {
        return { id: `corp:${kind}-${place}`, mode: 'oauth', data: { ...SPENT_LOGIN, ...more } }
      })
    })
    await hand(all)
    for (const { id } of all) {
      await use(id)
      expect(world.sent(), id).not.toContain('PLANTED')
    }
    for (const { id, oauth } of await world.keymux.profiles.list()) {
      expect(oauth?.clientSecretRef, id).toBeUndefined()
      expect(oauth?.metadata ?? {}, id).not.toHaveProperty('client_secret_ref')
    }
  })

  test('no credential is read from outside the vault', async () => {
    const kinds = KINDS.filter((kind) => kind !== 'vault' && kind !== 'bare')
    const all = kinds.flatMap((kind): Handed[] => [
      { id: `corp:${kind}-key`, mode: 'api_key', data: { key_ref: world.references[kind] } },
      { id: `corp:${kind}-token`, mode: 'token', data: { token_ref: world.references[kind] } },
    ])
    await hand(all)
    for (const { id } of all) expect(await use(id), id).not.toContain('PLANTED')
    expect(await world.keymux.profiles.list()).toEqual([])
  })
})

test.each(KINDS)('what the profile’s mode does not use is never read, as from %s', async (kind) => {
  const login = {
    ...SPENT_LOGIN,
    provider: 'corp',
    profile_name: 'x',
    access_token: 'at-good',
    expires_at: '2090-01-01T00:00:00Z',
  }
  const stray = { token: { token_ref: world.references[kind] }, api_key: { key_ref: world.references[kind] } }
  const profiles = [storedProfile('corp:login', 'oauth', { oauth: login, ...stray })]
  const path = world.file('in.json', exportOf({ profiles }))
  expect(JSON.parse((await world.run(['import', 'json', path, '--json'])).stdout)).toMatchObject({
    imported: ['corp:login'],
  })
  expect(await use('corp:login')).toBe('at-good')
  expect((await world.keymux.profiles.view('corp:login')).reference).toBeUndefined()
  expect(JSON.parse((await world.run(['import', 'json', path, '--json'])).stdout)).toMatchObject({
    skipped: [{ id: 'corp:login', reason: 'already there' }],
  })
})

test.each(KINDS)('a person’s own reference to a client’s secret is read: %s', async (kind) => {
  const { profiles } = world.keymux
  const credential = {
    accessToken: 'old',
    refreshToken: 'rt',
    expiresAt: new Date('2020-01-01T00:00:00Z'),
    clientId: 'corp-client',
    clientSecretRef: world.references[kind],
    metadata: { project: 'p' },
  }
  await profiles.add({ provider: 'corp', name: 'mine', mode: 'oauth', oauth: credential })
  expect(await use('corp:mine')).toMatch(/^at-/)
  expect(world.sent()).toContain(PLANTED[kind])
  // It outlives the renewal, a new name and the logout.
  await profiles.rename('corp:mine', 'renamed')
  await (await world.keymux.logins()).logout('corp:renamed')
  expect((await profiles.get('corp:renamed'))?.oauth).toMatchObject({
    clientSecretRef: world.references[kind],
    metadata: { project: 'p' },
  })
})

describe('addresses', () => {
  const FOREIGN = 'https://collector.example/v1'

  test.each([
    ['the handle', () => world.keymux.tools],
    [
      'agents',
      () =>
        new ProfileTools(world.keymux.profiles, world.keymux.resolver, { providers: world.keymux.providers }),
    ],
  ])('the tools of %s set none', async (_whose, tools) => {
    const add = { provider: 'openai', name: 'far', api_key: 'sk-1234567890', base_url: FOREIGN }
    expect(await tools().add(add)).toMatchObject({ success: false, code: 'endpoint_refused' })
    expect(await tools().add({ ...add, base_url: 'https://api.openai.com/v1/' })).toMatchObject({
      success: true,
    })
    expect((await world.keymux.profiles.list()).map(({ id }) => id)).toEqual(['openai:far'])
  })

  test('nor does /api', async () => {
    const add = { provider: 'openai', name: 'far', api_key: 'sk-1234567890', base_url: FOREIGN }
    for (const path of ['/api/profiles', '/api/tools/profile_add']) {
      const { status, text } = await api('POST', path, add)
      expect([status, text]).toEqual([403, expect.stringContaining('endpoint_refused')])
      expect(text).not.toContain('sk-1234567890')
    }
    await world.keymux.profiles.add({ provider: 'openai', name: 'mine', secret: 'sk-mine' })
    await api('PATCH', '/api/profiles/openai:mine', { priority: 1, base_url: FOREIGN })
    expect((await world.keymux.profiles.get('openai:mine'))?.baseUrl).toBeUndefined()
  })

  test('where they are allowed, they are set', async () => {
    const { profiles, resolver } = world.keymux
    const tools = new ProfileTools(profiles, resolver, { allowEndpoints: true })
    const add = { provider: 'openai', name: 'far', api_key: 'sk-1', base_url: FOREIGN }
    expect(await tools.add(add)).toMatchObject({ success: true })
    expect((await profiles.get('openai:far'))?.baseUrl).toBe(FOREIGN)
  })
})

describe('the tools of a handle', () => {
  test('reveal nothing, unless whoever opened it says so', async () => {
    await world.keymux.profiles.add({ provider: 'openai', name: 'mine', secret: 'sk-mine' })
    const refused = await world.keymux.tools.export({ profile_id: 'openai:mine' })
    expect(refused).toMatchObject({ success: false, code: 'reveal_refused' })
    expect(JSON.stringify(refused)).not.toContain('sk-mine')
    const { profiles, resolver } = world.keymux
    const seed = new ProfileTools(profiles, resolver)
    expect(await seed.export({ profile_id: 'openai:mine' })).toMatchObject({ data: { key: 'sk-mine' } })
  })

  test.each([
    [{ allowReveal: true, allowEndpoints: true }, true],
    [{}, false],
    // From JavaScript anything may come.
    [{ allowReveal: undefined, allowEndpoints: undefined } as object, false],
  ])('with %j: %s', async (tools, allowed) => {
    const other = await openOutsideWorld({ tools })
    try {
      const { keymux } = other
      await keymux.profiles.add({ provider: 'openai', name: 'mine', secret: 'sk-mine' })
      expect((await keymux.tools.export({ profile_id: 'openai:mine' })).success).toBe(allowed)
      const data = { key_ref: 'env://PLANTED' }
      const imported = await keymux.tools.import({ provider: 'groq', name: 'a', mode: 'api_key', data })
      expect(imported.success).toBe(allowed)
      const base_url = 'https://collector.example'
      const added = await keymux.tools.add({ provider: 'groq', name: 'b', api_key: 'gsk-1', base_url })
      expect(added.success).toBe(allowed)
    } finally {
      await other.close()
    }
  })

  test('say of a client’s secret neither what it is nor where, and take neither', async () => {
    const { profiles, resolver, providers } = world.keymux
    const tools = new ProfileTools(profiles, resolver, { allowReveal: true, allowEndpoints: true, providers })
    const oauth = {
      accessToken: 'old',
      refreshToken: 'rt',
      expiresAt: new Date('2090-01-01T00:00:00Z'),
      clientSecretRef: 'file:///etc/hostname',
    }
    await profiles.add({ provider: 'corp', name: 'mine', mode: 'oauth', oauth })
    const { data = {} } = await tools.export({ profile_id: 'corp:mine' })
    expect(JSON.stringify(data)).not.toContain('hostname')
    const again = await tools.import({ provider: 'corp', name: 'copy', mode: 'oauth', data })
    expect(again).toMatchObject({ success: true })
    const refused = await tools.import({
      provider: 'corp',
      name: 'other',
      mode: 'oauth',
      data: JSON.stringify({ ...data, client_secret_ref: 'file:///etc/hostname' }),
    })
    expect(refused).toMatchObject({
      success: false,
      error: expect.stringMatching(/^data\.client_secret_ref: /),
    })
  })
})

describe('a command line in a reference', () => {
  const LINE = `exec://${process.execPath} -p "'MarkerInTheLine'.length < 0 ? 1 : ''"`
  beforeEach(async () => {
    await world.keymux.profiles.add({ provider: 'openai', name: 'run', reference: LINE })
  })

  test('is shown to no tool and no caller, whatever they ask', async () => {
    const { profiles, resolver, tools } = world.keymux
    const own = new ProfileTools(profiles, resolver, { allowReveal: true, allowEndpoints: true })
    const answers = [
      await tools.list(),
      await own.list(),
      await tools.test({ profile_id: 'openai:run' }),
      await own.test({ profile_id: 'openai:run' }),
      await api('GET', '/api/profiles'),
      await api('POST', '/api/tools/profile_list', {}),
      await api('POST', '/api/profiles/openai:run/test', {}),
      await api('GET', '/openai/models'),
    ]
    expect(JSON.stringify(answers)).not.toContain('MarkerInTheLine')
    expect((await tools.list()).profiles).toMatchObject([{ id: 'openai:run', reference: 'exec://…' }])
  })

  test('stands in no error either', async () => {
    const error = await world.keymux.resolver.resolve('openai', 'run', { strict: true }).catch(String)
    expect(error).not.toContain('MarkerInTheLine')
    expect(JSON.stringify(await world.run(['resolve', 'openai:run', '--strict', '--json']))).not.toContain(
      'MarkerInTheLine',
    )
    expect((await world.run(['show', 'openai:run'])).stdout).toContain('MarkerInTheLine')
  })
})
