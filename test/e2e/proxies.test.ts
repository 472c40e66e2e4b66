import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ok, rateLimited, type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import {
  errorOf,
  expectClean,
  PROXY_LOGIN as LOGIN,
  makeProxiedHome,
  type ProxiedHome,
} from '../support/proxied-home.js'
import { freePort, type ProxyMode, type TestProxy } from '../support/proxies.js'

const [FIRST, SECOND] = ['sk-first-planted-Marker7Qx9Zt3Lk8', 'sk-second-planted-Marker8Vb2Nm5Wp4']

let upstream: ScriptedUpstream
let home: ProxiedHome
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
  home = await makeProxiedHome(upstream.port)
  proxy = await home.proxy()
})
afterEach(async () => {
  await home.close()
  await upstream.close()
})

describe('the gateway', () => {
  test('goes through the proxy that the environment names, by CONNECT, and the proxy sees no key', async () => {
    await home.add('openai:a', FIRST)
    const { chat } = await home.serve({ HTTPS_PROXY: proxy.url })
    const answer = await chat()
    expect([answer.status, answer.headers.get('x-keymux-profile')]).toEqual([200, 'openai:a'])
    expect(proxy.asked).toEqual(['api.openai.com:443'])
    expect(proxy.others).toEqual([])
    expect(upstream.requests[0]?.credential).toBe(FIRST)
    expectClean(proxy.seen())
    expect((await chat()).status).toBe(200)
    // Connections through it are kept, as all are.
    expect(proxy.asked).toHaveLength(1)
  })

  test('a login is sent to the proxy, and shown to nobody', async () => {
    const strict = await home.proxy({ login: LOGIN })
    await home.add('openai:a', FIRST)
    const { chat, log } = await home.serve({ HTTPS_PROXY: strict.url.replace('//', `//${LOGIN}@`) })
    expect((await chat()).status).toBe(200)
    strict.mode = 503
    const { chat: again, log: secondLog } = await home.serve({
      https_proxy: strict.url.replace('//', `//${LOGIN}x@`),
    })
    const refused = await again()
    const body = await refused.text()
    expect([refused.status, JSON.parse(body)]).toMatchObject([
      502,
      { error: { type: 'api_error', code: 'keymux_proxy_failed' } },
    ])
    expect(body).toContain(`the proxy 127.0.0.1:${strict.port} wants a login (407)`)
    expectClean(body, log(), secondLog())
  })

  test('a proxy over TLS, and one that the config names by a secret', async () => {
    const strict = await home.proxy({ login: LOGIN, tls: true })
    const url = strict.url.replace('//', `//${LOGIN}@`)
    expect((await home.keymux(['secret', 'set', 'corp-proxy', '--stdin'], { stdin: url })).code).toBe(0)
    home.configure('proxy: vault://corp-proxy\n')
    await home.add('openai:a', FIRST)
    const { chat } = await home.serve()
    expect((await chat()).status).toBe(200)
    expect(strict.asked).toEqual(['api.openai.com:443'])
    expectClean(strict.seen(), JSON.stringify(await home.keymux(['config', 'show'])))
  })

  test('the most specific word on proxies counts: profile, provider, config, environment', async () => {
    const [ofProfile, ofProvider, general] = [await home.proxy(), await home.proxy(), await home.proxy()]
    home.configure(`proxy: ${general.url}\nproviders:\n  openai: { proxy: ${ofProvider.url} }\n`)
    await home.add('openai:own', FIRST, '--proxy', ofProfile.url)
    await home.add('openai:other', SECOND)
    await home.add('anthropic:a', FIRST)
    const { chat } = await home.serve({ HTTPS_PROXY: proxy.url, NO_PROXY: 'openai.com' })
    expect((await chat(undefined, '/openai:own/chat/completions')).status).toBe(200)
    expect((await chat(undefined, '/openai:other/chat/completions')).status).toBe(200)
    await chat(undefined, '/anthropic/v1/messages')
    expect([ofProfile.asked, ofProvider.asked, general.asked, proxy.asked]).toEqual([
      ['api.openai.com:443'],
      ['api.openai.com:443'],
      ['api.anthropic.com:443'],
      [],
    ])
    const shown = await home.keymux(['show', 'openai:own', '--json'])
    expect(JSON.parse(shown.stdout).proxy).toBe(ofProfile.url)
  })

  test('upstreams on loopback are reached without the proxy that is for everybody', async () => {
    await home.add('openai:a', FIRST, '--base-url', `${upstream.url}/v1`)
    await home.add(
      'openai:tls',
      SECOND,
      '--base-url',
      `https://localhost:${home.target}/v1`,
      '--priority',
      '-1',
    )
    home.configure(`proxy: ${proxy.url}\nproviders:\n  openai: { proxy: ${proxy.url} }\n`)
    const { chat } = await home.serve({ HTTP_PROXY: proxy.url, http_proxy: proxy.url, ALL_PROXY: proxy.url })
    expect((await chat()).status).toBe(200)
    expect((await chat(undefined, '/openai:tls/chat/completions')).headers.get('x-keymux-profile')).toBe(
      'openai:tls',
    )
    expect([proxy.asked, proxy.others]).toEqual([[], []])
  })

  test('a profile on loopback goes through a proxy of its own, by CONNECT, and only where nobody else reads along', async () => {
    const plain = await home.proxy({ target: upstream.port })
    await home.add('openai:a', FIRST, '--base-url', `${upstream.url}/v1`, '--proxy', plain.url)
    await home.add(
      'openai:far',
      SECOND,
      '--base-url',
      `${upstream.url}/v1`,
      '--proxy',
      'http://proxy.keymux.test:3128',
    )
    const { chat } = await home.serve()
    expect((await chat(undefined, '/openai:a/chat/completions')).headers.get('x-keymux-profile')).toBe(
      'openai:a',
    )
    expect([plain.asked, plain.others]).toEqual([[`127.0.0.1:${upstream.port}`], []])
    upstream.respond(rateLimited({ retryAfter: 1_000 }), FIRST)
    const refused = await (await chat(undefined, '/openai:far/chat/completions')).text()
    expect(refused).toMatch(/in the clear|rate_limit/)
    expect(upstream.requests.map(({ credential }) => credential)).not.toContain(SECOND)
  })

  test('a proxy that leads back to the gateway itself is told so', async () => {
    await home.add('openai:a', FIRST)
    const port = await freePort()
    home.configure(`gateway: { port: ${port} }\n`)
    const { chat, url } = await home.serve({ HTTPS_PROXY: `http://127.0.0.1:${port}` })
    expect(url).not.toBe('')
    const { chat: looping } = await home.serve({ HTTPS_PROXY: url })
    for (const ask of [chat, looping]) {
      const answer = await ask()
      expect([answer.status, (await errorOf(answer)).code]).toEqual([502, 'keymux_proxy_failed'])
    }
  })
})

const FAULTS: readonly ProxyMode[] = [
  ...[407, 403, 502, 503, 302],
  ...(['page', 'late page', 'closes', 'garbage', 'endless head'] as const),
  { resetAfterBytes: 0 },
]

describe('a proxy that fails', () => {
  test('in any way: nobody is held responsible, and another account without it serves', async () => {
    await home.add('openai:a', FIRST, '--proxy', proxy.url, '--priority', '2')
    await home.add('openai:b', SECOND, '--proxy', proxy.url, '--priority', '1')
    const before = await home.states()
    const { chat, log } = await home.serve()
    for (const fault of FAULTS) {
      proxy.mode = fault
      for (let round = 0; round < 4; round += 1) {
        const answer = await chat()
        expect([fault, answer.status, answer.headers.get('retry-after')]).toEqual([fault, 502, null])
        const { code, message } = await errorOf(answer)
        expect(message).toContain(`127.0.0.1:${proxy.port}`)
        expect(code).toBe('keymux_proxy_failed')
      }
    }
    expect(await home.states()).toEqual(before)
    await home.add('openai:c', 'sk-third', '--base-url', `${upstream.url}/v1`)
    for (const fault of FAULTS) {
      proxy.mode = fault
      const served = await chat()
      expect([fault, served.status, served.headers.get('x-keymux-profile')]).toEqual([fault, 200, 'openai:c'])
    }
    expectClean(log(), proxy.seen())
    proxy.mode = 'works'
    expect((await chat()).headers.get('x-keymux-profile')).toBe('openai:a')
  })

  test('that is not there, or has no name: told at once, in the dialect of the caller', async () => {
    await home.add('openai:a', FIRST)
    await home.add('anthropic:a', FIRST)
    const port = await freePort()
    const { chat } = await home.serve({ HTTPS_PROXY: `127.0.0.1:${port}` })
    expect(await (await chat()).json()).toMatchObject({
      error: {
        code: 'keymux_proxy_failed',
        message: expect.stringContaining(`the proxy 127.0.0.1:${port} cannot be reached (ECONNREFUSED)`),
      },
    })
    const body = { model: 'claude', max_tokens: 9, messages: [] }
    expect(await (await chat(body, '/anthropic/v1/messages')).json()).toMatchObject({
      type: 'error',
      error: { code: 'keymux_proxy_failed' },
    })
    const { chat: nameless } = await home.serve({ HTTPS_PROXY: 'http://proxy.invalid:3128' })
    expect((await errorOf(await nameless())).message).toContain('proxy.invalid:3128 cannot be reached')
    for (const wrong of [
      'http://user:Planted@',
      'ftp://127.0.0.1:21',
      'http://127.0.0.1:0',
      '::::',
      'http://[fe80',
    ]) {
      const { chat: refused } = await home.serve({ HTTPS_PROXY: wrong })
      const error = await errorOf(await refused())
      expect(error).toMatchObject({
        code: 'keymux_proxy_failed',
        message: expect.stringContaining('HTTPS_PROXY'),
      })
      expectClean(error.message)
    }
    expect(upstream.requests).toEqual([])
  })

  test('that breaks or stops in the middle of an answer', async () => {
    await home.add('openai:a', FIRST, '--proxy', proxy.url, '--priority', '1')
    await home.add('openai:b', SECOND, '--proxy', proxy.url)
    home.configure('gateway: { idle_timeout_seconds: 0.3, first_byte_timeout_seconds: 0.3 }\n')
    const before = await home.states()
    const long = ok({ text: 'word '.repeat(4_000) })
    for (const credential of [FIRST, SECOND]) upstream.respond(long, credential)
    const stream = { model: 'gpt-4o', stream: true, messages: [{ role: 'user', content: 'Hello?' }] }
    for (const mode of [{ resetAfterBytes: 9_000 }, { stallAfterBytes: 9_000 }] as const) {
      proxy.mode = mode
      const { chat } = await home.serve()
      for (let round = 0; round < 4; round += 1) {
        for (const credential of [FIRST, SECOND]) upstream.respond(long, credential)
        await (await chat(stream)).text().catch(() => '')
      }
      expect(await home.states()).toEqual(before)
    }
  })
})
