import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { GoogleGenAI, type LiveServerMessage } from '@google/genai'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { WebSocket as BrowserSocket } from 'undici'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  GREETED,
  RealtimeClient,
  type RealtimeUpstream,
  startRealtimeUpstream,
  type UpstreamSession,
} from '../support/realtime.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const PASSPHRASE = 'open sesame'
const [FIRST, SECOND] = ['sk-first-planted-Marker7Qx9Zt3Lk8', 'sk-second-planted-Marker8Vb2Nm5Wp4']
const LARGE_BYTES = 256_000_000
/** What a session may take of the gateway's memory, however much passes. */
const FLAT_BYTES = 64_000_000

let program: Program
let sandbox: string
let upstream: RealtimeUpstream
let child: ChildProcess
let url: string
let token: string

beforeAll(async () => {
  program = keymuxBinary()
  sandbox = makeSandbox()
  upstream = await startRealtimeUpstream()
  await keymux(['init'])
  for (const [provider, base] of [
    ['openai', `${upstream.url}/v1`],
    ['gemini', upstream.url],
  ] as const) {
    await keymux(['add', `${provider}:first`, '--stdin', '--priority', '2', '--base-url', base], FIRST)
    await keymux(['add', `${provider}:second`, '--stdin', '--priority', '1', '--base-url', base], SECOND)
  }
  const env = { PATH: process.env.PATH, HOME: sandbox, KEYMUX_PASSPHRASE: PASSPHRASE }
  child = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
    cwd: sandbox,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('no output')
  const [line] = await once(createInterface(child.stdout), 'line')
  const said = JSON.parse(String(line)) as { url: string; token_file: string }
  url = said.url
  token = readFileSync(said.token_file, 'utf8').trim()
})
beforeEach(async () => {
  for (const key of [FIRST, SECOND]) upstream.play(key, GREETED)
  await keymux(['reset', '--all'])
})
afterAll(async () => {
  child.kill('SIGKILL')
  await upstream[Symbol.asyncDispose]()
  removeSandbox(sandbox)
})

async function keymux(args: readonly string[], stdin = ''): Promise<void> {
  const { code, stderr } = await runProgram(program, args, sandbox, {
    env: { KEYMUX_PASSPHRASE: PASSPHRASE },
    stdin,
  })
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
}

const authorization = (): { authorization: string } => ({ authorization: `Bearer ${token}` })

function plainly(where: NetConnectOpts | number | string): Socket {
  if (typeof where !== 'object' || !('port' in where)) throw new Error('an address was expected')
  return connect(where.port, where.host ?? '127.0.0.1')
}

async function residentBytes(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: authorization() })).text()
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1])
}

async function open(): Promise<{ readonly client: RealtimeClient; readonly session: UpstreamSession }> {
  const address = `${url.replace('http', 'ws')}/openai/v1/realtime?model=gpt-realtime`
  const client = new RealtimeClient(address, [], { headers: authorization() })
  await client.hear(1)
  const session = upstream.sessions.at(-1)
  if (session === undefined) throw new Error('no session')
  return { client, session }
}

test("OpenAI's client has a session, and another account where the first is refused by the first message", async () => {
  const refused = {
    type: 'invalid_request_error',
    code: 'invalid_api_key',
    message: 'Incorrect API key provided',
  }
  upstream.play(FIRST, {
    kind: 'session',
    greet: ({ socket }) => {
      socket.send(JSON.stringify({ type: 'error', event_id: 'e', error: refused }))
      socket.close(3000, 'invalid_request_error.invalid_api_key')
    },
  })
  upstream.play(SECOND, {
    kind: 'session',
    greet: ({ socket }) => {
      socket.send(JSON.stringify({ type: 'session.created', event_id: 'e', session: { type: 'realtime' } }))
      socket.on('message', () =>
        socket.send(
          JSON.stringify({ type: 'response.done', event_id: 'e', response: { status: 'completed' } }),
        ),
      )
    },
  })
  const openai = new OpenAI({ apiKey: token, baseURL: `${url}/openai/v1` })
  // It asks for wss: whatever the base URL says; the gateway speaks plain HTTP on loopback.
  const options = { createConnection: plainly }
  const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options }, openai)
  const errors: unknown[] = []
  realtime.on('error', (error) => errors.push(error))
  const done = new Promise((resolve) => realtime.on('response.done', resolve))
  realtime.on('session.created', () => realtime.send({ type: 'response.create' }))
  expect(await done).toMatchObject({ response: { status: 'completed' } })
  expect(errors).toEqual([])
  expect(upstream.sessions.at(-1)?.key).toBe(SECOND)
  realtime.close()
})

test("Google's client has a live session; one that is refused makes the next go to the other account", async () => {
  const setUp = { setupComplete: {} }
  const said = { serverContent: { modelTurn: { parts: [{ text: 'Hello' }] }, turnComplete: true } }
  upstream.play(FIRST, {
    kind: 'session',
    greet: ({ socket }) =>
      socket.once('message', () =>
        socket.close(1011, 'You exceeded your current quota, please check your plan.'),
      ),
  })
  upstream.play(SECOND, {
    kind: 'session',
    greet: ({ socket }) =>
      socket.once('message', () => {
        socket.send(Buffer.from(JSON.stringify(setUp)))
        socket.send(Buffer.from(JSON.stringify(said)))
      }),
  })
  const ai = new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: `${url}/gemini` } })
  const live = async (): Promise<{ readonly code?: number; readonly heard: LiveServerMessage[] }> => {
    const heard: LiveServerMessage[] = []
    return new Promise((resolve, reject) => {
      const callbacks = {
        onmessage: (message: LiveServerMessage) => {
          heard.push(message)
          if (message.serverContent?.turnComplete === true) resolve({ heard })
        },
        onclose: ({ code }: { code: number }) => resolve({ code, heard }),
      }
      ai.live.connect({ model: 'gemini-live', callbacks }).catch(reject)
    })
  }
  expect((await live()).code).toBe(1011)
  const { heard } = await live()
  expect(heard.at(-1)).toMatchObject(said)
  const session = upstream.sessions.at(-1)
  expect(session?.key).toBe(SECOND)
  expect(session?.url).not.toContain(token)
  expect(JSON.parse(session?.received[0] ?? '')).toMatchObject({ setup: { model: 'models/gemini-live' } })
})

test("a browser's client offers its key as a subprotocol", async () => {
  const socket = new BrowserSocket(`${url.replace('http', 'ws')}/openai/realtime?model=gpt-realtime`, [
    'realtime',
    `openai-insecure-api-key.${token}`,
  ])
  const { data } = await new Promise<{ data: unknown }>((resolve, reject) => {
    socket.addEventListener('message', resolve)
    socket.addEventListener('error', reject)
  })
  expect(JSON.parse(String(data))).toMatchObject({ type: 'session.created' })
  expect(socket.protocol).toBe('realtime')
  socket.close()
})

test('a message of 256 MB passes either way, in flat memory', async () => {
  const { client, session } = await open()
  const before = await residentBytes()
  let most = 0
  const timer = setInterval(async () => {
    most = Math.max(most, await residentBytes().catch(() => 0))
  }, 200)
  const large = Buffer.alloc(LARGE_BYTES, 7)
  session.socket.send(large)
  const [down] = await once(client.socket, 'message')
  client.socket.send(large)
  const [up] = await once(session.socket, 'message')
  clearInterval(timer)
  expect([(down as Buffer).length, (up as Buffer).length]).toEqual([LARGE_BYTES, LARGE_BYTES])
  expect(most - before).toBeLessThan(FLAT_BYTES)
  client.socket.close()
})

test.each(['caller', 'provider'])('a %s who does not read costs no memory', async (who) => {
  const { client, session } = await open()
  const [deaf, talker] = who === 'caller' ? [client.socket, session.socket] : [session.socket, client.socket]
  const before = await residentBytes()
  deaf.pause()
  const piece = Buffer.alloc(1_000_000, 7)
  // What nobody takes stays with whoever sends it.
  while (talker.bufferedAmount < 2 * FLAT_BYTES) {
    talker.send(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await residentBytes()) - before).toBeLessThan(FLAT_BYTES)
  deaf.terminate()
  talker.terminate()
})
