import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  freePort,
  type ProxyMode,
  startProxy,
  startTlsFront,
  type TestProxy,
} from '../../test/support/proxies.js'
import { startSocksProxy } from '../../test/support/socks-proxy.js'
import { KeymuxError } from '../domain/errors.js'
import { parseProxyUrl } from '../domain/proxy.js'
import { type ScriptedUpstream, startScriptedUpstream } from '../testing/scripted-upstream.js'
import { ProxyConnector } from './proxy-connector.js'
import { ProxyError } from './proxy-error.js'
import { sendOnce } from './send-once.js'

/** Long enough for whoever answers; proxies that do not are given less. */
const LIMIT_MS = 20_000
const SHORT_MS = 150
const SILENT: readonly ProxyMode[] = ['hangs', 'black hole']
let upstream: ScriptedUpstream
let proxy: TestProxy
const closing: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
  proxy = await startProxy({ target: upstream.port })
  closing.push(
    () => proxy.close(),
    () => upstream.close(),
  )
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function connectorTo(url: string): ProxyConnector {
  const address = parseProxyUrl(url)
  if (address === undefined) throw new Error('the test names no proxy')
  return new ProxyConnector(address, SILENT.includes(proxy.mode) ? SHORT_MS : LIMIT_MS)
}

function open(url: string, protocol = 'https:', hostname = 'api.openai.com'): Promise<Socket> {
  const { connect } = connectorTo(url)
  return new Promise((resolve, reject) => {
    connect({ protocol, hostname, host: hostname, port: '' }, (error, socket) =>
      error === null ? resolve(socket) : reject(error),
    )
  })
}

async function failure(url: string, protocol?: string): Promise<ProxyError> {
  const error: unknown = await open(url, protocol).catch((caught: unknown) => caught)
  if (!(error instanceof ProxyError)) throw error
  expect(error.code).toBe('proxy_failed')
  return error
}

describe('a proxy that does not open the way is told by its place', () => {
  test.each<[ProxyMode, RegExp, boolean]>([
    [407, /wants a login \(407\)/, false],
    [403, /does not connect to api.openai.com:443 \(403\)/, false],
    [302, /does not connect to api.openai.com:443 \(302\)/, false],
    [502, /does not connect to api.openai.com:443 \(502\)/, true],
    ['page', /does not answer as one/, false],
    ['garbage', /does not answer as one/, false],
    ['endless head', /does not answer as one/, false],
    ['late page', /there is no TLS with api.openai.com through the proxy/, false],
    ['closes', /closed the connection|there is no TLS with/, true],
    ['hangs', /did not answer in time/, false],
    ['black hole', /opened a way on which nobody answers/, false],
  ])('%j', async (mode, message, passing) => {
    proxy.mode = mode
    const error = await failure(proxy.url)
    expect(error.message).toMatch(message)
    expect(error.message).toContain(`127.0.0.1:${proxy.port}`)
    expect(error.passing).toBe(passing)
  })

  test('nobody is there, or it has no such name', async () => {
    const port = await freePort()
    expect((await failure(`http://127.0.0.1:${port}`)).message).toContain('cannot be reached (ECONNREFUSED)')
    expect((await failure('http://proxy.invalid:1')).message).toContain(
      'the proxy proxy.invalid:1 cannot be reached',
    )
  })

  test('it speaks TLS where it should not, and the other way round', async () => {
    const tls = await startProxy({ target: upstream.port, tls: true })
    closing.push(() => tls.close())
    await failure(tls.url.replace('https:', 'http:'))
    await failure(proxy.url.replace('http:', 'https:'))
  })

  test('the certificate of a server that nobody knows is not accepted', async () => {
    const front = await startTlsFront(upstream.port)
    const spying = await startProxy({ target: front.port })
    closing.push(
      () => front.close(),
      () => spying.close(),
    )
    const error = await failure(spying.url)
    expect(error.message).toMatch(/certificate that the proxy .* shows for api.openai.com is not accepted/)
    expect(error.hint).toContain('NODE_EXTRA_CA_CERTS')
  })
})

test('a login is sent in UTF-8, and an error holds nothing of it', async () => {
  const strict = await startProxy({ target: upstream.port, login: 'üser:p@ss:wörd' })
  closing.push(() => strict.close())
  const url = `http://${encodeURIComponent('üser')}:${encodeURIComponent('p@ss:wörd')}@127.0.0.1:${strict.port}`
  const socket = await open(url, 'http:', '127.0.0.1')
  socket.destroy()
  const error = await failure(url.replace('w', 'x'), 'http:')
  expect(JSON.stringify([error, error.message, error.hint, error.stack, error.cause])).not.toMatch(
    /p%40ss|p@ss|üser/,
  )
})

test('what would be readable on the way goes to no proxy but one on this machine', async () => {
  const error = await failure('http://proxy.keymux.test:3128', 'http:')
  expect(error.message).toBe('a key would reach the proxy proxy.keymux.test:3128 in the clear')
})

test('one that is closed ends what is being opened', async () => {
  proxy.mode = 'hangs'
  const connector = new ProxyConnector(parseProxyUrl(proxy.url) ?? expect.fail(), LIMIT_MS)
  const opened = new Promise<Error | null>((resolve) => {
    const to = { protocol: 'https:', hostname: 'a.example', host: 'a.example', port: '' }
    connector.connect(to, (...[error]) => resolve(error))
  })
  while (proxy.asked.length === 0) await new Promise(setImmediate)
  connector.close()
  expect(await opened).toMatchObject({ code: 'proxy_failed', message: expect.stringContaining('closed') })
})

describe('SOCKS 5', () => {
  const login = 'user:p@ss'
  const sent = (url: string): Promise<unknown> =>
    sendOnce({ method: 'GET', url: `${upstream.url}/v1/models`, timeoutMs: 5_000 }, connectorTo(url).connect)

  test('opens the way, with a login and without; names are looked up over there', async () => {
    for (const wanted of [undefined, login]) {
      const socks = await startSocksProxy({ target: upstream.port, ...(wanted && { login: wanted }) })
      closing.push(() => socks.close())
      const url = `socks5://${wanted === undefined ? '' : 'user:p%40ss@'}127.0.0.1:${socks.port}`
      expect(await sent(url)).toMatchObject({ status: 200, complete: true })
      expect(socks.asked).toEqual([`127.0.0.1:${upstream.port}`])
      await open(url).catch(() => undefined)
      expect(socks.asked[1]).toBe('api.openai.com:443')
    }
  })

  test('a wrong login, a refusal, and a server that is none', async () => {
    const strict = await startSocksProxy({ target: upstream.port, login })
    const denying = await startSocksProxy({ target: upstream.port, reply: 2 })
    closing.push(
      () => strict.close(),
      () => denying.close(),
    )
    for (const given of ['', 'user:wrong-Planted@']) {
      const error = await failure(`socks5://${given}127.0.0.1:${strict.port}`)
      expect(error.message).toBe(`the proxy 127.0.0.1:${strict.port} wants another login`)
      expect(JSON.stringify([error, error.cause, error.stack])).not.toContain('Planted')
    }
    expect((await failure(`socks5://127.0.0.1:${denying.port}`)).message).toMatch(
      /does not connect to api.openai.com:443/,
    )
    proxy.mode = 'garbage'
    expect((await failure(proxy.url.replace('http:', 'socks5:'))).message).toContain(
      `127.0.0.1:${proxy.port}`,
    )
  })
})

describe('one request', () => {
  const once = { method: 'POST', url: 'https://api.openai.com/v1/token', body: 'refresh_token=x' } as const

  test('of which nothing was sent says so, whatever the proxy does before the way is open', async () => {
    for (const mode of [407, 503, 'page', 'late page', 'closes', 'hangs', 'black hole', 'garbage'] as const) {
      proxy.mode = mode
      const failed = sendOnce(once, connectorTo(proxy.url).connect)
      await expect(failed).rejects.toMatchObject({ code: 'proxy_failed', sent: false })
    }
  })

  test('may have arrived where the proxy breaks after it', async () => {
    proxy.mode = { resetAfterBytes: 10 }
    const request = { ...once, url: `${upstream.url}/v1/models`, method: 'GET' as const }
    const failed = sendOnce(request, connectorTo(proxy.url).connect)
    await expect(failed).rejects.toMatchObject({ code: 'provider_unreachable', sent: true })
    expect(upstream.requests).toHaveLength(1)
  })

  test('that is given up while its way is opened lets go of the connection', async () => {
    proxy.mode = 'hangs'
    const controller = new AbortController()
    const { connect } = new ProxyConnector(parseProxyUrl(proxy.url) ?? expect.fail())
    const failed = sendOnce({ ...once, signal: controller.signal }, connect)
    while (proxy.asked.length === 0) await new Promise(setImmediate)
    controller.abort()
    await expect(failed).rejects.toBeInstanceOf(KeymuxError)
  })
})
