import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Keymux } from '../../src/domain/keymux.js'
import { createFakeClock } from '../../src/testing/fake-clock.js'
import type {
  StubAuthorizationServer,
  StubAuthorizationServerOptions,
} from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { browse, logInAt, openWithCorp, redirectOf, until } from '../support/logins.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

interface Place {
  readonly server: StubAuthorizationServer
  readonly keymux: Keymux
}

async function setUp(options: StubAuthorizationServerOptions = {}, oauth: object = {}): Promise<Place> {
  const server = await startStubAuthorizationServer(options)
  const keymux = await openWithCorp(server, { oauth })
  open.push(server, keymux)
  return { server, keymux }
}

const ALICE = { subject: 'a-1', email: 'alice@example.com' }
const BOB = { subject: 'b-2', email: 'bob@example.com' }

async function logIn({ keymux, server }: Place, account = ALICE, name?: string): Promise<string> {
  server.logInAs(account)
  const logins = await keymux.logins()
  const attempt = await logins.browser({ provider: 'corp', ...(name === undefined ? {} : { name }) })
  open.push(attempt)
  const [result] = await Promise.all([attempt.complete(), browse(attempt.url)])
  return result.profileId
}

describe('a login in the browser', () => {
  test('stores the tokens, tells whose they are, and shows a page', async () => {
    const { server, keymux } = await setUp({ account: ALICE })
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const url = new URL(attempt.url)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      client_id: 'test-client',
      scope: 'openid email',
      code_challenge_method: 'S256',
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/),
    })
    expect(url.searchParams.get('state')).toHaveLength(43)
    const [result, { status, page, headers }] = await Promise.all([attempt.complete(), browse(attempt.url)])
    expect(result).toEqual({
      profileId: 'corp:alice@example.com',
      email: 'alice@example.com',
      renewed: false,
    })
    expect(status).toBe(200)
    expect(page).toMatch(/<dt>Account<\/dt><dd>alice@example\.com<\/dd>/)
    expect(page).toMatch(/<dt>Profile<\/dt><dd><code>corp:alice@example\.com<\/code><\/dd>/)
    expect(page).not.toMatch(/<script|stub-|code=/)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    const stored = await keymux.profiles.get('corp:alice@example.com')
    expect(stored?.oauth).toMatchObject({
      accessToken: server.families[0]?.accessToken,
      refreshToken: server.families[0]?.refreshToken,
      email: 'alice@example.com',
      clientId: 'test-client',
      generation: 1,
      metadata: { subject: 'a-1' },
    })
    expect((await keymux.resolver.resolve('corp')).credential).toBe(server.families[0]?.accessToken)
  })

  test('several accounts stand side by side, and each is renewed by its own login', async () => {
    const place = await setUp()
    expect(await logIn(place, ALICE)).toBe('corp:alice@example.com')
    expect(await logIn(place, BOB)).toBe('corp:bob@example.com')
    expect(await logIn(place, ALICE, 'work')).toBe('corp:work')
    const before = (await place.keymux.profiles.get('corp:bob@example.com'))?.oauth?.refreshToken
    expect(await logIn(place, BOB)).toBe('corp:bob@example.com')
    const after = (await place.keymux.profiles.get('corp:bob@example.com'))?.oauth
    expect(after?.refreshToken).not.toBe(before)
    expect(after?.generation).toBe(2)
    expect((await place.keymux.profiles.list()).map(({ id }) => id)).toEqual([
      'corp:alice@example.com',
      'corp:bob@example.com',
      'corp:work',
    ])
  })

  test('another account is refused on an existing profile, and nothing changes', async () => {
    const place = await setUp()
    await logIn(place, ALICE, 'work')
    const before = { ...(await place.keymux.profiles.get('corp:work'))?.oauth }
    place.server.logInAs(BOB)
    const attempt = await (await place.keymux.logins()).browser({ provider: 'corp', name: 'work' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    const { page } = await browse(attempt.url)
    expect(await outcome).toMatchObject({ code: 'conflict', exitCode: 7 })
    expect(page).toContain('The login did not work')
    expect(page).toContain(
      'corp:work is the login of alice@example.com, and you logged in as bob@example.com.',
    )
    expect(page).toContain('Nothing was changed; keep both with --name NAME')
    expect({ ...(await place.keymux.profiles.get('corp:work'))?.oauth }).toEqual(before)
  })

  test('a profile with a key is never overwritten', async () => {
    const place = await setUp()
    await place.keymux.profiles.add({ provider: 'corp', name: 'work', secret: 'sk-1' })
    const logins = await place.keymux.logins()
    await expect(logins.browser({ provider: 'corp', name: 'work' })).rejects.toMatchObject({
      code: 'profile_exists',
    })
  })

  test('denied, with hostile words: said plainly, nothing repeated', async () => {
    const { server, keymux } = await setUp()
    server.logInAs(undefined)
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    const back = await redirectOf(attempt.url)
    back.searchParams.set('error_description', '<script>alert(1)</script>\u001b[2J')
    const { page } = await browse(back.href)
    expect(await outcome).toMatchObject({ code: 'login_denied' })
    expect(page).not.toContain('<script')
    expect(await keymux.profiles.list()).toEqual([])
  })

  test.each([
    ['an error with markup', 'error=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E', 'login_failed'],
    ['an unknown error code', 'error=invalid_scope', 'login_failed'],
    ['another issuer', 'code=x&iss=https%3A%2F%2Fevil.example', 'login_failed'],
    ['no issuer although one is advertised', 'code=x', 'login_failed'],
    ['a code nobody gave', 'code=x&iss=OWN', 'login_failed'],
  ])('ends with %s', async (_name, query, code) => {
    const { server, keymux } = await setUp()
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    const url = new URL(attempt.url).searchParams
    const own = query.replace('OWN', encodeURIComponent(server.url))
    const iss = query.startsWith('error') ? `&iss=${encodeURIComponent(server.url)}` : ''
    const { page } = await browse(`${url.get('redirect_uri')}?${own}${iss}&state=${url.get('state')}`)
    expect(await outcome).toMatchObject({ code })
    expect(page).not.toContain('<img')
    expect(await keymux.profiles.list()).toEqual([])
  })

  test('trouble at the provider is not put down to the client', async () => {
    const { server, keymux } = await setUp()
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    const url = new URL(attempt.url).searchParams
    const iss = encodeURIComponent(server.url)
    await browse(`${url.get('redirect_uri')}?error=server_error&iss=${iss}&state=${url.get('state')}`)
    expect(await outcome).toMatchObject({
      message: 'the authorization server answered server_error',
      hint: expect.stringContaining('try again later'),
    })
  })

  test('wrong requests do not end it: the right one still counts, once', async () => {
    const { keymux } = await setUp({ account: ALICE })
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const completed = attempt.complete()
    const back = await redirectOf(attempt.url)
    let allowed: string | undefined
    const hit = (
      path: string,
      init: { method?: string; headers?: Record<string, string> } = {},
    ): Promise<number> =>
      new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port: back.port, path, ...init }, (response) => {
          response.resume()
          allowed = response.headers.allow
          resolve(response.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    const right = `${back.pathname}${back.search}`
    expect(await hit('/favicon.ico')).toBe(404)
    expect(await hit(`/callback/${back.search}`)).toBe(404)
    expect(await hit(`${back.pathname}?code=x&state=wrong`)).toBe(400)
    expect(await hit(`${back.pathname}?code=x`)).toBe(400)
    expect(await hit(`${back.pathname}?state=${back.searchParams.get('state')}`)).toBe(400)
    for (const method of ['POST', 'HEAD', 'PUT', 'OPTIONS']) {
      expect(await hit(right, { method })).toBe(405)
      expect(allowed).toBe('GET')
    }
    for (const host of ['evil.example', `localhost:${back.port}`, `127.0.0.1:1`])
      expect(await hit(right, { headers: { host } })).toBe(421)
    const [first, second] = await Promise.all([browse(back.href), browse(back.href)])
    expect([first.status, second.status]).toEqual([200, 200])
    expect(first.page).toBe(second.page)
    expect(await completed).toMatchObject({ profileId: 'corp:alice@example.com' })
  })

  test('without a browser on this machine the address it ends at is pasted', async () => {
    const { keymux } = await setUp({ account: ALICE })
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const completed = attempt.complete()
    const back = await redirectOf(attempt.url)
    for (const wrong of [
      '',
      'hello',
      'https://example.com/',
      `${back.origin}/callback?code=x&state=y`,
      'x'.repeat(9_000),
    ])
      expect(() => attempt.paste(wrong)).toThrow('that is not the address this login ends at')
    attempt.paste(`  ${back.href}\n`)
    expect(await completed).toMatchObject({ profileId: 'corp:alice@example.com' })
  })

  test('a busy port is said at once', async () => {
    const { keymux } = await setUp()
    const busy = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => busy.once('listening', resolve))
    const { port } = busy.address() as AddressInfo
    const logins = await keymux.logins()
    await expect(logins.browser({ provider: 'corp', port })).rejects.toMatchObject({
      code: 'login_failed',
      message: `port ${port} is taken`,
      hint: expect.stringContaining('--port'),
    })
    await new Promise((resolve) => busy.close(resolve))
  })

  test('where the configured port is busy, another one is no help', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => busy.once('listening', resolve))
    const { port } = busy.address() as AddressInfo
    const { keymux } = await setUp({}, { redirect_uri: `http://localhost:${port}/cb` })
    const logins = await keymux.logins()
    await expect(logins.browser({ provider: 'corp' })).rejects.toMatchObject({
      code: 'login_failed',
      message: `port ${port} is taken`,
      hint: 'the provider sends the browser back to this port: end the program that uses it',
    })
    await new Promise((resolve) => busy.close(resolve))
  })

  test('nobody comes: it ends by itself; an interrupt ends it at once', async () => {
    const { keymux } = await setUp()
    const logins = await keymux.logins()
    const late = await logins.browser({ provider: 'corp', timeLimitMs: 20 })
    open.push(late)
    await expect(late.complete()).rejects.toMatchObject({ code: 'login_expired' })
    const controller = new AbortController()
    const interrupted = await logins.browser({ provider: 'corp', signal: controller.signal })
    open.push(interrupted)
    const outcome = interrupted.complete()
    controller.abort(new Error('stop'))
    await expect(outcome).rejects.toThrow('stop')
    expect(await keymux.profiles.list()).toEqual([])
  })

  test.each([
    'reset',
    'html',
    'empty',
    'garbage',
    'huge',
    'redirect',
    'truncated',
    { status: 400, body: { error: 'invalid_client', error_description: 'sk-secret' } },
  ] as const)('a token endpoint that answers %j leaves nothing behind', async (fault) => {
    const { server, keymux } = await setUp()
    server.fail(fault)
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    await browse(attempt.url)
    const error = await outcome
    if (fault !== 'truncated') {
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).not.toContain('sk-secret')
      expect(await keymux.profiles.list()).toEqual([])
    }
    expect(server.requests.filter(({ path }) => path === '/token')).toHaveLength(1)
  })

  test('a clock two hours off changes nothing', async () => {
    const server = await startStubAuthorizationServer({ account: ALICE })
    for (const hours of [-2, 2]) {
      const clock = createFakeClock(Date.now() + hours * 3_600_000)
      const keymux = await openWithCorp(server, { clock })
      open.push(keymux)
      const place = { server, keymux }
      expect(await logIn(place, ALICE)).toBe('corp:alice@example.com')
      expect((await keymux.resolver.resolve('corp')).credential).toBe(server.families.at(-1)?.accessToken)
      clock.advance(3_600_000)
      expect((await keymux.resolver.resolve('corp')).credential).toBe(server.families.at(-1)?.accessToken)
      expect(server.families.at(-1)?.renewals).toBe(1)
    }
    open.push(server)
  })

  test.each([{ issuer: 'http://127.0.0.1:1/' }, { issuer: 'https://unknown.invalid' }])(
    'an issuer that cannot be reached: %j',
    async (oauth) => {
      const { keymux } = await setUp({}, oauth)
      const logins = await keymux.logins()
      await expect(logins.browser({ provider: 'corp' })).rejects.toMatchObject({
        code: 'provider_unreachable',
      })
    },
  )

  test('an issuer may be written with a slash at its end, and one that is missing is said plainly', async () => {
    const { server, keymux } = await setUp({ account: ALICE })
    const slash = await openWithCorp({ url: `${server.url}/` })
    open.push(slash)
    expect((await logInAt(slash, { provider: 'corp' })).result).toMatchObject({ email: ALICE.email })
    const attempt = await (await keymux.logins()).browser({ provider: 'corp' })
    open.push(attempt)
    const outcome = attempt.complete().catch((error: unknown) => error)
    const back = await redirectOf(attempt.url)
    back.searchParams.delete('iss')
    await browse(back.href)
    expect(await outcome).toMatchObject({
      code: 'login_failed',
      message: 'the answer does not say which authorization server it came from',
    })
  })

  test('what is missing beside an issuer is asked for, whatever is missing, and not missed where it cannot be', async () => {
    const { server } = await setUp({ account: ALICE })
    const places = {
      authorization_endpoint: `${server.url}/authorize`,
      token_endpoint: `${server.url}/token`,
    }
    const some = await openWithCorp(server, { oauth: places })
    open.push(some)
    const device = await (await some.logins()).device({ provider: 'corp' })
    expect(device.verificationUri).toBe(`${server.url}/device`)
    const { result } = await logInAt(some, { provider: 'corp' })
    expect(await (await some.logins()).logout(String(result?.profileId))).toMatchObject({ revoked: true })
    const silent = await openWithCorp(server, { oauth: { ...places, issuer: 'http://127.0.0.1:1' } })
    open.push(silent)
    const back = (await logInAt(silent, { provider: 'corp' })).error
    // Its answers name their issuer, which is another one than the configured.
    expect(back).toMatchObject({ code: 'login_failed', message: expect.stringContaining('another') })
    const quiet = await startStubAuthorizationServer({ account: ALICE, sendsIssuer: false })
    open.push(quiet)
    const there = await openWithCorp(quiet, {
      oauth: {
        issuer: `${quiet.url}/none`,
        authorization_endpoint: `${quiet.url}/authorize`,
        token_endpoint: `${quiet.url}/token`,
      },
    })
    open.push(there)
    quiet.tellAccount('nowhere')
    expect((await logInAt(there, { provider: 'corp' })).result).toEqual({
      profileId: 'corp:default',
      renewed: false,
    })
  })

  test('a provider with nothing but a device login is logged in to on a device', async () => {
    const { server } = await setUp()
    const only = await openWithCorp(server, {
      oauth: {
        issuer: undefined,
        token_endpoint: `${server.url}/token`,
        device_authorization_endpoint: `${server.url}/device_authorization`,
      },
    })
    open.push(only)
    expect((await only.logins()).prefersDevice('corp')).toBe(true)
  })

  test('an issuer that is none', async () => {
    const { server, keymux } = await setUp()
    const other = await openWithCorp({ url: `${server.url}/nothing/here` })
    open.push(other)
    const logins = await other.logins()
    await expect(logins.browser({ provider: 'corp' })).rejects.toMatchObject({ code: 'invalid_provider' })
    expect(keymux.config).toBeDefined()
  })
})

describe('a login on another device', () => {
  test('polls as told, slows down for good, and ends with the tokens', async () => {
    const clock = createFakeClock()
    const server = await startStubAuthorizationServer({ nowMs: () => clock.now().getTime() })
    const keymux = await openWithCorp(server, { clock })
    open.push(server, keymux)
    const polls = (): number => server.requests.filter(({ path }) => path === '/token').length
    const attempt = await (await keymux.logins()).device({ provider: 'corp' })
    expect(attempt).toMatchObject({
      verificationUri: `${server.url}/device`,
      verificationUriComplete: expect.stringContaining(attempt.userCode),
      userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
      expiresInSeconds: 600,
    })
    const completed = attempt.complete()
    const step = async (ms: number, expected: number): Promise<void> => {
      clock.advance(ms)
      await until(() => polls() === expected)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    await step(5_000, 1)
    const [login] = server.deviceLogins
    if (login !== undefined) login.intervalMs = 6_000
    await step(5_000, 2) // slow_down: 5 s more from now on
    clock.advance(9_000)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(polls()).toBe(2)
    await step(2_000, 3)
    server.fail('reset')
    await step(11_000, 4) // a network error: asked again, later
    server.decideDevice(attempt.userCode, BOB)
    clock.advance(11_000)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(polls()).toBe(4)
    clock.advance(11_000)
    expect(await completed).toEqual({
      profileId: 'corp:bob@example.com',
      email: 'bob@example.com',
      renewed: false,
    })
  })

  test('GitHub says so with status 200 while nobody has decided', async () => {
    const clock = createFakeClock()
    const server = await startStubAuthorizationServer({
      errorsWith200: true,
      nowMs: () => clock.now().getTime(),
    })
    const keymux = await openWithCorp(server, { clock })
    open.push(server, keymux)
    const attempt = await (await keymux.logins()).device({ provider: 'corp', name: 'gh' })
    const completed = attempt.complete()
    clock.advance(5_000)
    await until(() => server.requests.some(({ path }) => path === '/token'))
    await new Promise((resolve) => setTimeout(resolve, 30))
    server.decideDevice(attempt.userCode, ALICE)
    clock.advance(5_000)
    expect(await completed).toMatchObject({ profileId: 'corp:gh' })
  })

  test('denied and expired are told apart', async () => {
    const clock = createFakeClock()
    const server = await startStubAuthorizationServer({
      nowMs: () => clock.now().getTime(),
      deviceLifetimeSeconds: 12,
    })
    const keymux = await openWithCorp(server, { clock })
    open.push(server, keymux)
    const logins = await keymux.logins()
    const denied = await logins.device({ provider: 'corp' })
    server.decideDevice(denied.userCode)
    const first = denied.complete().catch((error: unknown) => error)
    clock.advance(5_000)
    expect(await first).toMatchObject({ code: 'login_denied' })
    const forgotten = await logins.device({ provider: 'corp' })
    const second = forgotten.complete().catch((error: unknown) => error)
    clock.advance(5_000)
    await until(() => server.requests.filter(({ path }) => path === '/token').length === 2)
    await new Promise((resolve) => setTimeout(resolve, 30))
    clock.advance(5_000)
    expect(await second).toMatchObject({ code: 'login_expired' })
    expect(await keymux.profiles.list()).toEqual([])
  })
})

describe('logging out', () => {
  test('revokes, drops the tokens, keeps the profile, and the same account logs in again', async () => {
    const place = await setUp()
    const { server, keymux } = place
    const id = await logIn(place, ALICE)
    const result = await (await keymux.logins()).logout(id)
    expect(result).toEqual({ profileId: id, revoked: true })
    expect(server.families[0]?.revoked).toBe(true)
    expect(await keymux.profiles.view(id)).toMatchObject({
      state: 'invalid',
      loginNeeded: true,
      email: ALICE.email,
    })
    expect((await keymux.profiles.get(id))?.oauth).toMatchObject({ accessToken: '', refreshToken: '' })
    await expect(keymux.resolver.resolve('corp')).rejects.toMatchObject({ hint: `run keymux login ${id}` })
    await expect(keymux.oauth.renew(id)).rejects.toMatchObject({ code: 'refresh_failed' })
    expect(await logIn(place, ALICE)).toBe(id)
    expect((await keymux.resolver.resolve('corp')).profile.id).toBe(id)
    const events = (await keymux.vault.audit()).filter(({ subject }) => subject === id)
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['login', 'logout', 'login']))
    expect(events.map(({ event }) => event)).not.toContain('created')
  })

  test('works when the provider does not answer', async () => {
    const { server, keymux } = await setUp()
    const id = await logIn({ server, keymux }, ALICE)
    await server.close()
    expect(await (await keymux.logins()).logout(id)).toEqual({ profileId: id, revoked: false })
    expect(await keymux.profiles.view(id)).toMatchObject({ loginNeeded: true })
  })
})

describe('what is not possible', () => {
  test.each([
    ['gemini', 'usage', 'Desktop app'],
    ['github-copilot', 'usage', 'device flow'],
    ['anthropic', 'unsupported_mode', 'API key'],
    ['qwen', 'unsupported_mode', '2026-04-15'],
    ['minimax', 'unsupported_mode', 'partners'],
    ['groq', 'unsupported_mode', 'API key'],
  ])('a login at %s says why', async (provider, code, words) => {
    const { keymux } = await setUp()
    const logins = await keymux.logins()
    await expect(logins.check({ provider })).rejects.toMatchObject({
      code,
      hint: expect.stringContaining(words),
    })
  })
})
