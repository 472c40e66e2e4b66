import { afterEach, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../../test/support/gateway.js'
import { newStore } from '../compose-compat.js'
import { startGateway } from '../entries/gateway.js'
import { gather } from '../operations/export.js'
import { MultiResolver } from '../resolver/multi.js'
import { type ScriptedUpstream, startScriptedUpstream } from '../testing/scripted-upstream.js'
import { createFetch } from '../transport/create-fetch.js'
import type { Keymux } from './keymux.js'

let upstream: ScriptedUpstream
let served: TestGateway
afterEach(async () => {
  await served.close()
  await upstream.close()
})

/** A part as it looks from elsewhere: its public methods, and nothing of the object that has them. */
function copied<T extends object>(part: T): T {
  const copy: Record<string, unknown> = {}
  for (let of: object = part; of !== Object.prototype; of = Object.getPrototypeOf(of)) {
    for (const name of Object.getOwnPropertyNames(of)) {
      const value: unknown = name === 'constructor' ? undefined : Reflect.get(part, name)
      if (typeof value === 'function') copy[name] ??= value.bind(part)
    }
  }
  return copy as T
}

/** A handle that is made of nothing of ours, as one that speaks to another process is. */
function elsewhere(keymux: Keymux): Keymux {
  return {
    profiles: copied(keymux.profiles),
    resolver: copied(keymux.resolver),
    tools: copied(keymux.tools),
    vault: copied(keymux.vault),
    oauth: { ...copied(keymux.oauth), underWay: false },
    health: copied(keymux.health),
    logins: async () => copied(await keymux.logins()),
    forwarder: copied(keymux.forwarder),
    egress: copied(keymux.egress),
    providers: { ...copied(keymux.providers), version: 0 },
    providerShelf: copied(keymux.providerShelf),
    config: keymux.config,
    reconfigure: (config) => keymux.reconfigure(config),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

test('a handle that is made of nothing of ours serves operations, createFetch and the gateway alike', async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
  const account = { provider: 'openai', name: 'a', secret: 'sk-a', baseUrl: `${upstream.url}/v1` }
  served = await startTestGateway([account])
  const keymux = elsewhere(served.keymux)

  const results = await new MultiResolver(keymux.resolver).resolveAll(['openai', 'groq'])
  expect([results.openai?.credential, results.groq?.error?.code]).toEqual(['sk-a', 'no_usable_profile'])
  const { contents } = await gather(keymux, new AbortController().signal)
  expect(contents.store.list().map(({ id }) => id)).toEqual(['openai:a'])

  const fetch = createFetch(keymux, { provider: 'openai' })
  const request = { method: 'POST', body: '{"model":"gpt-4o","messages":[]}' }
  expect((await fetch('https://api.openai.com/v1/chat/completions', request)).status).toBe(200)

  const gateway = await startGateway(keymux, { announce: false })
  const headers = { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' }
  const answer = await globalThis.fetch(`${gateway.url}/openai/chat/completions`, { ...request, headers })
  expect(answer.headers.get('x-keymux-profile')).toBe('openai:a')
  const listed = await globalThis.fetch(`${gateway.url}/api/profiles`, { headers })
  expect(await listed.json()).toMatchObject({ total: 1, profiles: [{ id: 'openai:a' }] })
  await gateway.close()
})

test('newStore takes the manager that a vault offers, whoever made the vault', async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
  served = await startTestGateway([])
  const { vault, profiles } = served.keymux
  expect(newStore({ vault })).toBe(profiles)
  const profileManager = copied(profiles)
  expect(newStore({ vault: { ...copied(vault), profileManager } })).toBe(profileManager)
})
