import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openTestHandle } from '../../../test/support/handle.js'
import { parseConfigObject } from '../../config/load.js'
import { KeymuxError } from '../../domain/errors.js'
import type { Answer, AnswerBody, Forwarder, ForwardRequest } from '../../domain/forwarding.js'
import { redactSecrets } from '../../domain/redact.js'
import { defaultRegistry, ProviderRegistry } from '../../providers/registry.js'
import { readPrivateFile } from '../../system/safe-file.js'
import { findGateway } from './find.js'
import { serveGateway } from './gateway.js'
import type { Gateway, GatewayOptions } from './types.js'

const PLANTED = 'sk-planted-Marker7Qx9Zt3Lk8'

/** A forwarding core that answers what it is told. */
class FakeForwarder implements Forwarder {
  readonly asked: ForwardRequest[] = []
  answer: (request: ForwardRequest) => Promise<Answer> = async () => answerOf()

  async forward(request: ForwardRequest): Promise<Answer> {
    this.asked.push(request)
    return this.answer(request)
  }

  async close(): Promise<void> {}
}

/** Signals of those who keep logins fresh. */
const fresh: AbortSignal[] = []
async function keepFresh(signal: AbortSignal): Promise<void> {
  fresh.push(signal)
  // However it ends, that is no failure of the gateway.
  await new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

function answerOf(changes: Partial<Answer> = {}): Answer {
  return {
    kind: 'provider',
    status: 200,
    statusText: 'OK',
    headers: ['content-type', 'application/json', 'content-length', '2'],
    body: wholeBody('{}'),
    profileId: 'openai:work',
    attempts: 1,
    replayable: true,
    failures: [],
    ...changes,
  }
}

function wholeBody(text: string): AnswerBody {
  return { whole: () => Buffer.from(text), pipe: () => {}, resume: () => {}, cancel: () => {} }
}

interface Received {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: {
    error?: { code?: unknown; message?: string; type?: string; status?: string; details?: unknown[] }
  }
}

let folder: string
let forwarder: FakeForwarder
let gateway: Gateway
let handle: Awaited<ReturnType<typeof openTestHandle>>
const logged: unknown[] = []

async function begin(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const log = (message: string, fields?: object): void => void logged.push({ message, ...fields })
  return serveGateway(
    {
      ...handle,
      forwarder,
      oauth: { keepFresh },
      providers: new ProviderRegistry([], defaultRegistry),
      config: parseConfigObject({ chains: { fast: ['groq:llama-3', 'openai'] }, gateway: { port: 0 } }),
    },
    {
      stateFolder: folder,
      readFile: readPrivateFile,
      logger: { debug: log, info: log, warn: log, error: log },
      ...options,
    },
  )
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-gateway-'))
  forwarder = new FakeForwarder()
  handle = await openTestHandle()
  await handle.profiles.add({ provider: 'openai', name: 'work', secret: PLANTED })
  logged.length = 0
  gateway = await begin()
})
afterEach(async () => {
  await gateway.close({ drainMs: 0 })
  await handle.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly token?: string | undefined
  readonly socketPath?: string
}

function ask(path: string, asked: Asked = {}): Promise<Received> {
  const { method = 'GET', headers = {}, body } = asked
  const token = 'token' in asked ? asked.token : gateway.token
  return new Promise((resolve, reject) => {
    const auth = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const options = {
      method,
      path,
      headers: { ...auth, ...headers },
      agent: false as const,
      ...(asked.socketPath === undefined
        ? { host: '127.0.0.1', port: gateway.port }
        : { socketPath: asked.socketPath }),
    }
    const sent = httpRequest(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('error', reject)
      response.once('end', () => {
        let json = {}
        try {
          json = JSON.parse(text)
        } catch {
          // Not every answer is JSON.
        }
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

/** Writes bytes to the gateway's port and gives what comes back until it hangs up. */
function raw(bytes: string, hangUp?: 'and hang up'): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(gateway.port ?? 0, '127.0.0.1', () => {
      if (hangUp === undefined) socket.write(bytes, 'latin1')
      else socket.end(bytes, 'latin1')
    })
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.once('close', () => resolve(text))
    socket.on('error', () => undefined)
  })
}

describe('who is answered', () => {
  test('a caller with the token, wherever his SDK puts it', async () => {
    expect((await ask('/openai/models')).status).toBe(200)
    for (const name of ['x-api-key', 'x-goog-api-key']) {
      expect(
        (await ask('/openai/models', { token: undefined, headers: { [name]: gateway.token } })).status,
      ).toBe(200)
    }
    expect((await ask(`/openai/models?key=${gateway.token}&a=1`, { token: undefined })).status).toBe(200)
    expect(forwarder.asked.at(-1)?.path).toBe('/models?a=1')
  })

  test.each([undefined, 'wrong', ''])('not one with the token %j: 401', async (token) => {
    const { status, json, headers } = await ask('/openai/models', { token })
    expect(status).toBe(401)
    expect(json.error?.code).toBe('keymux_unauthorized')
    expect(headers['x-should-retry']).toBe('false')
    expect(forwarder.asked).toEqual([])
  })

  test('each in the shape his SDK reads', async () => {
    expect((await ask('/openai/x', { token: 'wrong' })).json).toEqual({
      error: {
        message: expect.any(String),
        type: 'authentication_error',
        param: null,
        code: 'keymux_unauthorized',
      },
    })
    expect((await ask('/anthropic/v1/messages', { token: 'wrong' })).json).toEqual({
      type: 'error',
      error: { type: 'authentication_error', message: expect.any(String), code: 'keymux_unauthorized' },
    })
    expect((await ask('/gemini/v1beta/models', { token: 'wrong' })).json).toEqual({
      error: {
        code: 401,
        status: 'UNAUTHENTICATED',
        message: expect.any(String),
        details: [expect.objectContaining({ reason: 'keymux_unauthorized' })],
      },
    })
  })

  test('no web page: 403, whatever token it has', async () => {
    const cases: Record<string, string>[] = [
      { host: 'evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ]
    for (const headers of cases) {
      const { status, json } = await ask('/openai/models', { headers })
      expect(status).toBe(403)
      expect(json.error?.code).toMatch(/^keymux_foreign_(host|origin)$/)
    }
    expect((await ask('/healthz', { headers: { host: 'evil.example' } })).status).toBe(403)
  })

  test('OPTIONS is refused and nothing allows a page to read', async () => {
    const { status, headers } = await ask('/openai/models', {
      method: 'OPTIONS',
      headers: { 'access-control-request-method': 'POST' },
    })
    expect(status).toBe(405)
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    forwarder.answer = async () =>
      answerOf({
        headers: ['Access-Control-Allow-Origin', '*', 'content-length', '2'],
      })
    const passed = await ask('/openai/models')
    expect(passed.headers['access-control-allow-origin']).toBeUndefined()
    expect(passed.headers['x-keymux-profile']).toBe('openai:work')
  })
})

describe('what is asked for', () => {
  test('a provider, a profile or a chain, with the body as it came', async () => {
    await ask('/openai:work/chat/completions?a=%20b', { method: 'POST', body: '{"model":"m"}' })
    expect(forwarder.asked[0]).toMatchObject({
      method: 'POST',
      path: '/chat/completions?a=%20b',
      stages: [{ provider: 'openai', profile: 'work' }],
    })
    expect(forwarder.asked[0]?.body?.bytes.toString()).toBe('{"model":"m"}')
    await ask('/@fast/v1/chat/completions', { method: 'POST', body: '{}' })
    expect(forwarder.asked[1]).toMatchObject({
      path: '/chat/completions',
      stages: [
        { provider: 'groq', model: 'llama-3', compatible: true },
        { provider: 'openai', compatible: true },
      ],
    })
  })

  test('answers tell the profile and the tries', async () => {
    forwarder.answer = async () => answerOf({ attempts: 3, profileId: 'openai:日本', replayable: false })
    const { headers, text } = await ask('/openai/models')
    expect(text).toBe('{}')
    expect(headers).toMatchObject({
      'x-keymux-profile': 'openai:%E6%97%A5%E6%9C%AC',
      'x-keymux-attempts': '3',
      'x-keymux-replay': 'no',
    })
  })

  test.each([
    ['/nobody/x', 404, 'keymux_unknown_provider'],
    ['/openai:nobody/x', 404, 'keymux_unknown_profile'],
    ['/@nobody/x', 404, 'keymux_unknown_chain'],
    ['/@constructor/x', 404, 'keymux_unknown_chain'],
    ['/__proto__/x', 400, 'keymux_bad_path'],
    ['/', 404, 'keymux_not_found'],
    ['/api/nothing', 404, 'keymux_not_found'],
    ['/openai/%2e%2e/anthropic', 400, 'keymux_bad_path'],
  ])('%s is %i %s', async (path, status, code) => {
    const received = await ask(path)
    expect([received.status, received.json.error?.code]).toEqual([status, code])
    expect(forwarder.asked).toEqual([])
  })

  test.each([
    ['vault_locked', 503],
    ['storage_unavailable', 503],
    ['foreign_host', 400],
    ['invalid_value', 400],
  ] as const)('a core that fails with %s is %i, and anything else 500', async (code, status) => {
    forwarder.answer = () => Promise.reject(new KeymuxError(code, 'no'))
    const known = await ask('/anthropic/v1/messages', { method: 'POST', body: '{}' })
    expect([known.status, known.json.error?.code]).toEqual([status, `keymux_${code}`])
    forwarder.answer = () => Promise.reject(new Error(`boom ${PLANTED}`))
    const unknown = await ask('/openai/x')
    expect([unknown.status, unknown.json.error?.code]).toEqual([500, 'keymux_internal_error'])
    expect(unknown.text).not.toContain('Marker7')
  })

  test('health and readiness need no token, metrics do', async () => {
    expect(await ask('/healthz', { token: undefined })).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    })
    expect(await ask('/readyz', { token: undefined })).toMatchObject({
      status: 200,
      text: '{"status":"ready"}',
    })
    expect((await ask('/metrics', { token: undefined })).status).toBe(401)
  })

  test('metrics count requests, tries and refusals', async () => {
    await ask('/nobody/x')
    forwarder.answer = async () =>
      answerOf({ failures: [{ profileId: 'openai:old', reason: 'rate_limit', status: 429 }], attempts: 2 })
    await ask('/openai/x')
    const { text, headers } = await ask('/metrics')
    expect(headers['content-type']).toContain('version=0.0.4')
    expect(text).toContain('keymux_requests_total{provider="openai",profile="openai:work",status="200"} 1\n')
    expect(text).toContain(
      'keymux_upstream_failures_total{provider="openai",profile="openai:old",reason="rate_limit"} 1\n',
    )
    expect(text).toContain('keymux_refused_total{code="keymux_unknown_provider"} 1\n')
    expect(text).toContain('keymux_profiles{provider="openai",state="available"} 1\n')
  })
})

describe('streams', () => {
  test('go through with backpressure, and a break upstream breaks the answer', async () => {
    let resumed = 0
    let paused = 0
    forwarder.answer = async () => {
      let sink: Parameters<AnswerBody['pipe']>[0] | undefined
      let left = 40
      const push = (): void => {
        while (left > 0) {
          left -= 1
          if (!(sink?.data(Buffer.alloc(256 * 1024)) ?? false)) {
            paused += 1
            return
          }
        }
        sink?.end()
      }
      const body: AnswerBody = {
        whole: () => undefined,
        pipe: (given) => {
          sink = given
          push()
        },
        resume: () => {
          resumed += 1
          push()
        },
        cancel: () => {},
      }
      return answerOf({ headers: [], body })
    }
    expect((await ask('/openai/x')).text).toHaveLength(40 * 256 * 1024)
    expect(paused).toBeGreaterThan(0)
    expect(resumed).toBeGreaterThanOrEqual(paused)
    forwarder.answer = async () =>
      answerOf({
        headers: [],
        body: {
          ...wholeBody(''),
          whole: () => undefined,
          pipe: (sink) => {
            sink.data(Buffer.from('half'))
            setImmediate(() => sink.fail(new Error('gone')))
          },
        },
      })
    await expect(ask('/openai/x')).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('a caller that hangs up ends the try under way', async () => {
    const aborted = new Promise<void>((resolve) => {
      forwarder.answer = (request) =>
        new Promise((_resolve, reject) => {
          request.signal?.addEventListener('abort', () => {
            resolve()
            reject(new Error('aborted'))
          })
          socket.destroy()
        })
    })
    const socket = connect(gateway.port ?? 0, '127.0.0.1')
    socket.write(`GET /openai/x HTTP/1.1\r\nHost: localhost\r\nx-api-key: ${gateway.token}\r\n\r\n`)
    await aborted
    expect((await ask('/healthz')).status).toBe(200)
  })
})

describe('bytes that are no good request', () => {
  const head = (line: string, ...headers: string[]): string =>
    [line, 'Host: localhost', `x-api-key: ${gateway.token}`, ...headers, '', ''].join('\r\n')

  test.each<[string, () => string, number]>([
    ['garbage', () => 'GARBAGE\r\n\r\n', 400],
    ['a TLS hello', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 400],
    ['the absolute form', () => head('GET http://127.0.0.1/openai/x HTTP/1.1', 'Connection: close'), 400],
    ['CONNECT', () => head('CONNECT api.openai.com:443 HTTP/1.1'), 405],
    ['TRACE', () => head('TRACE /openai/x HTTP/1.1', 'Connection: close'), 405],
    [
      'an upgrade',
      () => head('GET /openai/x HTTP/1.1', 'Connection: Upgrade, close', 'Upgrade: websocket'),
      426,
    ],
    ['no host', () => 'GET /openai/x HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two hosts', () => head('GET /openai/x HTTP/1.1', 'Host: evil.example', 'Connection: close'), 400],
    ['two lengths', () => head('POST /openai/x HTTP/1.1', 'Content-Length: 3', 'Content-Length: 4'), 400],
    [
      'a length and chunks',
      () => head('POST /openai/x HTTP/1.1', 'Content-Length: 3', 'Transfer-Encoding: chunked'),
      400,
    ],
    [
      'an unknown coding',
      () => head('POST /openai/x HTTP/1.1', 'Transfer-Encoding: chunked, x', 'Connection: close'),
      400,
    ],
    ['a space before the colon', () => head('GET /openai/x HTTP/1.1', 'X-A : b'), 400],
    ['a folded header', () => head('GET /openai/x HTTP/1.1', 'X-A: b\r\n c'), 400],
    ['a bare line feed in a header', () => head('GET /openai/x HTTP/1.1', 'X-A: b\nX-B: c'), 400],
    ['a NUL in a header', () => head('GET /openai/x HTTP/1.1', 'X-A: \0'), 400],
    ['a huge header', () => head('GET /openai/x HTTP/1.1', `X-A: ${'a'.repeat(40_000)}`), 431],
    ['a huge path', () => head(`GET /openai/${'a'.repeat(40_000)} HTTP/1.1`), 431],
    [
      'a chunk of no size',
      () => `${head('POST /openai/x HTTP/1.1', 'Transfer-Encoding: chunked')}zz\r\n`,
      400,
    ],
    [
      'a chunk of negative size',
      () => `${head('POST /openai/x HTTP/1.1', 'Transfer-Encoding: chunked')}-1\r\nx\r\n`,
      400,
    ],
    [
      'a chunk that does not end',
      () => `${head('POST /openai/x HTTP/1.1', 'Transfer-Encoding: chunked')}1\r\nxy\r\n0\r\n\r\n`,
      400,
    ],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['another version', () => 'GET / HTTP/3.7\r\n\r\n', 400],
  ])('%s', async (_what, bytes, status) => {
    const answer = await raw(bytes())
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
    expect(JSON.stringify(body)).toContain('keymux_')
    expect(answer).not.toContain(gateway.token)
    expect(forwarder.asked).toEqual([])
    expect((await ask('/healthz')).status).toBe(200)
  })

  test('a body that breaks off reaches nobody', async () => {
    const answer = await raw(`${head('POST /openai/x HTTP/1.1', 'Content-Length: 100')}half`, 'and hang up')
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(forwarder.asked).toEqual([])
    expect((await ask('/healthz')).status).toBe(200)
  })

  test('a refused caller’s large body is not waited for', async () => {
    const answer = await raw(
      'POST /openai/x HTTP/1.1\r\nHost: localhost\r\nx-api-key: wrong\r\nContent-Length: 9999999999\r\n\r\nabc',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
  })
})

describe('/api', () => {
  const json = { 'content-type': 'application/json' }

  test('does what the tools do', async () => {
    const added = await ask('/api/profiles', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ provider: 'groq', name: 'me', api_key: 'gsk_MarkerMarker1234' }),
    })
    expect([added.status, added.json]).toEqual([201, { success: true, profile_id: 'groq:me' }])
    expect((await ask('/api/profiles?provider=groq')).text).toContain('"groq:me"')
    expect((await ask('/api/profiles')).text).not.toMatch(/Marker/)
    const patched = await ask('/api/profiles/groq%3Ame', {
      method: 'PATCH',
      headers: json,
      body: '{"enabled":false}',
    })
    expect(patched.json).toEqual({ success: true, profile_id: 'groq:me' })
    expect((await handle.profiles.view('groq:me')).enabled).toBe(false)
    await ask('/api/profiles/groq:me', { method: 'PATCH', headers: json, body: '{"priority":7}' })
    expect((await handle.profiles.view('groq:me')).priority).toBe(7)
    expect((await ask('/api/profiles/openai:work/test', { method: 'POST' })).json).toMatchObject({
      success: true,
      valid: true,
    })
    expect((await ask('/api/profiles/groq:me', { method: 'DELETE' })).status).toBe(200)
    expect((await ask('/api/providers')).text).toContain('"anthropic"')
    expect((await ask('/api/tools')).text).toContain('profile_add')
    expect(
      (await ask('/api/tools/profile_list', { method: 'POST', headers: json, body: '{}' })).text,
    ).toContain('openai:work')
  })

  test('changes both of what can be changed, or neither', async () => {
    const patch = (body: object): ReturnType<typeof ask> =>
      ask('/api/profiles/openai:work', { method: 'PATCH', headers: json, body: JSON.stringify(body) })
    expect((await patch({ enabled: false, priority: 42 })).json).toEqual({
      success: true,
      profile_id: 'openai:work',
    })
    expect(await handle.profiles.view('openai:work')).toMatchObject({ enabled: false, priority: 42 })
    expect((await patch({ enabled: true, priority: 'high' })).status).toBe(400)
    expect((await patch({ enabled: 'yes', priority: 1 })).status).toBe(400)
    expect(await handle.profiles.view('openai:work')).toMatchObject({ enabled: false, priority: 42 })
  })

  test('takes no reference: files and variables could be read through one', async () => {
    for (const reference of ['file:///etc/hostname', 'env://HOME', 'vault://other']) {
      const { status, text } = await ask('/api/tools/profile_import', {
        method: 'POST',
        headers: json,
        body: JSON.stringify({
          provider: 'openai',
          name: 'evil',
          mode: 'api_key',
          data: { key_ref: reference },
        }),
      })
      expect([status, text]).toEqual([403, expect.stringContaining('reveal_refused')])
    }
    expect((await handle.profiles.list()).map(({ name }) => name)).toEqual(['work'])
  })

  test('changes nothing on a gateway of which only one program knows', async () => {
    const own = await begin({ announce: false })
    const headers = { authorization: `Bearer ${own.token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ provider: 'openai', name: 'evil', api_key: 'sk-evil-1234567890' })
    const added = await fetch(`${own.url}/api/profiles`, { method: 'POST', headers, body })
    expect([added.status, await added.text()]).toEqual([403, expect.stringContaining('keymux_read_only')])
    expect((await fetch(`${own.url}/api/profiles/openai:work`, { method: 'DELETE', headers })).status).toBe(
      403,
    )
    expect((await fetch(`${own.url}/api/profiles`, { headers })).status).toBe(200)
    expect((await handle.profiles.list()).map(({ name }) => name)).toEqual(['work'])
    await own.close({ drainMs: 0 })
  })

  test('never reveals a secret', async () => {
    const { status, text } = await ask('/api/tools/profile_export', {
      method: 'POST',
      headers: json,
      body: '{"profile_id":"openai:work"}',
    })
    expect(status).toBe(403)
    expect(text).toContain('reveal_refused')
    expect(text).not.toContain('Marker7')
  })

  test.each<[string, string, Asked, number]>([
    [
      'a form',
      '/api/profiles',
      { method: 'POST', body: 'provider=openai', headers: { 'content-type': 'text/plain' } },
      415,
    ],
    ['half a document', '/api/profiles', { method: 'POST', body: '{"provider":', headers: json }, 400],
    ['a list', '/api/profiles', { method: 'POST', body: '[]', headers: json }, 400],
    ['a missing field', '/api/profiles', { method: 'POST', body: '{}', headers: json }, 400],
    ['an unknown profile', '/api/profiles/openai:nobody', { method: 'DELETE' }, 404],
    ['a bad id', '/api/profiles/%zz', { method: 'DELETE' }, 400],
    [
      'an existing one',
      '/api/profiles',
      { method: 'POST', body: '{"provider":"openai","name":"work","api_key":"k-12345678"}', headers: json },
      409,
    ],
    ['a wrong method', '/api/profiles', { method: 'PUT', body: '{}', headers: json }, 405],
    ['a bad filter', '/api/profiles?enabled=perhaps', {}, 400],
    ['too much', '/api/profiles', { method: 'POST', body: `"${'x'.repeat(5_000_000)}"`, headers: json }, 413],
    ['an unknown tool', '/api/tools/constructor', { method: 'POST', body: '{}', headers: json }, 404],
  ])('%s is refused', async (_what, path, asked, status) => {
    expect((await ask(path, asked)).status).toBe(status)
  })

  test('needs the token', async () => {
    expect((await ask('/api/profiles', { token: 'wrong' })).status).toBe(401)
  })
})

describe('start and end', () => {
  test('the token is stable per vault, kept for its owner alone, and can be rotated', async () => {
    expect(statSync(gateway.tokenFile ?? '').mode & 0o777).toBe(0o600)
    const { token } = gateway
    await gateway.close({ drainMs: 0 })
    gateway = await begin()
    expect(gateway.token).toBe(token)
    const rotated = await begin({ rotateToken: true })
    expect(rotated.token).not.toBe(token)
    await rotated.close({ drainMs: 0 })
    // The one that runs learns of it by itself.
    await expect
      .poll(async () => (await ask('/openai/x', { token: rotated.token })).status, { timeout: 10_000 })
      .toBe(200)
    expect((await ask('/openai/x', { token })).status).toBe(401)
  })

  test('logins are kept fresh as long as it runs', async () => {
    const signal = fresh.at(-1)
    expect(signal?.aborted).toBe(false)
    await gateway.close()
    expect(signal?.aborted).toBe(true)
  })

  test('it is found while it runs, and not afterwards', async () => {
    const { vaultId } = await handle.vault.status()
    expect(await findGateway(folder, vaultId, readPrivateFile)).toEqual({
      url: gateway.url,
      token: gateway.token,
    })
    await gateway.close()
    expect(await findGateway(folder, vaultId, readPrivateFile)).toBeUndefined()
  })

  test('one that is not announced leaves nothing behind', async () => {
    const other = mkdtempSync(join(tmpdir(), 'keymux-gateway-'))
    const quiet = await begin({ announce: false, stateFolder: join(other, 'none') })
    expect(quiet.tokenFile).toBeUndefined()
    expect(() => statSync(join(other, 'none'))).toThrow()
    expect(quiet.token).not.toBe(gateway.token)
    await quiet.close()
    rmSync(other, { recursive: true })
  })

  test('beyond loopback it must be told so', async () => {
    await expect(begin({ host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('other machines'),
      hint: expect.stringContaining('--allow-remote'),
    })
    const remote = await begin({ host: '0.0.0.0', port: 0, allowRemote: true, announce: false })
    expect(remote.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    await remote.close()
  })

  test('a port in use is a conflict', async () => {
    await expect(begin({ port: gateway.port ?? 0 })).rejects.toMatchObject({ code: 'conflict' })
  })

  test('a unix socket is for its owner alone, and a dead one is taken over', async () => {
    const path = join(folder, 'private', 'gateway.sock')
    const first = await begin({ socket: path, announce: false })
    expect([statSync(path).mode & 0o777, statSync(join(folder, 'private')).mode & 0o777]).toEqual([
      0o600, 0o700,
    ])
    expect(first.url).toBeUndefined()
    const answer = await ask('/openai/x', {
      socketPath: path,
      token: first.token,
      headers: { host: 'anything' },
    })
    expect(answer.status).toBe(200)
    await expect(begin({ socket: path, announce: false })).rejects.toMatchObject({ code: 'conflict' })
    await first.close()
    await expect(begin({ socket: join(tmpdir(), 'keymux-open.sock') })).rejects.toMatchObject({
      code: 'unsafe_permissions',
    })
  })

  test.skipIf(process.platform === 'win32')(
    'a unix socket in a folder that others can exchange is refused',
    async () => {
      const open = join(folder, 'open')
      mkdirSync(join(open, 'private'), { recursive: true, mode: 0o700 })
      chmodSync(open, 0o707)
      await expect(begin({ socket: join(open, 'private', 's'), announce: false })).rejects.toMatchObject({
        code: 'unsafe_permissions',
        hint: `run: chmod o-w ${open}`,
      })
    },
  )

  test.skipIf(process.getuid?.() !== 0)("a unix socket in another user's folder is refused", async () => {
    const foreign = join(folder, 'foreign')
    mkdirSync(foreign, { mode: 0o700 })
    chownSync(foreign, 65_534, 0)
    await expect(begin({ socket: join(foreign, 's'), announce: false })).rejects.toMatchObject({
      code: 'unsafe_permissions',
      message: `"${foreign}" belongs to another user, and the socket is to be there`,
    })
  })

  test('closing lets answers under way finish, and takes no new ones', async () => {
    let finish = (): void => {}
    const begun = new Promise<void>((resolve) => {
      forwarder.answer = () =>
        new Promise((answer) => {
          finish = () => answer(answerOf())
          resolve()
        })
    })
    const slow = ask('/openai/x')
    await begun
    const closed = gateway.close({ drainMs: 30_000 })
    await expect(ask('/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    finish()
    expect((await slow).status).toBe(200)
    expect(await closed).toBe(0)
  })

  test('closing cuts what takes longer', async () => {
    const begun = new Promise<void>((resolve) => {
      forwarder.answer = () => {
        resolve()
        return new Promise(() => {})
      }
    })
    const slow = ask('/openai/x').catch((error: NodeJS.ErrnoException) => error.code)
    await begun
    expect(await gateway.close({ drainMs: 20 })).toBe(1)
    expect(await slow).toBe('ECONNRESET')
  })
})

test('no secret and no token is ever logged', async () => {
  forwarder.answer = () => Promise.reject(new Error('inside'))
  await ask(`/openai/x?key=${gateway.token}`)
  await ask('/openai/x', { token: 'wrong-token-wrong-token' })
  forwarder.answer = async () =>
    answerOf({ failures: [{ profileId: 'openai:work', reason: 'auth', status: 401 }] })
  await ask('/openai/x', { headers: { authorization: `Bearer ${gateway.token}`, cookie: 'a=b' } })
  expect(logged.length).toBeGreaterThan(2)
  expect(JSON.stringify(logged)).not.toMatch(new RegExp(`${gateway.token}|wrong-token|Marker7|a=b`))
})

describe('a vault that cannot be read', () => {
  test.each(['/metrics', '/openai:work/models', '/api/profiles'])('is 503 at %s', async (path) => {
    const gone = (): Promise<never> =>
      Promise.reject(new KeymuxError('storage_unavailable', 'the vault is out of reach'))
    handle.profiles.views = gone
    handle.profiles.view = gone
    const { status, text } = await ask(path)
    expect(status).toBe(503)
    expect(text).toContain('storage_unavailable')
  })
})

describe('limits', () => {
  test('a deadline shorter than the time for a head is no reason to fail', async () => {
    const config = parseConfigObject({ gateway: { port: 0, deadlineSeconds: 2 } })
    const providers = new ProviderRegistry([], defaultRegistry)
    const short = await serveGateway(
      { ...handle, forwarder, oauth: { keepFresh }, providers, config },
      { stateFolder: folder, readFile: readPrivateFile, announce: false },
    )
    expect(short.url).toMatch(/^http/)
    await short.close()
  })

  test.skipIf(process.platform === 'win32')(
    'a socket’s path that the system would cut is refused',
    async () => {
      const socket = join(folder, 'x'.repeat(110))
      await expect(begin({ socket, announce: false })).rejects.toMatchObject({ code: 'invalid_value' })
      expect(existsSync(folder) && readdirSync(folder).filter((name) => name.startsWith('x'))).toEqual([])
    },
  )
})

test('a token file that others can read is named in full, with what mends it', async () => {
  const path = gateway.tokenFile ?? ''
  chmodSync(path, 0o644)
  await expect(begin()).rejects.toSatisfy(
    (error) => error instanceof KeymuxError && redactSecrets(error.hint ?? '').includes(path),
  )
  chmodSync(path, 0o600)
})
