import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { composeKeymux } from '../../src/compose.js'
import { type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import {
  type StubAuthorizationServer,
  startStubAuthorizationServer,
} from '../../src/testing/stub-authorization-server.js'
import { expectClean, makeProxiedHome, type ProxiedHome } from '../support/proxied-home.js'
import { freePort, type TestProxy } from '../support/proxies.js'
import { CREATED, RealtimeClient, type RealtimeUpstream, startRealtimeUpstream } from '../support/realtime.js'
import { startSocksProxy } from '../support/socks-proxy.js'
import { runProgram } from '../transcripts/harness.js'

const KEY = 'sk-planted-Marker7Qx9Zt3Lk8'

let home: ProxiedHome
let proxy: TestProxy
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await home.close()
  for (const close of closing.splice(0)) await close()
})

async function behindProxy(port: number): Promise<void> {
  home = await makeProxiedHome(port)
  proxy = await home.proxy()
}

const portOf = (url: string): number => Number(new URL(url).port)

describe('logins', () => {
  let server: StubAuthorizationServer
  beforeEach(async () => {
    server = await startStubAuthorizationServer()
    closing.push(() => server.close())
    await behindProxy(portOf(server.url))
    home.configure(
      JSON.stringify({
        providers: {
          corp: {
            base_url: 'https://llm.keymux.test/v1',
            oauth: { issuer: 'https://auth.keymux.test', ...places(), client_id: 'stub-client' },
          },
        },
      }),
    )
  })

  const places = (): object => ({
    authorization_endpoint: 'https://auth.keymux.test/authorize',
    token_endpoint: 'https://auth.keymux.test/token',
  })

  /** A login whose token has run out, or has not. */
  async function addLogin(leftMs: number): Promise<{ readonly accessToken: string }> {
    const { accessToken, refreshToken } = server.issue()
    const handle = await composeKeymux({
      vault: join(home.folder, '.local/share/keymux/vault.db'),
      unlock: { keyFile: join(home.folder, 'key') },
      config: join(home.folder, 'config.yaml'),
      env: { HOME: home.folder, XDG_STATE_HOME: join(home.folder, '.local/state') },
    })
    const expiresAt = new Date(Date.now() + leftMs)
    const oauth = { accessToken, refreshToken, expiresAt, issuedAt: new Date(Date.now() - 3_600_000) }
    await handle.profiles.add({ provider: 'corp', name: 'a', mode: 'oauth', oauth, proxy: proxy.url })
    await handle.close()
    return { accessToken }
  }

  test('are renewed through the proxy; while it fails, the refresh token is neither spent nor refused', async () => {
    await addLogin(60_000)
    for (const fault of [407, 502, 'page', 'late page', 'closes', 'garbage'] as const) {
      proxy.mode = fault
      const failed = await home.keymux(['refresh', 'corp:a'])
      expect([fault, failed.code]).toEqual([fault, 1])
      expect(failed.stderr).toContain(`127.0.0.1:${proxy.port}`)
      const { stdout } = await home.keymux(['show', 'corp:a', '--json'])
      expect(JSON.parse(stdout)).toMatchObject({
        state: 'available',
        renewable: true,
        renewal_reason: 'timeout',
      })
      expect(JSON.parse(stdout)).not.toHaveProperty('login_needed')
      await home.keymux(['reset', 'corp:a'])
    }
    expect(server.renewals).toHaveLength(0)
    proxy.mode = 'works'
    expect(await home.keymux(['refresh', 'corp:a'])).toMatchObject({ code: 0 })
    expect(server.renewals).toHaveLength(1)
    expect(new Set(proxy.asked)).toEqual(new Set(['auth.keymux.test:443']))
    expect(proxy.seen()).not.toContain('refresh_token')
  })

  test('a renewal that breaks after it was sent is not repeated while the access token lasts', async () => {
    const { accessToken } = await addLogin(120_000)
    server.fail('stall')
    const refreshing = home.keymux(['refresh', 'corp:a'])
    await server.renewalsAsked(1)
    proxy.cut()
    expect((await refreshing).code).toBe(1)
    await home.keymux(['refresh', 'corp:a'])
    expect(server.renewals).toHaveLength(1)
    expect((await home.keymux(['resolve', 'corp:a'])).stdout.trim()).toBe(accessToken)
  })
})

describe('requests', () => {
  let upstream: ScriptedUpstream
  beforeEach(async () => {
    upstream = await startScriptedUpstream({ provider: 'openai' })
    closing.push(() => upstream.close())
    await behindProxy(upstream.port)
  })

  test('test --live asks through the proxy, and an account is none the worse for it', async () => {
    await home.add('openai:a', KEY)
    const env = { HTTPS_PROXY: proxy.url }
    expect(await home.keymux(['test', 'openai:a', '--live'], { env })).toMatchObject({ code: 0 })
    expect(proxy.asked).toEqual(['api.openai.com:443'])
    const before = await home.states()
    for (const fault of [407, 503, 'page', 'garbage'] as const) {
      proxy.mode = fault
      const { stdout } = await home.keymux(['test', 'openai:a', '--live', '--json'], { env })
      const { live } = JSON.parse(stdout).results[0] as { live: { outcome: string; message: string } }
      expect(live.outcome).toBe('unreachable')
      expect(live.message).toContain(`the proxy 127.0.0.1:${proxy.port}`)
    }
    expect(await home.states()).toEqual(before)
    expectClean(proxy.seen())
  })

  test('createFetch goes through it, and names one that fails', async () => {
    await home.add('openai:a', KEY)
    const script = join(home.folder, 'ask.mjs')
    writeFileSync(
      script,
      `import { createFetch, openKeymux } from ${JSON.stringify(join(dirname(home.binary), 'index.js'))}
      const keymux = await openKeymux({
        vault: ${JSON.stringify(join(home.folder, '.local/share/keymux/vault.db'))},
        unlock: { keyFile: process.env.KEYMUX_KEY_FILE },
      })
      const fetch = createFetch(keymux, { provider: 'openai' })
      const request = { method: 'POST', body: '{"model":"gpt-4o","messages":[]}', headers: { 'content-type': 'application/json' } }
      await fetch('https://api.openai.com/v1/chat/completions', request).then(
        ({ status }) => console.log(status),
        ({ name, cause }) => console.log(name, cause.code, cause.message),
      )
      await keymux.close()`,
    )
    const ask = (env: object): ReturnType<typeof runProgram> =>
      runProgram(script, [], home.folder, { env: { ...home.env, ...env } })
    expect(await ask({ HTTPS_PROXY: proxy.url })).toMatchObject({ stdout: '200\n', stderr: '' })
    const port = await freePort()
    expect((await ask({ HTTPS_PROXY: `http://127.0.0.1:${port}` })).stdout).toBe(
      `TypeError proxy_failed the proxy 127.0.0.1:${port} cannot be reached (ECONNREFUSED)\n`,
    )
  })

  test('SOCKS 5 by the environment', async () => {
    const socks = await startSocksProxy({ target: home.target, login: 'user:Planted' })
    closing.push(() => socks.close())
    await home.add('openai:a', KEY)
    const { chat, log } = await home.serve({ ALL_PROXY: `socks5h://user:Planted@127.0.0.1:${socks.port}` })
    expect((await chat()).status).toBe(200)
    expect(socks.asked).toEqual(['api.openai.com:443'])
    expectClean(log())
  })

  test('doctor says which proxy is for whom, and with --live what stands in the way', async () => {
    await home.add('openai:a', KEY)
    await home.add('openai:b', KEY, '--proxy', 'none')
    await home.add('anthropic:a', KEY, '--proxy', 'http://127.0.0.1:9')
    const env = { https_proxy: proxy.url.replace('//', '//user:Planted@'), NO_PROXY: 'nobody.example' }
    const checks = async (
      ...args: string[]
    ): Promise<readonly { check: string; status: string; message: string }[]> =>
      JSON.parse((await home.keymux(['doctor', '--json', ...args], { env })).stdout).checks
    expect((await checks()).filter(({ check }) => check === 'proxy')).toEqual([
      { check: 'proxy', status: 'ok', message: '127.0.0.1:9 (the proxy of the profile): anthropic:a' },
      { check: 'proxy', status: 'ok', message: `127.0.0.1:${proxy.port} (https_proxy): openai:a` },
    ])
    expect(proxy.asked).toEqual([])
    const live = (await checks('--live')).filter(({ check }) => check === 'network')
    expect(live).toContainEqual({
      check: 'network',
      status: 'ok',
      message: `api.openai.com can be reached through 127.0.0.1:${proxy.port} (https_proxy)`,
    })
    expect(live).toContainEqual(
      expect.objectContaining({
        status: 'problem',
        message: 'the proxy 127.0.0.1:9 cannot be reached (ECONNREFUSED)',
      }),
    )
    expect(upstream.requests).toEqual([])
    expectClean(JSON.stringify(live))
  })

  test('a program with a gateway reaches it without the proxy', async () => {
    await home.add('openai:a', KEY)
    const print = "process.stdout.write([process.env.NO_PROXY, process.env.no_proxy].join(' '))"
    const command = ['exec', '--gateway', 'openai', '--', process.execPath, '-e', print]
    const env = { HTTPS_PROXY: proxy.url, no_proxy: 'a.example' }
    const listed = 'a.example,127.0.0.1,localhost,::1'
    expect((await home.keymux(command, { env })).stdout).toBe(`${listed} ${listed}`)
  })

  test('a login of a proxy is taken from no command line and no config', async () => {
    const url = 'http://user:Planted@127.0.0.1:3128'
    const added = await home.keymux(['add', 'openai:a', '--stdin', '--proxy', url], { stdin: KEY })
    expect([added.code, added.stderr]).toMatchObject([2, expect.stringContaining('secret')])
    home.configure(`proxy: ${url}\n`)
    const validated = await home.keymux(['config', 'validate'])
    expect(validated.code).toBe(2)
    expectClean(added.stderr, validated.stderr, validated.stdout)
  })
})

test('a Realtime session goes through the proxy, and its break is held against nobody', async () => {
  const upstream: RealtimeUpstream = await startRealtimeUpstream()
  closing.push(async () => upstream[Symbol.asyncDispose]())
  await behindProxy(portOf(upstream.url))
  await home.add('openai:a', KEY)
  const before = await home.states()
  const { url, token } = await home.serve({ HTTPS_PROXY: proxy.url })
  for (let round = 0; round < 4; round += 1) {
    const headers = { authorization: `Bearer ${token}` }
    const client = new RealtimeClient(
      `${url.replace('http', 'ws')}/openai/realtime?model=gpt`,
      ['realtime'],
      { headers },
    )
    expect(await client.met).toMatchObject({ kind: 'open' })
    while (!client.heard.includes(CREATED)) await new Promise(setImmediate)
    proxy.cut()
    await client.ended
  }
  expect(proxy.asked).toHaveLength(4)
  expect(await home.states()).toEqual(before)
})
