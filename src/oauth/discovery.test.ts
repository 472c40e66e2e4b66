import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { accountOfToken, claimsOf } from './account.js'
import { discover } from './discovery.js'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

interface Given {
  readonly status?: number
  readonly type?: string
  readonly location?: string
  readonly body: (url: string) => unknown
}

/** An issuer whose metadata is this. */
async function issuer({ status = 200, type = 'application/json', location, body }: Given): Promise<string> {
  server = createServer((request, response) => {
    const url = `http://${request.headers.host}`
    const answer = body(url)
    response.writeHead(status, { 'content-type': type, ...(location === undefined ? {} : { location }) })
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('an issuer', () => {
  test('tells its endpoints', async () => {
    const url = await issuer({
      body: (self) => ({
        issuer: self,
        authorization_endpoint: 'https://a.example/auth',
        token_endpoint: `${self}/token`,
        userinfo_endpoint: 'https://a.example/me',
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
        authorization_response_iss_parameter_supported: true,
      }),
    })
    expect(await discover(url)).toEqual({
      authorizationEndpoint: 'https://a.example/auth',
      tokenEndpoint: `${url}/token`,
      accountEndpoint: 'https://a.example/me',
      namesIssuer: true,
      wantsBasic: true,
    })
  })

  test.each<[string, Given]>([
    ['speaks for another one', { body: () => ({ issuer: 'https://other.example' }) }],
    [
      'sends credentials over plain http',
      { body: (url) => ({ issuer: url, token_endpoint: 'http://evil.example/t' }) },
    ],
    ['names no URL', { body: (url) => ({ issuer: url, token_endpoint: 'javascript:alert(1)' }) }],
    ['names a number', { body: (url) => ({ issuer: url, token_endpoint: 7 }) }],
    ['answers HTML', { type: 'text/html', body: () => '<html>' }],
    ['answers a list', { body: () => [] }],
    ['breaks off', { body: () => '{"issuer":' }],
    ['nests deeply', { body: (url) => `{"issuer":"${url}","x":${'['.repeat(100)}${']'.repeat(100)}}` }],
    ['redirects', { status: 302, location: 'https://evil.example/', body: () => '' }],
    ['is not there', { status: 404, body: () => ({}) }],
    ['answers 20 MB', { body: (url) => ({ issuer: url, filler: 'x'.repeat(20_000_000) }) }],
  ])('that %s is refused', async (_name, given) => {
    await expect(discover(await issuer(given))).rejects.toMatchObject({ code: 'invalid_provider' })
  })

  test.each([
    [503, 'server_error'],
    [500, 'server_error'],
    [429, 'rate_limit'],
  ])('that answers %i is out of order, and not declared wrongly', async (status, reason) => {
    const url = await issuer({ status, type: 'text/html', body: () => '<h1>maintenance</h1>' })
    await expect(discover(url)).rejects.toMatchObject({ code: 'provider_unreachable', failure: { reason } })
  })

  test('may lack one document and stumble over the other', async () => {
    server = createServer((request, response) => {
      const known = request.url?.includes('oauth-authorization-server') === true
      response.writeHead(known ? 502 : 404).end()
    })
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(discover(url)).rejects.toMatchObject({ code: 'provider_unreachable' })
  })

  test.each(['http://issuer.example', 'ftp://x', 'nonsense', '', 'https://user:pass@issuer.example'])(
    '%j is none',
    async (url) => {
      await expect(discover(url)).rejects.toMatchObject({ code: 'invalid_provider' })
    },
  )
})

describe('an identity token', () => {
  const token = (claims: unknown): string =>
    `e30.${Buffer.from(typeof claims === 'string' ? claims : JSON.stringify(claims)).toString('base64url')}.`

  test('names its account', () => {
    expect(accountOfToken(token({ sub: '1', email: 'a@b.c' }))).toEqual({ subject: '1', email: 'a@b.c' })
  })

  test.each([
    undefined,
    '',
    'x',
    'a.b.c',
    token('not json'),
    token([1]),
    token(null),
    '..',
    token({ sub: {} }),
  ])('that is %j names nobody, and throws nothing', (text) => {
    expect(accountOfToken(text)).toEqual({})
    expect(claimsOf(text)).toBeInstanceOf(Object)
  })

  test.each(['no address', 'a@b\u202Ec', 'a@b\n', ` a@b`, `${'x'.repeat(300)}@b`])(
    'takes no e-mail %j',
    (email) => {
      expect(accountOfToken(token({ email }))).toEqual({})
    },
  )
})

test('a document that trickles in is given up in the time that both have together', async () => {
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    response.writeHead(200, { 'content-type': 'application/json' })
    const trickle = setInterval(() => response.write(' '), 5)
    response.once('close', () => clearInterval(trickle))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await expect(discover(`http://127.0.0.1:${port}`, undefined, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'provider_unreachable',
    message: `127.0.0.1:${port} did not answer in time`,
  })
  expect(asked).toBe(1)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
