import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startProxy, type TestProxy } from '../../test/support/proxies.js'
import { KeymuxError } from '../domain/errors.js'
import { type ScriptedUpstream, startScriptedUpstream } from '../testing/scripted-upstream.js'
import { type RouteParts, Routes } from './routes.js'

const OPENAI = 'https://api.openai.com'
let upstream: ScriptedUpstream
let proxy: TestProxy
let read: string[]
let secrets: Record<string, string>

beforeEach(async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
  proxy = await startProxy()
  read = []
  secrets = {}
})
afterEach(async () => {
  await proxy.close()
  await upstream.close()
})

function routesWith(parts: Partial<RouteParts> = {}): Routes {
  return new Routes({
    env: {},
    general: () => undefined,
    ofProvider: () => undefined,
    ofProfile: async () => undefined,
    readReference: async (reference) => {
      read.push(reference)
      const found = secrets[reference]
      if (found !== undefined) return found
      throw new KeymuxError('reference_unresolved', `${reference} cannot be resolved`, { hint: 'set it' })
    },
    ...parts,
  })
}

describe('the way of a request', () => {
  test('is straight, at once, where nobody names a proxy', () => {
    expect(routesWith().find(OPENAI, 'openai', undefined)).toBeUndefined()
    const env = { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'openai.com' }
    expect(routesWith({ env }).find(OPENAI, 'openai', undefined)).toBeUndefined()
    expect(routesWith({ env: { HTTPS_PROXY: 'none' } }).find(OPENAI, 'openai', undefined)).toBeUndefined()
    expect(routesWith({ env }).find('https://x.example', 'openai', 'none')).toBeUndefined()
  })

  test('says whose word it is, and never the login', async () => {
    const env = { HTTPS_PROXY: 'http://user:pass@env.example:1' }
    const ways = { general: () => 'http://general.example:2', ofProvider: () => 'http://provider.example:3' }
    const proxied = async (parts: Partial<RouteParts>): Promise<unknown> =>
      routesWith({ env, ...parts }).proxyFor(OPENAI, { provider: 'openai', profileId: 'openai:a' })
    expect(await proxied({})).toEqual({ label: 'env.example:1', source: 'HTTPS_PROXY' })
    expect(await proxied({ general: ways.general })).toEqual({
      label: 'general.example:2',
      source: 'proxy in the config',
    })
    expect(await proxied(ways)).toEqual({ label: 'provider.example:3', source: 'the proxy of openai' })
    const ofProfile = async (): Promise<string> => 'http://profile.example:4'
    expect(await proxied({ ...ways, ofProfile })).toEqual({
      label: 'profile.example:4',
      source: 'the proxy of the profile',
    })
  })

  test('follows a config that changes', () => {
    let general: string | undefined
    const routes = routesWith({ general: () => general })
    expect(routes.find(OPENAI, 'openai', undefined)).toBeUndefined()
    general = 'http://p:1'
    expect(routes.find(OPENAI, 'openai', undefined)).toMatchObject({ label: 'p:1' })
    general = 'none'
    expect(routes.find(OPENAI, 'openai', undefined)).toBeUndefined()
  })

  test('is shared by requests that go the same one', () => {
    const routes = routesWith()
    const [one, two] = [
      routes.find(OPENAI, 'openai', 'http://p:1'),
      routes.find(OPENAI, 'openai', 'http://p:1'),
    ]
    expect(one).toMatchObject({ label: 'p:1' })
    expect(Reflect.get(Object(one), 'dispatcher')).toBe(Reflect.get(Object(two), 'dispatcher'))
  })

  test('is read where it is kept, each time', async () => {
    const routes = routesWith({ general: () => 'vault://p' })
    secrets['vault://p'] = 'http://user:pass@one.example:1'
    expect(await routes.proxyFor(OPENAI, {})).toMatchObject({ label: 'one.example:1' })
    secrets['vault://p'] = 'http://two.example:2'
    expect(await routes.proxyFor(OPENAI, {})).toMatchObject({ label: 'two.example:2' })
    expect(read).toEqual(['vault://p', 'vault://p'])
  })

  test('that cannot be found is an error, and nothing goes straight instead', async () => {
    const missing = routesWith({ general: () => 'vault://p' })
    await expect(missing.proxyFor(OPENAI, {})).rejects.toMatchObject({ code: 'proxy_failed', hint: 'set it' })
    secrets['vault://p'] = 'user:Planted@:0'
    const wrong = await missing.proxyFor(OPENAI, {}).catch((error: unknown) => error)
    expect(wrong).toMatchObject({
      code: 'proxy_failed',
      message: expect.stringContaining('proxy in the config'),
    })
    expect(JSON.stringify([wrong, (wrong as Error).message])).not.toContain('Planted')
    // The environment names proxies, and no places of them.
    const env = { HTTPS_PROXY: 'vault://p' }
    await expect(routesWith({ env }).proxyFor(OPENAI, {})).rejects.toMatchObject({ code: 'proxy_failed' })
    expect(read).toEqual(['vault://p', 'vault://p'])
  })
})

test('one request goes through the proxy of its profile, and a probe sends none', async () => {
  const routes = routesWith({ ofProfile: async (id) => (id === 'openai:a' ? proxy.url : undefined) })
  const owner = { provider: 'openai', profileId: 'openai:a' }
  const request = { method: 'GET', url: `${upstream.url}/v1/models` } as const
  expect(await routes.send(request, owner)).toMatchObject({ status: 200 })
  await routes.probe(request.url, owner)
  expect([proxy.asked.length, upstream.requests.length]).toEqual([2, 1])
  await routes.probe(request.url, {})
  proxy.mode = 407
  await expect(routes.probe(request.url, owner)).rejects.toMatchObject({ code: 'proxy_failed' })
  await expect(routes.probe('http://127.0.0.1:1', {})).rejects.toMatchObject({ code: 'provider_unreachable' })
  proxy.mode = 'hangs'
  const controller = new AbortController()
  const probing = routes.probe(request.url, owner, controller.signal)
  while (proxy.asked.length < 4) await new Promise(setImmediate)
  controller.abort(new Error('enough'))
  await expect(probing).rejects.toThrow('enough')
  await routes.close()
})
