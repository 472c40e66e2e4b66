import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { expect, test } from 'vitest'
import type { NewProfile } from '../../src/domain/profiles.js'
import { childToken } from '../../src/surfaces/gateway/find.js'
import { acceptOf } from '../../src/transport/handshake.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import {
  CREATED,
  GREETED,
  type Play,
  RealtimeClient,
  type RealtimeUpstream,
  startRealtimeUpstream,
  type UpstreamSession,
} from '../support/realtime.js'

const MODEL = 'gpt-realtime'

interface Lab extends AsyncDisposable {
  readonly upstream: RealtimeUpstream
  readonly serving: TestGateway
  connect(path?: string, protocols?: string[], headers?: Record<string, string>): RealtimeClient
}

async function lab(
  names: readonly string[] = ['a', 'b'],
  profile: Partial<NewProfile> = {},
  config: Parameters<typeof startTestGateway>[1] = {},
): Promise<Lab> {
  const upstream = await startRealtimeUpstream()
  const serving = await startTestGateway(
    names.map((name, index) => ({
      provider: 'openai',
      name,
      secret: `sk-realtime-${name}`,
      baseUrl: `${upstream.url}/v1`,
      priority: names.length - index,
      ...profile,
    })),
    config,
  )
  const clients: RealtimeClient[] = []
  return {
    upstream,
    serving,
    connect(
      path = `/openai/v1/realtime?model=${MODEL}`,
      protocols = [],
      headers = { authorization: `Bearer ${serving.token}` },
    ) {
      const client = new RealtimeClient(serving.url.replace('http', 'ws') + path, protocols, { headers })
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of clients) socket.terminate()
      await serving.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

test('a session passes both ways, with the credential of the account', async () => {
  await using here = await lab()
  const client = here.connect(undefined, ['realtime'])
  const met = await client.met
  expect(met).toMatchObject({
    kind: 'open',
    headers: {
      'x-keymux-profile': 'openai:a',
      'x-keymux-attempts': '1',
      'sec-websocket-protocol': 'realtime',
    },
  })
  expect(JSON.parse((await client.hear(1))[0] ?? '')).toMatchObject({ type: 'session.created' })
  client.socket.send('{"type":"response.create"}')
  const [session] = here.upstream.sessions
  if (session === undefined) throw new Error('no session')
  while (session.received.length < 1) await once(session.socket, 'message')
  expect(session.received).toEqual(['{"type":"response.create"}'])
  expect(session.url).toBe(`/v1/realtime?model=${MODEL}`)
  expect(session.headers.authorization).toBe('Bearer sk-realtime-a')
  client.socket.close(4001, 'done')
  expect((await once(session.socket, 'close'))[0]).toBe(4001)
  expect(await client.ended).toMatchObject({ code: 4001 })
})

const error = (code: string, type: string, message: string): string =>
  JSON.stringify({
    type: 'error',
    event_id: 'event_1',
    error: { type, code, message, param: null, event_id: null },
  })
const body = (code: string, type: string, message: string): string =>
  JSON.stringify({ error: { message, type, param: null, code } })
const refusedAtFirst = (text: string, code: number, reason: string): Play => ({
  kind: 'session',
  greet: ({ socket }) => {
    if (text !== '') socket.send(text)
    socket.close(code, reason)
  },
})
const raw = (answer: (key: string) => string): Play => ({
  kind: 'raw',
  answer: (socket, { headers }) => {
    socket.write(answer(String(headers['sec-websocket-key'])), 'latin1')
  },
})
const switching = (accept: string, ...more: string[]): string =>
  [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...more,
    '',
    '',
  ].join('\r\n')

const REFUSALS: readonly (readonly [string, Play, { state?: string; reason?: string }])[] = [
  [
    '429',
    {
      kind: 'status',
      status: 429,
      body: body('rate_limit_exceeded', 'requests', 'Rate limit reached'),
      headers: { 'retry-after': '90' },
    },
    { state: 'cooling', reason: 'rate_limit' },
  ],
  [
    '401',
    {
      kind: 'status',
      status: 401,
      body: body('invalid_api_key', 'invalid_request_error', 'Incorrect API key provided'),
    },
    {},
  ],
  [
    'no credit',
    {
      kind: 'status',
      status: 429,
      body: body('insufficient_quota', 'insufficient_quota', 'You exceeded your current quota'),
    },
    { state: 'disabled', reason: 'billing' },
  ],
  ['500', { kind: 'status', status: 500, body: body('server_error', 'server_error', 'oops') }, {}],
  ['a connection that ends', { kind: 'raw', answer: (socket) => socket.destroy() }, {}],
  ['a wrong accept key', raw(() => switching('AAAAAAAAAAAAAAAAAAAAAAAAAAA=')), {}],
  [
    'another protocol',
    raw((key) => switching(acceptOf(key)).replace('Upgrade: websocket', 'Upgrade: other')),
    {},
  ],
  [
    'an extension',
    raw((key) => switching(acceptOf(key), 'Sec-WebSocket-Extensions: permessage-deflate')),
    {},
  ],
  ['a subprotocol of its own', raw((key) => switching(acceptOf(key), 'Sec-WebSocket-Protocol: mine')), {}],
  ['200', raw(() => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), {}],
  ['huge headers', raw((key) => switching(acceptOf(key), `X-Huge: ${'x'.repeat(100_000)}`)), {}],
  ['no HTTP', raw(() => '\u0000\u0001\u0002 what?\r\n\r\n'), {}],
  [
    'a key that is refused by the first message',
    refusedAtFirst(
      error('invalid_api_key', 'invalid_request_error', 'Incorrect API key provided: sk-x.'),
      3000,
      'invalid_request_error.invalid_api_key',
    ),
    {},
  ],
  [
    'a key that is refused by the Close frame',
    refusedAtFirst('', 3000, 'invalid_request_error.invalid_api_key'),
    {},
  ],
  [
    'no credit in the first message',
    refusedAtFirst(
      error(
        'insufficient_quota',
        'insufficient_quota',
        'You exceeded your current quota, please check your plan and billing details.',
      ),
      4000,
      '',
    ),
    { state: 'disabled', reason: 'billing' },
  ],
  ['a session that ends at once', { kind: 'session', greet: ({ socket }) => socket.terminate() }, {}],
]

test.each(REFUSALS)(
  '%s at the handshake: the next account, and the caller sees nothing',
  async (_what, play, stands) => {
    await using here = await lab()
    here.upstream.play('sk-realtime-a', play)
    const client = here.connect()
    expect(await client.met).toMatchObject({ kind: 'open', headers: { 'x-keymux-profile': 'openai:b' } })
    expect(await client.hear(1)).toEqual([CREATED])
    expect(new Set(here.upstream.asked)).toEqual(new Set(['sk-realtime-a', 'sk-realtime-b']))
    const view = await here.serving.keymux.profiles.view('openai:a')
    expect(view.errorCount).toBeGreaterThan(0)
    const { state, reason } = stands
    if (state !== undefined)
      expect([view.state, view.unusableReason ?? view.modelCooldowns[0]?.reason]).toEqual([
        expect.stringMatching(/cooling|disabled|available/),
        reason,
      ])
  },
)

test('nobody listens there: the next account', async () => {
  await using here = await lab()
  await here.serving.keymux.profiles.update('openai:a', { baseUrl: 'http://127.0.0.1:9/v1' })
  const client = here.connect()
  expect(await client.met).toMatchObject({ kind: 'open', headers: { 'x-keymux-profile': 'openai:b' } })
})

test('an upstream that does not answer is late: the next account', async () => {
  await using here = await lab(['a', 'b'], {}, { gateway: { firstByteTimeoutSeconds: 1 } })
  here.upstream.play('sk-realtime-a', { kind: 'raw', answer: () => {} })
  const client = here.connect()
  expect(await client.met).toMatchObject({ kind: 'open', headers: { 'x-keymux-profile': 'openai:b' } })
})

test('one that does not greet is taken all the same', async () => {
  await using here = await lab(['a'])
  here.upstream.play('sk-realtime-a', { kind: 'session' })
  expect(await here.connect().met).toMatchObject({
    kind: 'open',
    headers: { 'x-keymux-profile': 'openai:a' },
  })
})

test('nothing left: the refusals of requests', async () => {
  await using here = await lab(['a'], {}, { gateway: { maxWaitSeconds: 0 } })
  const meet = async (play: Play): Promise<unknown> => {
    await here.serving.keymux.profiles.reset()
    here.upstream.play('sk-realtime-a', play)
    return here.connect().met
  }
  const limited = body('rate_limit_exceeded', 'requests', 'Rate limit reached')
  expect(
    await meet({ kind: 'status', status: 429, body: limited, headers: { 'retry-after': '33' } }),
  ).toMatchObject({
    kind: 'refused',
    status: 429,
    headers: { 'retry-after': '33', 'content-type': 'application/json', 'x-keymux-attempts': '1' },
  })
  const refused = error('invalid_api_key', 'invalid_request_error', 'Incorrect API key provided')
  expect(await meet(refusedAtFirst(refused, 3000, 'x'))).toMatchObject({ kind: 'refused', status: 401 })
  const unpaid = error('insufficient_quota', 'insufficient_quota', 'You exceeded your current quota')
  expect(await meet(refusedAtFirst(unpaid, 4000, ''))).toMatchObject({
    kind: 'refused',
    status: 429,
    headers: { 'x-should-retry': 'false' },
    text: expect.stringContaining('insufficient_quota'),
  })
  expect(
    await meet({ kind: 'status', status: 500, body: body('server_error', 'server_error', 'oops') }),
  ).toMatchObject({ kind: 'refused', status: 500 })
})

test('a short exhaustion is waited for', async () => {
  await using here = await lab(['a'])
  let times = 0
  here.upstream.play('sk-realtime-a', {
    kind: 'raw',
    answer: (socket) => {
      times += 1
      here.upstream.play('sk-realtime-a', GREETED)
      socket.end('HTTP/1.1 429 No\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n')
    },
  })
  expect(await here.connect().met).toMatchObject({ kind: 'open' })
  expect([times, here.upstream.asked.length]).toEqual([1, 2])
})

test('who may: token by subprotocol, none, a foreign page, a child of another provider', async () => {
  await using here = await lab(['a'])
  const { token, url } = here.serving
  const browser = here.connect(
    undefined,
    ['realtime', `openai-insecure-api-key.${token}`, 'openai-project.proj_of_the_caller'],
    {},
  )
  expect(await browser.met).toMatchObject({ kind: 'open', headers: { 'sec-websocket-protocol': 'realtime' } })
  await browser.hear(1)
  const [session] = here.upstream.sessions
  expect(session?.headers['sec-websocket-protocol']).toBe('realtime')
  expect(JSON.stringify(session?.headers)).not.toMatch(/proj_of_the_caller|insecure/)
  expect(JSON.stringify(session?.headers)).not.toContain(token)

  const wrong = await here.connect(undefined, ['realtime', 'openai-insecure-api-key.wrong'], {}).met
  expect(wrong).toMatchObject({ kind: 'refused', status: 401 })
  expect(await here.connect(`/openai/v1/realtime?model=${MODEL}&key=${token}`, [], {}).met).toMatchObject({
    kind: 'open',
  })
  const authorization = `Bearer ${token}`
  const origin = 'https://evil.example'
  expect(await here.connect(undefined, [], { authorization, origin }).met).toMatchObject({ status: 403 })
  expect(await here.connect(undefined, [], { authorization, host: 'evil.example' }).met).toMatchObject({
    status: 403,
  })
  const child = await childToken({ url, token }, ['anthropic'])
  expect(await here.connect(undefined, [], { authorization: `Bearer ${child.token}` }).met).toMatchObject({
    status: 403,
  })
  child.release()
})

test.each([
  ['/openai/v1/responses', 426],
  ['/openai/v1/realtime/calls', 426],
  ['/anthropic/v1/realtime', 426],
  ['/groq/openai/v1/realtime', 426],
  ['/@fast/v1/realtime', 426],
  ['/openai:nobody/v1/realtime', 404],
])('a WebSocket at %s is answered %i', async (path, status) => {
  await using here = await lab(['a'], {}, { chains: { fast: ['openai'] } })
  expect(await here.connect(path).met).toMatchObject({ kind: 'refused', status })
})

test('the other paths and queries of a session', async () => {
  await using here = await lab(['a'], { headers: { 'openai-organization': 'org-own' } })
  const paths = [
    ['/openai/realtime?model=m', '/v1/realtime?model=m'],
    ['/openai:a/v1/realtime?intent=transcription', '/v1/realtime?intent=transcription'],
    ['/openai/v1/realtime?call_id=rtc_1', '/v1/realtime?call_id=rtc_1'],
    ['/openai/v1/realtime/translations?model=t', '/v1/realtime/translations?model=t'],
    [
      '/openai/realtime?api-version=1&deployment=d&api-key=callers',
      '/v1/realtime?api-version=1&deployment=d',
    ],
  ]
  const authorization = `Bearer ${here.serving.token}`
  const account = {
    'openai-organization': 'org-callers',
    'chatgpt-account-id': 'callers',
    'OpenAI-Beta': 'realtime=v1',
  }
  for (const [path] of paths) await here.connect(path, [], { authorization, ...account }).met
  expect(here.upstream.sessions.map(({ url }) => url)).toEqual(paths.map(([, wanted]) => wanted))
  for (const { headers } of here.upstream.sessions) {
    expect(headers['openai-organization']).toBe('org-own')
    expect(headers['chatgpt-account-id']).toBeUndefined()
    expect(headers['openai-beta']).toBe('realtime=v1')
    expect(headers['sec-websocket-extensions']).toBeUndefined()
  }
})

async function opened(here: Lab, client: RealtimeClient): Promise<UpstreamSession> {
  await client.hear(1)
  const session = here.upstream.sessions.at(-1)
  if (session === undefined) throw new Error('no session')
  return session
}

test.each([1000, 1001, 1011, 3000, 4999])('the code %i passes from either side', async (code) => {
  await using here = await lab(['a'])
  const first = here.connect()
  const one = await opened(here, first)
  one.socket.close(code, 'why')
  expect(await first.ended).toEqual({ code, reason: 'why' })
  const second = here.connect()
  const other = await opened(here, second)
  const closed = once(other.socket, 'close')
  second.socket.close(code, 'because')
  expect((await closed).map(String)).toEqual([String(code), 'because'])
})

test('a Close frame without a code, and a connection that breaks', async () => {
  await using here = await lab(['a'])
  const first = here.connect()
  const one = await opened(here, first)
  one.socket.close()
  expect((await first.ended).code).toBe(1005)
  const second = here.connect()
  const other = await opened(here, second)
  other.socket.terminate()
  expect((await second.ended).code).toBe(1006)
  const third = here.connect()
  const last = await opened(here, third)
  const gone = once(last.socket, 'close')
  third.socket.terminate()
  expect((await gone)[0]).toBe(1006)
})

test('pings, pongs and binary messages pass', async () => {
  await using here = await lab(['a'])
  const client = here.connect()
  const { socket } = await opened(here, client)
  client.socket.ping('there?')
  expect(String((await once(socket, 'ping'))[0])).toBe('there?')
  socket.ping('and you?')
  const [[pinged], [ponged]] = await Promise.all([once(client.socket, 'ping'), once(socket, 'pong')])
  expect([String(pinged), String(ponged)]).toEqual(['and you?', 'and you?'])
  const bytes = Buffer.from([0, 255, 1])
  socket.send(bytes)
  expect((await once(client.socket, 'message')).slice(0, 2)).toEqual([bytes, true])
})

const mid: readonly (readonly [string, (session: UpstreamSession) => void, string])[] = [
  [
    'an error event',
    ({ socket }) =>
      socket.send(error('rate_limit_exceeded', 'tokens', 'Rate limit reached. Please try again in 90s.')),
    'rate_limit',
  ],
  [
    'a failed response',
    ({ socket }) =>
      socket.send(
        JSON.stringify({
          type: 'response.done',
          response: {
            status: 'failed',
            status_details: {
              type: 'failed',
              error: {
                type: 'insufficient_quota',
                code: 'insufficient_quota',
                message: 'You exceeded your current quota',
              },
            },
          },
        }),
      ),
    'billing',
  ],
  ['a Close frame', ({ socket }) => socket.close(1013, ''), 'overloaded'],
  ['a break', ({ socket }) => socket.terminate(), 'server_error'],
]

test.each(mid)('%s in a session is noted: the next one goes elsewhere', async (_what, fail, reason) => {
  await using here = await lab()
  const client = here.connect()
  const session = await opened(here, client)
  expect(session.key).toBe('sk-realtime-a')
  fail(session)
  const { profiles } = here.serving.keymux
  await expect.poll(async () => (await profiles.view('openai:a')).failureCounts).toEqual({ [reason]: 1 })
  const next = here.connect()
  expect((await opened(here, next)).key).toBe('sk-realtime-b')
})

test('what lies in the session itself, or ends it in order, is held against nobody', async () => {
  await using here = await lab(['a'])
  const client = here.connect()
  const { socket } = await opened(here, client)
  socket.send(
    error('invalid_value', 'invalid_request_error', "Invalid value: 'x'. Supported values are: 'y'."),
  )
  socket.send(
    error('session_expired', 'invalid_request_error', 'Your session hit the maximum duration of 60 minutes.'),
  )
  socket.send(JSON.stringify({ type: 'response.done', response: { status: 'completed', output: [] } }))
  await client.hear(4)
  socket.close(1001, '')
  await client.ended
  const view = await here.serving.keymux.profiles.view('openai:a')
  expect([view.errorCount, view.lastGood, view.state]).toEqual([0, true, 'available'])
})

test('a session ends with its token', async () => {
  await using here = await lab(['a'])
  const { url, token } = here.serving
  const child = await childToken({ url, token }, ['openai'])
  const client = here.connect(undefined, [], { authorization: `Bearer ${child.token}` })
  const { socket } = await opened(here, client)
  const gone = once(socket, 'close')
  child.release()
  expect(await client.ended).toMatchObject({ code: 1008 })
  expect((await gone)[0]).toBe(1001)
})

test.each([
  ['removed', async ({ keymux }: TestGateway) => void (await keymux.profiles.delete('openai:a'))],
  [
    'switched off',
    async ({ keymux }: TestGateway) => void (await keymux.profiles.update('openai:a', { enabled: false })),
  ],
  [
    'given another key',
    async ({ keymux }: TestGateway) =>
      void (await keymux.profiles.add(
        { provider: 'openai', name: 'a', secret: 'sk-realtime-new' },
        { replace: true },
      )),
  ],
])('a session ends when its account is %s', async (_what, change) => {
  await using here = await lab()
  const client = here.connect()
  await opened(here, client)
  await change(here.serving)
  expect(await client.ended).toMatchObject({
    code: 1001,
    reason: 'the account of this session is no longer used',
  })
})

test('a session ends when the vault is locked, and when the gateway is closed', async () => {
  await using here = await lab(['a'])
  const first = here.connect()
  await opened(here, first)
  const closing = here.connect()
  await opened(here, closing)
  const closed = here.serving.gateway.close({ drainMs: 20_000 })
  expect(await closing.ended).toMatchObject({ code: 1001, reason: 'the gateway is shutting down' })
  expect(await closed).toBe(0)

  await using there = await lab(['a'])
  const client = there.connect()
  await opened(there, client)
  await there.serving.keymux.close()
  expect(await client.ended).toMatchObject({ code: 1013 })
})

test('a caller who hangs up during the handshake: the upstream is let go, nobody is blamed', async () => {
  await using here = await lab(['a'])
  const hung = new Promise<void>((resolve) => {
    here.upstream.play('sk-realtime-a', {
      kind: 'raw',
      answer: (socket) => {
        socket.once('end', () => resolve())
        socket.resume()
        client.socket.terminate()
      },
    })
  })
  const client = here.connect()
  await client.met
  await hung
  const view = await here.serving.keymux.profiles.view('openai:a')
  expect([view.errorCount, view.state]).toEqual([0, 'available'])
})

test('a head that is cut, malformed handshakes', async () => {
  await using here = await lab(['a'])
  const { url, token } = here.serving
  const ask = async (...lines: string[]): Promise<string> => {
    const { hostname, port, host } = new URL(url)
    const socket = connectTcp(Number(port), hostname)
    const head = ['Upgrade: websocket', 'Connection: Upgrade', `Authorization: Bearer ${token}`, ...lines]
    socket.write([`GET /openai/v1/realtime HTTP/1.1`, `Host: ${host}`, ...head, '', ''].join('\r\n'))
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text.split('\r\n', 1)[0] ?? ''
  }
  expect(await ask()).toContain('426')
  expect(await ask('Sec-WebSocket-Version: 13')).toContain('400')
  expect(await ask('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short')).toContain('400')
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  expect(await ask('Sec-WebSocket-Version: 8', key)).toContain('426')
  expect(await ask('Sec-WebSocket-Version: 13', key, 'Content-Length: 4')).toContain('400')
  expect(await ask('Sec-WebSocket-Version: 13', key, 'Sec-WebSocket-Protocol: a b')).toContain('400')
})

test('sessions are counted', async () => {
  await using here = await lab(['a'])
  const client = here.connect()
  await opened(here, client)
  const metrics = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${here.serving.token}` }
    return (await fetch(`${here.serving.url}/metrics`, { headers })).text()
  }
  expect(await metrics()).toContain('keymux_tunnels 1')
  client.socket.close(1000)
  await client.ended
  await expect.poll(metrics).toContain('keymux_tunnels 0')
  expect(await metrics()).toContain(
    'keymux_requests_total{provider="openai",profile="openai:a",status="101"} 1',
  )
  const last = here.serving.log.findLast((line) => line.includes('a session ended'))
  expect(JSON.parse(last ?? '')).toMatchObject({ by: 'caller', close_code: 1000, profile: 'openai:a' })
})

test('a request that offers another protocol beside HTTP is served as it is, its body too', async () => {
  await using here = await lab(['a'])
  const { url, token } = here.serving
  const { hostname, port, host } = new URL(url)
  const socket = connectTcp(Number(port), hostname)
  const head = [
    'POST /healthz HTTP/1.1',
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    'Content-Length: 5',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\nhello`)
  let text = String((await once(socket, 'data'))[0])
  const next = ['GET /healthz HTTP/1.1', `Host: ${host}`, 'Connection: close', '', '']
  socket.write(next.join('\r\n'))
  for await (const chunk of socket) text += String(chunk)
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
})

test('a session takes a place of its account until it ends', async () => {
  await using here = await lab(['a', 'b'], { concurrency: 1 })
  const first = here.connect()
  expect((await opened(here, first)).key).toBe('sk-realtime-a')
  const second = here.connect()
  expect((await opened(here, second)).key).toBe('sk-realtime-b')
  const third = here.connect()
  const gone = once(here.upstream.sessions[0]?.socket ?? third.socket, 'close')
  first.socket.close(1000)
  await gone
  expect((await opened(here, third)).key).toBe('sk-realtime-a')
})
