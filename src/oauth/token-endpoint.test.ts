import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TokenFault } from '../testing/authorization/faults.js'
import type { StubAuthorizationServer } from '../testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../testing/stub-authorization-server.js'
import { OAuthError } from './errors.js'
import type { TokenGrant } from './token-answer.js'
import type { TokenRequest } from './token-endpoint.js'
import { requestToken } from './token-endpoint.js'

const NOW = new Date('2026-01-01T00:00:00Z')
let server: StubAuthorizationServer
beforeEach(async () => {
  server = await startStubAuthorizationServer()
})
afterEach(() => server.close())

function ask(request: Partial<TokenRequest> = {}): Promise<TokenGrant> {
  return requestToken({
    endpoint: `${server.url}/token`,
    client: { id: 'stub-client' },
    fields: {
      grant_type: 'refresh_token',
      refresh_token: server.families[0]?.refreshToken ?? server.issue().refreshToken,
    },
    now: () => NOW,
    ...request,
  })
}

async function failureOf(fault: TokenFault, request: Partial<TokenRequest> = {}): Promise<OAuthError> {
  server.fail(fault)
  try {
    await ask(request)
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('a request for tokens', () => {
  test.each(['form', 'json'] as const)('is written as %s', async (body) => {
    const grant = await ask({ body })
    expect(grant.accessToken).toBe(server.families[0]?.accessToken)
    expect(grant.refreshToken).toBe(server.families[0]?.refreshToken)
    expect(grant.expiresAt).toEqual(new Date('2026-01-01T01:00:00Z'))
    const [request] = server.renewals
    expect(request?.headers['content-type']).toContain(body)
    expect(request?.fields).toMatchObject({ grant_type: 'refresh_token', client_id: 'stub-client' })
  })

  test('carries a secret in the body, or form-encoded in the header', async () => {
    await ask({ client: { id: 'a b', secret: 'p:%w' } })
    await ask({ client: { id: 'a b', secret: 'p:%w', secretIn: 'header' } })
    expect(server.renewals[0]?.fields).toMatchObject({ client_id: 'a b', client_secret: 'p:%w' })
    expect(server.renewals[1]?.fields).not.toHaveProperty('client_secret')
    expect(server.renewals[1]?.headers.authorization).toBe(`Basic ${btoa('a+b:p%3A%25w')}`)
  })
})

describe('what comes of a bad answer', () => {
  test.each<[TokenFault, object]>([
    ['reset', { reason: 'timeout', delivery: 'unknown' }],
    ['html', { reason: 'server_error', delivery: 'answered' }],
    ['empty', { reason: 'server_error', delivery: 'answered' }],
    ['garbage', { reason: 'server_error', delivery: 'answered' }],
    ['huge', { reason: 'server_error', delivery: 'answered' }],
    ['redirect', { reason: 'server_error', delivery: 'answered' }],
    [
      { status: 500, body: { error: 'server_error' } },
      { reason: 'server_error', delivery: 'answered' },
    ],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { reason: 'rate_limit', retryAfterMs: 7_000 },
    ],
    [
      { status: 503, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' } },
      { reason: 'server_error', retryAfterMs: 60_000 },
    ],
    [{ status: 400, body: { error: 'invalid_grant' } }, { reason: 'session_expired' }],
    [{ status: 200, body: { error: 'bad_refresh_token' } }, { reason: 'session_expired' }],
    [
      { status: 401, body: { error: { code: 'refresh_token_reused', message: 'x' } } },
      { reason: 'session_expired' },
    ],
    [
      { status: 400, body: { error: 'invalid_request', error_description: 'Refresh token has expired' } },
      { reason: 'session_expired' },
    ],
    [{ status: 401, body: { error: 'invalid_client' } }, { reason: 'auth_permanent' }],
    [{ status: 400, body: { error: 'unauthorized_client' } }, { reason: 'auth_permanent' }],
    [{ status: 400, body: 'error=invalid_grant&error_description=x' }, { reason: 'session_expired' }],
    [{ status: 200, body: { access_token: 'new\nline' } }, { reason: 'server_error' }],
    [{ status: 200, body: { access_token: '' } }, { reason: 'server_error' }],
    [{ status: 200, body: '[]' }, { reason: 'server_error' }],
    [{ status: 200, body: 'null' }, { reason: 'server_error' }],
  ])('%j', async (fault, expected) => {
    expect((await failureOf(fault)).failure).toMatchObject(expected)
    expect(server.renewals).toHaveLength(1)
  })

  test('an answer that never ends or never begins is given up', async () => {
    expect((await failureOf('endless', { timeoutMs: 200 })).failure.delivery).toBe('answered')
    expect((await failureOf('stall', { timeoutMs: 200 })).failure).toMatchObject({
      reason: 'timeout',
      delivery: 'unknown',
    })
  })

  test('an abort before and during the request', async () => {
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(ask({ signal: gone })).rejects.toThrow('gone')
    expect(server.renewals).toHaveLength(0)
    const controller = new AbortController()
    const failed = failureOf('stall', { signal: controller.signal })
    await server.renewalsAsked(1)
    controller.abort()
    expect((await failed).failure.delivery).toBe('unknown')
  })

  test('a server that is not there: nothing was sent', async () => {
    await server.close()
    const error: unknown = await ask().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ failure: { reason: 'timeout', delivery: 'not_sent' } })
    const unknown: unknown = await ask({ endpoint: 'https://nobody.invalid/token' }).catch(
      (reason: unknown) => reason,
    )
    expect(unknown).toMatchObject({ code: 'provider_unreachable', failure: { delivery: 'not_sent' } })
  })

  test('nothing of the server’s words is repeated but a code', async () => {
    const error = await failureOf({
      status: 400,
      body: { error: 'odd_code', error_description: 'token stub-rt-secret \u001b[2J is bad' },
    })
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toMatch(/secret|\u001b/)
    expect((await failureOf({ status: 400, body: { error: '<b>sk-123</b>' } })).message).not.toContain(
      'sk-123',
    )
  })
})

describe('a token in an odd answer is saved', () => {
  test.each<[string, TokenFault]>([
    [
      'with a server error',
      { status: 502, body: { access_token: 'at', refresh_token: 'rt', expires_in: 60 } },
    ],
    ['as a form', { body: 'access_token=at&refresh_token=rt&expires_in=60' }],
    ['with a byte order mark', { body: '\uFEFF{"access_token":"at","refresh_token":"rt","expires_in":60}' }],
    [
      'in JSON that breaks off',
      { body: '{"access_token":"at","refresh_token":"rt","expires_in":60,"id_tok' },
    ],
    ['in a page', { body: '<html>{"access_token": "at", "refresh_token": "rt", "expires_in": 60 }</html>' }],
    ['wrapped', { body: { data: { access_token: 'at', refresh_token: 'rt', expires_in: '60' } } }],
    [
      'with an instant',
      { body: { access_token: 'at', refresh_token: 'rt', expires_at: NOW.getTime() / 1_000 + 60 } },
    ],
    [
      'with MiniMax’s instant',
      { body: { access_token: 'at', refresh_token: 'rt', expired_in: NOW.getTime() + 60_000 } },
    ],
    [
      'with a date',
      { body: { access_token: 'at', refresh_token: 'rt', expires_at: '2026-01-01T00:01:00Z' } },
    ],
  ])('%s', async (_name, fault) => {
    server.fail(fault)
    expect(await ask()).toMatchObject({
      accessToken: 'at',
      refreshToken: 'rt',
      expiresAt: new Date('2026-01-01T00:01:00Z'),
    })
  })

  test('what is cut off in the middle of a token is not taken for one', async () => {
    server.fail({ body: '{"access_token":"at","refresh_token":"half-of-a-tok' })
    const grant = await ask()
    expect(grant).toEqual({ accessToken: 'at' })
    expect((await failureOf({ body: '{"access_token":"half-of-a-tok' })).failure.reason).toBe('server_error')
  })

  test.each([-1, 0, 'soon', 1e300, Number.NaN, null])(
    'an expiry of %j counts as none',
    async (expires_in) => {
      server.fail({ body: { access_token: 'at', expires_in } })
      expect(await ask()).toEqual({ accessToken: 'at' })
    },
  )

  test('scopes are separated by spaces or, at GitHub, commas', async () => {
    server.fail(
      { body: { access_token: 'at', scope: 'a b' } },
      { body: { access_token: 'at', scope: 'a,b' } },
    )
    expect((await ask()).scopes).toEqual(['a', 'b'])
    expect((await ask()).scopes).toEqual(['a', 'b'])
  })
})

describe('an instant at which tokens expire', () => {
  const at = (ms: number): number => Math.floor((NOW.getTime() + ms) / 1_000)
  const HOUR_MS = 3_600_000

  async function expiryOf(body: object, date?: string): Promise<Date | undefined> {
    const headers = date === undefined ? {} : { date }
    server.fail({ status: 200, headers, body: { access_token: 'at', ...body } })
    return (await ask()).expiresAt
  }

  test('is taken as it is while it lies ahead', async () => {
    const ahead = new Date(NOW.getTime() + HOUR_MS)
    expect(await expiryOf({ expires_at: at(HOUR_MS) })).toEqual(ahead)
    expect(await expiryOf({ expires_at: ahead.toISOString() })).toEqual(ahead)
  })

  test.each([
    at(-HOUR_MS),
    (NOW.getTime() - HOUR_MS) as number,
    new Date(NOW.getTime() - HOUR_MS).toISOString(),
  ])(
    '%j has passed by our clock: what is left of it by the clock of the server counts',
    async (expires_at) => {
      const date = new Date(NOW.getTime() - 2 * HOUR_MS).toUTCString()
      expect(await expiryOf({ expires_at }, date)).toEqual(new Date(NOW.getTime() + HOUR_MS))
    },
  )

  test('that has passed by both clocks is not believed', async () => {
    const date = NOW.toUTCString()
    expect(await expiryOf({ expires_at: at(-HOUR_MS) }, date)).toEqual(new Date(NOW.getTime() + HOUR_MS))
    expect(await expiryOf({ expires_at: at(-HOUR_MS) }, 'nonsense')).toEqual(
      new Date(NOW.getTime() + HOUR_MS),
    )
  })
})
