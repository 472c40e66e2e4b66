import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  badKey,
  ok,
  rateLimited,
  type ScriptedUpstream,
  stall,
  startScriptedUpstream,
  truncated,
} from '../../src/entries/testing.js'
import { SDK_CALLERS } from '../support/sdk-callers.js'
import { fatedStream, STREAMED_DIALECTS, type StreamedDialect } from '../support/streams.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const [FIRST, SECOND] = ['sk-first-planted-Marker7Qx9Zt3Lk8', 'sk-second-planted-Marker8Vb2Nm5Wp4']
const PASSPHRASE = 'open sesame'
const ANSWER = 'Hello from keymux.'
/** After the first words of every dialect, and before its end. */
const AFTER_CONTENT = 1_150

interface Served {
  readonly child: ChildProcess
  readonly url: string
  readonly key: string
}

let program: Program
let sandbox: string
let upstream: ScriptedUpstream
const running: ChildProcess[] = []

beforeAll(() => {
  program = keymuxBinary()
})
beforeEach(async () => {
  sandbox = makeSandbox()
  upstream = await startScriptedUpstream()
  await keymux(['init'])
  const bases = new Map(SDK_CALLERS.map((caller) => [caller.provider, caller.upstreamBase(upstream.url)]))
  for (const [provider, base] of bases) {
    await keymux(['add', `${provider}:first`, '--stdin', '--priority', '2', '--base-url', base], FIRST)
    await keymux(['add', `${provider}:second`, '--stdin', '--priority', '1', '--base-url', base], SECOND)
  }
  writeFileSync(join(sandbox, 'config.yaml'), 'gateway: { idle_timeout_seconds: 0.6, health: false }\n')
})
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  await upstream.close()
  removeSandbox(sandbox)
})

function keymux(
  args: readonly string[],
  stdin = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  return runProgram(program, args, sandbox, { env: { KEYMUX_PASSPHRASE: PASSPHRASE }, stdin })
}

/** Starts the built program and waits until it listens. */
async function serve(): Promise<Served> {
  const env = { PATH: process.env.PATH, HOME: sandbox, KEYMUX_PASSPHRASE: PASSPHRASE }
  const child = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
    cwd: sandbox,
    env: { ...env, KEYMUX_CONFIG: join(sandbox, 'config.yaml') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push(child)
  const [line] = await once(createInterface(child.stdout), 'line')
  const { url, token_file: tokenFile } = JSON.parse(String(line))
  return { child, url, key: readFileSync(tokenFile, 'utf8').trim() }
}

async function behind(id: string): Promise<unknown> {
  const { stdout } = await keymux(['status', '--json'])
  const { providers } = JSON.parse(stdout) as {
    providers: { profiles: { id: string; behind?: unknown }[] }[]
  }
  return providers.flatMap(({ profiles }) => profiles).find((profile) => profile.id === id)?.behind
}

describe.each(SDK_CALLERS)('$name', (caller) => {
  const id = `${caller.provider}:first`
  const dialect = STREAMED_DIALECTS.find(({ provider }) => provider === caller.provider) as StreamedDialect

  test('meets an answer that breaks off once, and the next account when it asks again, after a restart too', async () => {
    const served = await serve()
    upstream.respond(
      [ok(), truncated({ afterBytes: AFTER_CONTENT, in: ok({ text: Array(99).fill('word ') }) })],
      FIRST,
    )
    expect(await caller.stream(served)).toBe(ANSWER)
    await expect(caller.stream(served)).rejects.toThrow()
    expect(await caller.stream(served)).toBe(ANSWER)
    expect(upstream.requests.map(({ credential }) => credential)).toEqual([FIRST, FIRST, SECOND])
    await expect.poll(() => behind(id), { timeout: 20_000 }).toHaveLength(1)
    served.child.kill('SIGKILL')
    upstream.respond(ok(), FIRST)
    expect(await caller.stream(await serve())).toBe(ANSWER)
    expect(upstream.requests.at(-1)?.credential).toBe(SECOND)
  })

  test('the same for an error in the middle, and for one that stops', async () => {
    const served = await serve()
    upstream.respond(() => fatedStream(dialect, 'overloaded', { cuts: [90], when: setTimeout(300) }), FIRST)
    await expect(caller.stream(served)).rejects.toThrow()
    expect(await caller.stream(served)).toBe(ANSWER)
    await keymux(['reset', id])
    upstream.respond(
      stall('forever', { in: ok({ text: Array(99).fill('word ') }), afterBytes: AFTER_CONTENT }),
      FIRST,
    )
    await expect(caller.stream(served)).rejects.toThrow()
    expect(await caller.stream(served)).toBe(ANSWER)
    expect(upstream.requests.map(({ credential }) => credential)).toEqual([FIRST, SECOND, FIRST, SECOND])
  })

  test('does not notice that all accounts are busy for a moment', async () => {
    const served = await serve()
    upstream.respond([rateLimited({ retryAfter: 2 }), ok()], FIRST)
    upstream.respond(rateLimited({ retryAfter: 50 }), SECOND)
    const startedAt = performance.now()
    expect(await caller.stream(served)).toBe(ANSWER)
    expect(performance.now() - startedAt).toBeGreaterThan(1_900)
    expect(upstream.requests).toHaveLength(3)
  })

  test('is told what to do when all are refused', async () => {
    const served = await serve()
    upstream.respond(badKey(), FIRST)
    upstream.respond(badKey(), SECOND)
    await expect(caller.plain(served)).rejects.toThrow(`keymux status ${caller.provider}`)
    expect(upstream.requests).toHaveLength(2)
  })
})

test('a path with and without the version of the API', async () => {
  const { url, key } = await serve()
  const paths: readonly (readonly [string, string])[] = [
    ['/openai/chat/completions', '/v1/chat/completions'],
    ['/openai/v1/chat/completions', '/v1/chat/completions'],
    ['/anthropic/messages', '/v1/messages'],
    ['/anthropic/v1/messages', '/v1/messages'],
    ['/gemini/models/gemini-2.5-pro:generateContent', '/v1beta/models/gemini-2.5-pro:generateContent'],
    ['/gemini/v1beta/models/gemini-2.5-pro:generateContent', '/v1beta/models/gemini-2.5-pro:generateContent'],
  ]
  for (const [path] of paths) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: '{"model":"gemini-2.5-pro"}' })
    expect(response.status).toBe(200)
  }
  expect(upstream.requests.map(({ url: seen }) => seen)).toEqual(paths.map(([, wanted]) => wanted))
})

test('requests that wait are counted: how many do, how many did, and how it ended', async () => {
  const ask = ({ url, key }: Served, model: string, signal?: AbortSignal): Promise<number> =>
    fetch(`${url}/openai/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [] }),
      signal: signal ?? null,
    }).then((answer) => answer.status)
  const figures = async ({ url, key }: Served): Promise<string[]> => {
    const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })).text()
    return text.split('\n').filter((line) => /^keymux_(?:requests_held|held_)/.test(line))
  }
  writeFileSync(join(sandbox, 'config.yaml'), 'gateway: { max_wait_seconds: 60 }\n')
  const patient = await serve()
  expect(await figures(patient)).toEqual([])
  for (const account of [FIRST, SECOND]) upstream.respond(rateLimited({ retryAfter: 50 }), account)
  const leaving = new AbortController()
  const left = ask(patient, 'gpt-a', leaving.signal).catch(() => 'left')
  await expect
    .poll(() => figures(patient), { timeout: 20_000 })
    .toEqual(['keymux_held_total{provider="openai"} 1', 'keymux_requests_held{provider="openai"} 1'])
  leaving.abort()
  expect(await left).toBe('left')
  upstream.respond([rateLimited({ retryAfter: 1 }), ok()], SECOND)
  expect(await ask(patient, 'gpt-b')).toBe(200)
  expect(await figures(patient)).toEqual([
    'keymux_held_total{provider="openai"} 2',
    'keymux_held_ended_total{provider="openai",outcome="left"} 1',
    'keymux_held_ended_total{provider="openai",outcome="served"} 1',
    'keymux_requests_held{provider="openai"} 0',
  ])
  patient.child.kill()

  writeFileSync(join(sandbox, 'config.yaml'), 'gateway: { max_wait_seconds: 1 }\n')
  const impatient = await serve()
  for (const account of [FIRST, SECOND]) upstream.respond(rateLimited({ retryAfter: 1 }), account)
  expect(await ask(impatient, 'gpt-c')).toBe(429)
  expect(await figures(impatient)).toEqual([
    'keymux_held_total{provider="openai"} 1',
    'keymux_held_ended_total{provider="openai",outcome="gave_up"} 1',
    'keymux_requests_held{provider="openai"} 0',
  ])
})

test('a WebSocket is answered with 426: the client goes on with HTTP', async () => {
  const { url, key } = await serve()
  const upgrade = request(`${url}/openai/v1/responses`, {
    headers: {
      authorization: `Bearer ${key}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  }).end()
  const [response] = await once(upgrade, 'response')
  expect([response.statusCode, response.headers.upgrade]).toEqual([426, 'HTTP/1.1'])
  response.resume()
})
