import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  errorInFirstEvent,
  ok,
  outOfMoney,
  type Reply,
  rateLimited,
  reset,
  type ScriptedUpstream,
  serverError,
  stall,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { SDK_CALLERS } from '../support/sdk-callers.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const [FIRST, SECOND] = ['sk-first-planted-Marker7Qx9Zt3Lk8', 'sk-second-planted-Marker8Vb2Nm5Wp4']
const PASSPHRASE = 'open sesame'

let program: Program
let sandbox: string
let upstream: ScriptedUpstream

beforeAll(() => {
  program = keymuxBinary()
})
beforeEach(async () => {
  sandbox = makeSandbox()
  upstream = await startScriptedUpstream()
  await keymux(['init'])
  const bases = new Map(SDK_CALLERS.map((caller) => [caller.provider, caller.upstreamBase(upstream.url)]))
  for (const [provider, base] of bases) await addAccounts(provider, base)
  writeFileSync(config(), 'gateway: { first_byte_timeout_seconds: 0.5 }\n')
})
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  await upstream.close()
  removeSandbox(sandbox)
})

const running: ChildProcess[] = []
const env = (): Record<string, string> => ({ KEYMUX_PASSPHRASE: PASSPHRASE, KEYMUX_CONFIG: config() })
const config = (): string => join(sandbox, 'config.yaml')

async function keymux(
  args: readonly string[],
  stdin = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  return runProgram(program, args, sandbox, { env: { KEYMUX_PASSPHRASE: PASSPHRASE }, stdin })
}

async function addAccounts(provider: string, baseUrl: string): Promise<void> {
  for (const [name, secret, priority] of [
    ['first', FIRST, '2'],
    ['second', SECOND, '1'],
  ] as const) {
    const args = ['add', `${provider}:${name}`, '--stdin', '--priority', priority, '--base-url', baseUrl]
    const added = await keymux(args, secret)
    expect(added.stderr).toBe('')
  }
}

interface Served {
  readonly child: ChildProcess
  readonly url: string
  readonly port: number
  readonly token: string
  readonly tokenFile: string
  readonly stderr: () => string
  readonly ended: Promise<number>
}

/** Starts `keymux serve` and waits until it listens. */
async function serve(
  args: readonly string[] = ['--port', '0'],
  extra: Record<string, string> = {},
): Promise<Served> {
  const child = spawn(process.execPath, [program, 'serve', '--json', ...args], {
    cwd: sandbox,
    env: { PATH: process.env.PATH, HOME: sandbox, ...env(), ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  running.push(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const ended = once(child, 'exit').then(([code, signal]) => (signal === null ? Number(code) : -1))
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    ended.then((code) => Promise.reject(new Error(`serve ended with ${code}: ${stderr}`))),
  ])
  const { event, url, port, token_file: tokenFile } = JSON.parse(String(line))
  expect(event).toBe('listening')
  const token = readFileSync(tokenFile, 'utf8').trim()
  return { child, url, port, token, tokenFile, stderr: () => stderr, ended }
}

describe('keymux serve', () => {
  const FAULTS: readonly (readonly [string, () => Reply])[] = [
    ['a rate limit', () => rateLimited({ retryAfter: 20 })],
    ['no money', () => outOfMoney()],
    ['a broken server', () => serverError()],
    ['a reset', () => reset()],
    ['silence', () => stall()],
    ['an error in the first event', () => errorInFirstEvent()],
  ]

  test('the SDKs survive every fault of the first account', async () => {
    const { url, token, stderr, child, ended } = await serve()
    for (const [what, fault] of FAULTS) {
      await keymux(['reset', '--all'])
      upstream.respond(fault(), FIRST)
      for (const caller of SDK_CALLERS) {
        const place = { url, key: token }
        expect
          .soft(await caller.stream(place).catch(String), `${caller.provider}: ${what}`)
          .toBe('Hello from keymux.')
      }
    }
    expect(upstream.requests.some(({ credential }) => credential === FIRST)).toBe(true)
    expect(JSON.stringify(upstream.requests.map(({ headers, url: path }) => [headers, path]))).not.toContain(
      token,
    )
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(stderr()).not.toContain(token)
    expect(stderr()).not.toMatch(/Marker/)
    for (const line of stderr().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level')
  })

  test('prints one line for people, keeps its token across starts, and rotates it', async () => {
    const first = await serve()
    expect(first.url).toBe(`http://127.0.0.1:${first.port}`)
    expect(statSync(first.tokenFile).mode & 0o777).toBe(0o600)
    first.child.kill('SIGINT')
    expect(await first.ended).toBe(130)
    const second = await serve(['--port', '0', '--rotate-token'])
    expect(second.token).not.toBe(first.token)
    second.child.kill('SIGTERM')
    await second.ended
    const chosen = await serve(['--port', '0'], { KEYMUX_GATEWAY_TOKEN: 'chosen-by-the-operator' })
    expect(chosen.token).toBe('chosen-by-the-operator')
    const response = await fetch(`${chosen.url}/openai/models`, { headers: { 'x-api-key': chosen.token } })
    expect(response.status).toBe(200)
  })

  test('beyond loopback it must be told so, and says what it means', async () => {
    const refused = await runProgram(program, ['serve', '--host', '0.0.0.0', '--port', '0'], sandbox, {
      env: env(),
    })
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toMatch(/other machines can reach the gateway.*--allow-remote/)
  })

  test('a port in use is exit 7, a bad one 2, a locked vault 3', async () => {
    const { port } = await serve()
    expect((await runProgram(program, ['serve', '--port', String(port)], sandbox, { env: env() })).code).toBe(
      7,
    )
    expect((await runProgram(program, ['serve', '--port', '70000'], sandbox, { env: env() })).code).toBe(2)
    expect((await runProgram(program, ['serve', '--port', '0'], sandbox, {})).code).toBe(3)
  })

  test('its log tells what becomes of tries, with --verbose each of them', async () => {
    upstream.respond(serverError(), FIRST)
    const { url, token, stderr, child, ended } = await serve(['--port', '0', '--verbose'])
    const response = await fetch(`${url}/openai/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
    })
    expect(response.status).toBe(200)
    child.kill('SIGTERM')
    await ended
    expect(stderr()).toContain('"message":"a try failed"')
    expect(stderr()).not.toMatch(/Marker/)
  })

  test('SIGTERM lets a stream under way finish', async () => {
    let go = (): void => {}
    const rest = new Promise<void>((resolve) => {
      go = resolve
    })
    upstream.respond(stall(rest, { in: ok({ text: 'a few words '.repeat(20) }), afterBytes: 1_000 }))
    const { url, token, child, ended } = await serve()
    const response = await fetch(`${url}/openai/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', stream: true, messages: [] }),
    })
    child.kill('SIGTERM')
    await expect
      .poll(() => fetch(`${url}/healthz`).then(String, (error: Error) => error.message))
      .toBe('fetch failed')
    go()
    expect(await response.text()).toContain('[DONE]')
    expect(await ended).toBe(0)
  })

  test('profiles and config are picked up while it runs; a bad config is told and not used', async () => {
    const { url, token, stderr, child } = await serve()
    const ask = (path: string): Promise<Response> =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'any', messages: [] }),
      })
    await keymux(['disable', 'openai:first'])
    await expect
      .poll(async () => (await ask('/openai/chat/completions')).headers.get('x-keymux-profile'))
      .toBe('openai:second')
    expect((await ask('/@fast/chat/completions')).status).toBe(404)
    writeFileSync(config(), 'chains: { fast: [openai:gpt-4o-mini] }\n')
    child.kill('SIGHUP')
    await expect.poll(async () => (await ask('/@fast/chat/completions')).status).toBe(200)
    expect(upstream.requests.at(-1)?.json).toMatchObject({ model: 'gpt-4o-mini' })
    writeFileSync(config(), 'chains: [no\n')
    child.kill('SIGHUP')
    await expect.poll(stderr).toContain('the old one stays')
    expect((await ask('/@fast/chat/completions')).status).toBe(200)
  })
})

describe('gateway.privacy', () => {
  const ID = JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: '', session_id: 's' })
  const body = JSON.stringify({
    model: 'm',
    max_tokens: 9,
    messages: [],
    metadata: { user_id: ID },
    stream: false,
  })

  test('accounts see ids of their own, through restarts, new names and new keys; off, they see what was sent', async () => {
    const ask = async (from: Served): Promise<string[]> => {
      const before = upstream.requests.length
      const headers = { 'x-api-key': from.token, 'content-type': 'application/json' }
      for (const name of ['first', 'second']) {
        const url = `${from.url}/anthropic:${name}/v1/messages`
        expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200)
      }
      return upstream.requests.slice(before).map((request) => request.body.toString())
    }
    const plain = await serve()
    expect(await ask(plain)).toEqual([body, body])
    writeFileSync(config(), 'gateway: { privacy: true }\n')
    plain.child.kill('SIGHUP')
    await expect.poll(async () => (await ask(plain))[0] === body).toBe(false)
    const bodies = await ask(plain)
    const ids = bodies.map((text): string => JSON.parse(text).metadata.user_id)
    expect(ids[0]).not.toBe(ids[1])
    for (const [index, text] of bodies.entries()) {
      expect(text).not.toContain('dddddddd')
      expect(text.replace(JSON.stringify(ids[index]), JSON.stringify(ID))).toBe(body)
    }
    plain.child.kill('SIGTERM')
    await plain.ended
    expect((await keymux(['vault', 'rotate'])).code).toBe(0)
    for (const [from, to] of [
      ['first', 'third'],
      ['second', 'first'],
      ['third', 'second'],
    ] as const)
      expect((await keymux(['rename', `anthropic:${from}`, to])).code).toBe(0)
    expect(await ask(await serve())).toEqual([...bodies].reverse())
  })

  test('a JSON body that is too large to be kept is refused in the shape of the provider', async () => {
    writeFileSync(config(), 'gateway: { privacy: true, replay_limit_mb: 0.1 }\n')
    const { url, token } = await serve()
    const headers = { 'x-api-key': token, 'content-type': 'application/json' }
    const large = JSON.stringify({ messages: 'x'.repeat(200_000), metadata: { user_id: ID } })
    const answer = await fetch(`${url}/anthropic/v1/messages`, { method: 'POST', headers, body: large })
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({
      type: 'error',
      error: { message: expect.stringContaining('gateway.replay_limit_mb') },
    })
    expect(upstream.requests).toEqual([])
  })
})

describe('exec --gateway and env --gateway', () => {
  const script = `
    const url = process.env.OPENAI_BASE_URL
    const response = await fetch(url + '/chat/completions', {
      method: 'POST',
      headers: { authorization: 'Bearer ' + process.env.OPENAI_API_KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
    })
    const { choices } = await response.json()
    console.log(JSON.stringify({ url, text: choices?.[0]?.message?.content, env: Object.keys(process.env).filter((name) => name.startsWith('KEYMUX_')), leak: JSON.stringify(process.env).includes('Marker') }))
    process.exit(7)
  `

  test('the child’s requests fail over; its gateway ends with it', async () => {
    upstream.respond(rateLimited({ retryAfter: 20 }), FIRST)
    const args = ['exec', '--gateway', 'openai', '--', process.execPath, '--input-type=module', '-e', script]
    const { code, stdout, stderr } = await runProgram(program, args, sandbox, {
      env: { KEYMUX_PASSPHRASE: PASSPHRASE },
    })
    expect([code, stderr]).toEqual([7, ''])
    const seen = JSON.parse(stdout)
    expect(seen).toMatchObject({ text: 'Hello from keymux.', env: [], leak: false })
    await expect(fetch(seen.url)).rejects.toThrow()
    expect(upstream.requests.map(({ credential }) => credential)).toEqual([FIRST, SECOND])
  })

  test('the running gateway is used, without the passphrase', async () => {
    const { url, token } = await serve()
    const args = [
      'exec',
      '--gateway',
      'openai:second',
      '--',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ]
    const { code, stdout } = await runProgram(program, args, sandbox, {})
    expect(code).toBe(7)
    expect(JSON.parse(stdout)).toMatchObject({ url: `${url}/openai:second`, text: 'Hello from keymux.' })
    const printed = await runProgram(
      program,
      ['env', '--gateway', 'openai', 'anthropic', '--format', 'json'],
      sandbox,
      {},
    )
    expect(JSON.parse(printed.stdout)).toEqual({
      OPENAI_API_KEY: token,
      OPENAI_BASE_URL: `${url}/openai`,
      ANTHROPIC_API_KEY: token,
      ANTHROPIC_BASE_URL: `${url}/anthropic`,
    })
  })

  test('env --gateway without a running one is exit 4, also after one was killed', async () => {
    expect((await runProgram(program, ['env', '--gateway', 'openai'], sandbox, {})).code).toBe(4)
    const { child, ended } = await serve()
    child.kill('SIGKILL')
    await ended
    expect(
      readdirSync(join(sandbox, '.local/state/keymux/gateways')).some((name) => name.endsWith('.json')),
    ).toBe(true)
    const { code, stderr } = await runProgram(program, ['env', '--gateway', 'openai'], sandbox, {})
    expect(code).toBe(4)
    expect(stderr).toContain('keymux serve')
  })

  test('a provider whose SDK reads no base URL is told, and so is a choice the gateway makes by itself', async () => {
    const args = (...more: string[]): string[] => ['exec', '--gateway', ...more, '--', 'true']
    await keymux(['add', 'mistral', '--stdin'], 'mistral-key-123456')
    const mistral = await keymux(args('mistral'))
    // Its own gateway would be gone by the time somebody entered its address.
    expect([mistral.code, mistral.stderr]).toEqual([2, expect.stringMatching(/mistral.*start keymux serve/)])
    expect((await keymux(args('--model', 'gpt-4o', 'openai'))).code).toBe(2)
    expect((await keymux(args('groq'))).code).toBe(5)
    expect((await keymux(args('nope'))).stderr).toContain('there is no provider "nope"')
    expect((await keymux(args('nope'))).code).toBe(2)
    expect((await keymux(args('openai:nope'))).code).toBe(4)
  })
})
