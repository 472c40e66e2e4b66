import { createHash } from 'node:crypto'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { LOGIN_METADATA } from '../providers/logins.js'
import { startCodeLogin } from './code-flow.js'
import { startDeviceLogin } from './device-flow.js'
import type { OAuthSettings } from './settings.js'
import { resolveSettings } from './settings.js'

type Handler = (path: string, fields: Record<string, string>, body: string) => object

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A provider that answers JSON, and remembers what it was asked. */
async function provider(handler: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const answer = handler(request.url ?? '', Object.fromEntries(new URLSearchParams(body)), body)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What is known of a built-in provider, with its endpoints moved to the test's. */
async function settingsOf(name: string, url: string, clientId = 'my-client'): Promise<OAuthSettings> {
  const login = LOGIN_METADATA[name]
  const metadata = {
    name,
    label: name,
    description: name,
    modes: ['oauth'] as const,
    ...(login && { login }),
  }
  const settings = await resolveSettings(metadata, { clientId })
  const moved = (endpoint: string | undefined) =>
    endpoint === undefined ? undefined : `${url}${new URL(endpoint).pathname}`
  return {
    ...settings,
    tokenEndpoint: moved(settings.tokenEndpoint) ?? '',
    ...(settings.authorizationEndpoint === undefined ? {} : { authorizationEndpoint: `${url}/auth` }),
    ...(settings.deviceAuthorizationEndpoint === undefined
      ? {}
      : { deviceAuthorizationEndpoint: moved(settings.deviceAuthorizationEndpoint) ?? '' }),
  }
}

const NOW = new Date('2026-01-01T00:00:00Z')
const device = { now: () => NOW, sleep: async () => {} }
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

test('OpenRouter: a code with PKCE yields an API key', async () => {
  let asked = ''
  const url = await provider((path, _fields, body) => {
    asked = `${path} ${body}`
    return { key: 'sk-or-v1-abcdef', user_id: 'user_1' }
  })
  const login = await startCodeLogin(await settingsOf('openrouter', url), { now: () => NOW })
  const { searchParams } = new URL(login.url)
  expect([...searchParams.keys()].sort()).toEqual(['callback_url', 'code_challenge', 'code_challenge_method'])
  const callback = searchParams.get('callback_url') ?? ''
  expect(callback).toMatch(/\/callback\/[0-9a-f]{32}$/)
  const page = fetch(`${callback}?code=the-code`)
  expect(await login.result).toEqual({ kind: 'api_key', key: 'sk-or-v1-abcdef', account: 'user_1' })
  await login.finish({ good: true, title: 'done', lines: [] })
  expect((await page).status).toBe(200)
  await login.close()
  const [path, body = ''] = asked.split(' ')
  const sent = JSON.parse(body) as Record<string, string>
  expect(path).toBe('/api/v1/auth/keys')
  expect(sent).toMatchObject({ code: 'the-code', code_challenge_method: 'S256' })
  expect(sha256(String(sent.code_verifier))).toBe(searchParams.get('code_challenge'))
})

test('Google: asks for a refresh token every time', async () => {
  const login = await startCodeLogin(await settingsOf('gemini', 'http://127.0.0.1:9'), { now: () => NOW })
  expect(Object.fromEntries(new URL(login.url).searchParams)).toMatchObject({
    client_id: 'my-client',
    access_type: 'offline',
    prompt: 'consent',
  })
  await login.close()
})

test('GitHub: a device login whose errors come with status 200, its token without an end', async () => {
  let polls = 0
  const url = await provider((path, fields) => {
    if (path === '/login/device/code')
      return {
        device_code: 'dc',
        user_code: 'AB-CD',
        verification_uri: 'https://github.com/login/device',
        interval: 5,
      }
    polls += 1
    expect(fields).toMatchObject({ client_id: 'my-client', device_code: 'dc' })
    return polls < 3
      ? { error: 'authorization_pending' }
      : { access_token: 'gho_x', scope: 'read:user,user:email' }
  })
  const login = await startDeviceLogin(await settingsOf('github-copilot', url), device)
  expect(login).toMatchObject({ userCode: 'AB-CD', expiresInSeconds: 900 })
  expect(await login.poll()).toEqual({ accessToken: 'gho_x', scopes: ['read:user', 'user:email'] })
  expect(polls).toBe(3)
})

test('MiniMax: polls with the user code, proves itself with PKCE, names instants', async () => {
  let challenge = ''
  const waits: number[] = []
  const url = await provider((path, fields) => {
    if (path === '/oauth/code') {
      challenge = String(fields.code_challenge)
      expect(fields).toMatchObject({ response_type: 'code', scope: 'group_id profile model.completion' })
      return {
        user_code: 'UC-1',
        verification_uri: 'https://platform.minimax.io/oauth',
        expired_in: NOW.getTime() + 300_000,
        interval: 2_000,
      }
    }
    expect(fields).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:user_code',
      user_code: 'UC-1',
    })
    expect(sha256(String(fields.code_verifier))).toBe(challenge)
    return {
      status: 'success',
      access_token: 'mm-at',
      refresh_token: 'mm-rt',
      expired_in: NOW.getTime() + 60_000,
    }
  })
  const sleep = async (ms: number) => void waits.push(ms)
  const login = await startDeviceLogin(await settingsOf('minimax', url), { ...device, sleep })
  expect(login.expiresInSeconds).toBe(300)
  expect(await login.poll()).toEqual({
    accessToken: 'mm-at',
    refreshToken: 'mm-rt',
    expiresAt: new Date(NOW.getTime() + 60_000),
  })
  expect(waits).toEqual([2_000])
})

/** A device login at MiniMax whose polls are answered in turn; the last answer stays. */
async function minimax(polls: readonly object[], begun: object = {}) {
  const waits: number[] = []
  const asked: Record<string, string>[] = []
  const url = await provider((path, fields) => {
    asked.push(fields)
    if (path !== '/oauth/code') return polls[Math.min(asked.length - 2, polls.length - 1)] ?? {}
    const place = {
      user_code: 'UC-1',
      verification_uri: 'https://platform.minimax.io/oauth',
      interval: 2_000,
    }
    return { ...place, expired_in: NOW.getTime() + 300_000, state: fields.state, ...begun }
  })
  const sleep = async (ms: number) => void waits.push(ms)
  const login = await startDeviceLogin(await settingsOf('minimax', url), { ...device, sleep })
  return { login, waits, asked }
}

test('MiniMax: polls on evenly while it says pending', async () => {
  const pending = { status: 'pending' }
  const { login, waits, asked } = await minimax([pending, pending, { status: 'success', access_token: 'at' }])
  expect(await login.poll()).toMatchObject({ accessToken: 'at' })
  expect(waits).toEqual([2_000, 2_000, 2_000])
  expect(asked[0]?.state).toMatch(/^[\w-]{43}$/)
})

test('MiniMax: ends when it says error', async () => {
  const { login, waits } = await minimax([{ status: 'pending' }, { status: 'error' }])
  await expect(login.poll()).rejects.toMatchObject({ code: 'login_failed' })
  expect(waits).toHaveLength(2)
})

test("MiniMax: an answer with another login's state is refused", async () => {
  await expect(minimax([], { state: 'x' })).rejects.toMatchObject({ code: 'login_failed' })
})

test('MiniMax: an end that has passed by our clock is not believed', async () => {
  const { login } = await minimax([{ access_token: 'at' }], { expired_in: NOW.getTime() - 7_000_000 })
  expect(login.expiresInSeconds).toBe(900)
})

test.each([
  {},
  { device_code: 'dc', user_code: 'x', verification_uri: 'http://evil.example/' },
  { device_code: 'dc', user_code: '\u001b[2J', verification_uri: 'https://ok.example/' },
  { device_code: 7, user_code: 'x', verification_uri: 'https://ok.example/' },
  { error: 'unauthorized_client' },
])('a device endpoint that answers %j is refused', async (answer) => {
  const url = await provider(() => answer)
  await expect(startDeviceLogin(await settingsOf('qwen', url), device)).rejects.toMatchObject({
    code: 'login_failed',
    message: expect.not.stringContaining('token endpoint'),
  })
})

test('no metadata holds a client id or secret, and every endpoint is https', () => {
  const text = JSON.stringify(LOGIN_METADATA)
  expect(text).not.toMatch(/client_?(id|secret)"/i)
  for (const [, url = ''] of text.matchAll(/"(http[^"]+)"/g)) expect(url).toMatch(/^https:/)
})

/** A device login at Qwen whose polls are answered in turn; the last answer stays. */
async function qwen(begun: object, polls: readonly object[], options: Partial<typeof device> = {}) {
  const waits: number[] = []
  let asked = 0
  const url = await provider((path) => {
    if (path.endsWith('/device/code'))
      return { device_code: 'dc', user_code: 'AB', verification_uri: 'https://chat.qwen.ai/d', ...begun }
    asked += 1
    return polls[Math.min(asked, polls.length) - 1] ?? {}
  })
  const sleep = async (ms: number) => void waits.push(ms)
  const login = await startDeviceLogin(await settingsOf('qwen', url), { ...device, sleep, ...options })
  return { login, waits, asked: () => asked }
}

const PENDING = { error: 'authorization_pending' }

test('a clock that is set while somebody logs in on another device ends nothing', async () => {
  let hours = 0
  const now = () => {
    hours += 2
    return new Date(NOW.getTime() + hours * 3_600_000)
  }
  const { login } = await qwen({ expires_in: 600, interval: 5 }, [PENDING, { access_token: 'at' }], { now })
  expect(await login.poll()).toMatchObject({ accessToken: 'at' })
})

test('an interval longer than the code lives: asked once before its end', async () => {
  const { login, waits } = await qwen({ expires_in: 10, interval: 60 }, [{ access_token: 'at' }])
  expect(await login.poll()).toMatchObject({ accessToken: 'at' })
  expect(waits).toEqual([9_000])
  const late = await qwen({ expires_in: 10, interval: 60 }, [PENDING])
  await expect(late.login.poll()).rejects.toMatchObject({ code: 'login_expired' })
  expect(late.asked()).toBe(1)
})

test('polls are a second apart at least', async () => {
  const { login, waits } = await qwen({ expires_in: 3, interval: 0.01 }, [PENDING])
  await expect(login.poll()).rejects.toMatchObject({ code: 'login_expired' })
  expect(waits).toEqual([1_000, 1_000])
})
