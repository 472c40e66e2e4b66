import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const CLOCK = fileURLToPath(new URL('../support/other-clock.cjs', import.meta.url))
const LIED_TO = 'sk-lied-to-planted-Marker5Kd8Rw2Hn6'
const OTHER = 'sk-other-planted-Marker3Zp7Vc9Lm4'
const LIE = { error: { message: 'Access denied: this account was suspended' } }
const INVALID = { error: { message: 'Incorrect API key provided', type: 'x', code: 'invalid_api_key' } }
const LIST = { object: 'list', data: [] }
const ANSWER = {
  id: 'c',
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
}
const PATIENCE_MS = 150_000

type Reply = (status: number, body: unknown) => void

let program: Program
let sandbox: string
let upstream: Server
let base: string
/** Checks as they arrive: the key of each. */
let checks: string[]
const arrivals = new EventEmitter()
/** What a check with this key is answered. */
let onCheck: (key: string, reply: Reply) => void

beforeAll(() => {
  program = keymuxBinary()
})
beforeEach(async () => {
  sandbox = makeSandbox()
  checks = []
  onCheck = (key, reply) => (key === LIED_TO || key === OTHER ? reply(200, LIST) : reply(401, INVALID))
  upstream = createServer(serveUpstream).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  base = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  await keymux(['init'])
  for (const [name, secret, priority] of [
    ['lied-to', LIED_TO, '2'],
    ['other', OTHER, '1'],
  ] as const) {
    await keymux(['add', `openai:${name}`, '--stdin', '--priority', priority, '--base-url', base], secret)
  }
})
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  upstream.closeAllConnections()
  upstream.close()
  removeSandbox(sandbox)
})

function serveUpstream(request: IncomingMessage, response: ServerResponse): void {
  request.resume().once('end', () => {
    const key = (request.headers.authorization ?? '').slice('Bearer '.length)
    const reply: Reply = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.url !== '/models') {
      if (key === LIED_TO) reply(403, LIE)
      else reply(200, ANSWER)
      return
    }
    checks.push(key)
    arrivals.emit('check')
    onCheck(key, reply)
  })
}

/** Waits until so many checks with this key have arrived. */
async function checkedWith(key: string, count: number): Promise<void> {
  while (checks.filter((one) => one === key).length < count) await once(arrivals, 'check')
}

const running: ChildProcess[] = []

async function keymux(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, sandbox, {
    env: { KEYMUX_PASSPHRASE: 'open sesame' },
    stdin,
    timeout: PATIENCE_MS,
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

interface Served {
  readonly child: ChildProcess
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly log: () => string
  readonly ended: Promise<number>
}

async function serve(clock: Readonly<Record<string, string>> = {}): Promise<Served> {
  const child = spawn(process.execPath, ['--require', CLOCK, program, 'serve', '--json', '--port', '0'], {
    cwd: sandbox,
    env: { PATH: process.env.PATH, HOME: sandbox, KEYMUX_PASSPHRASE: 'open sesame', ...clock },
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
  const { url, token_file: tokenFile } = JSON.parse(String(line))
  const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`
  return { child, url, headers: { authorization }, log: () => stderr, ended }
}

async function ask({ url, headers }: Served): Promise<string | null> {
  const response = await fetch(`${url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }] }),
  })
  await response.arrayBuffer()
  return response.headers.get('x-keymux-profile')
}

async function profile(): Promise<Record<string, unknown>> {
  const status = JSON.parse(await keymux(['status', '--json']))
  return status.providers[0].profiles.find(({ id }: { id: string }) => id === 'openai:lied-to')
}

/** Looks until a profile is as it should be: what a gateway writes down, it writes a moment later. */
async function becomes(expected: Record<string, unknown>): Promise<Record<string, unknown>> {
  for (;;) {
    const found = await profile()
    const same = Object.entries(expected).every(([name, value]) => found[name] === value)
    if (same) return found
  }
}

const lie = (): Promise<string> =>
  keymux(['report', 'failure', 'openai:lied-to', '--status', '403', '--message', LIE.error.message])

describe('an upstream that lies by its wording', () => {
  test(
    'costs an account some seconds: the gateway asks, and the refusal is the model’s',
    async () => {
      const gateway = await serve()
      expect(await ask(gateway)).toBe('openai:other')
      await checkedWith(LIED_TO, 1)
      const found = await becomes({ state: 'available' })
      expect(found).toMatchObject({
        model_cooldowns: [{ model: 'gpt-4o', reason: 'model_not_found', certainty: 'presumed' }],
      })
      expect(checks).toHaveLength(2)
      expect(checks[0]).toMatch(/^sk-[a-z]{4}-[a-z]{2}-[a-z]{7}-[A-Z]/)
      const metrics = await (await fetch(`${gateway.url}/metrics`, { headers: gateway.headers })).text()
      expect(metrics).toContain('keymux_health_checks_total{provider="openai",outcome="lifted"} 1')
      for (const secret of [LIED_TO, OTHER, checks[0] ?? '']) expect(gateway.log()).not.toContain(secret)
    },
    PATIENCE_MS,
  )

  test(
    'is asked about what a short command reports; a stated code lets the disable stand',
    async () => {
      onCheck = (_key, reply) => reply(401, INVALID)
      await serve()
      await lie()
      const found = await becomes({ certainty: 'confirmed' })
      expect(found).toMatchObject({ state: 'disabled', reason: 'auth_permanent', checked_by: 'GET /models' })
      expect(await keymux(['show', 'openai:lied-to'])).toMatch(/which is +confirmed by GET \/models at /)
    },
    PATIENCE_MS,
  )

  test(
    'is asked one time a minute by two gateways together',
    async () => {
      const factor = 20
      const clock = { OTHER_CLOCK_FACTOR: String(factor), OTHER_CLOCK_FROM: String(Date.now()) }
      onCheck = (key, reply) => (key === LIED_TO ? reply(403, LIE) : reply(401, INVALID))
      const gateways = await Promise.all([serve(clock), serve(clock)])
      const beganAt = Date.now()
      // Requests go on, so that the account is set aside for longer each time.
      while (checks.filter((key) => key === LIED_TO).length < 6) {
        for (const gateway of gateways) expect(await ask(gateway)).toBe('openai:other')
      }
      const minutes = ((Date.now() - beganAt) * factor) / 60_000
      expect(checks.filter((key) => key === LIED_TO).length).toBeLessThanOrEqual(Math.floor(minutes) + 1)
      expect(checks.filter((key) => key !== LIED_TO)).toHaveLength(1)
    },
    PATIENCE_MS,
  )

  test(
    'keeps nobody waiting for a gateway that was killed while it asked',
    async () => {
      onCheck = (key, reply) => {
        // The first check is never answered.
        if (key !== LIED_TO) reply(401, INVALID)
        else if (checks.filter((one) => one === LIED_TO).length > 1) reply(200, LIST)
      }
      // Its clock is behind, so that its claim is almost a minute old.
      const first = await serve({ OTHER_CLOCK_SHIFT: '-57000' })
      await lie()
      await checkedWith(LIED_TO, 1)
      first.child.kill('SIGKILL')
      await first.ended
      await serve()
      await checkedWith(LIED_TO, 2)
      await becomes({ state: 'available' })
      expect(checks.filter((key) => key !== LIED_TO)).toHaveLength(1)
    },
    PATIENCE_MS,
  )

  test(
    'and hangs when it is asked does not keep a gateway from ending',
    async () => {
      onCheck = (key, reply) => {
        if (key !== LIED_TO) reply(401, INVALID)
      }
      const gateway = await serve()
      await lie()
      await checkedWith(LIED_TO, 1)
      gateway.child.kill('SIGTERM')
      expect(await gateway.ended).toBe(0)
      expect(await profile()).toMatchObject({ state: 'disabled', certainty: 'presumed' })
    },
    PATIENCE_MS,
  )
})

test(
  'a relay that lists its models to anybody confirms nothing and disproves nothing',
  async () => {
    onCheck = (_key, reply) => reply(200, LIST)
    const gateway = await serve()
    await lie()
    for (;;) {
      const metrics = await (await fetch(`${gateway.url}/metrics`, { headers: gateway.headers })).text()
      if (metrics.includes('keymux_health_checks_total{provider="openai",outcome="uncounted"} 1')) break
    }
    expect(checks).toHaveLength(1)
    expect(checks).not.toContain(LIED_TO)
    const found = await profile()
    expect(found).toMatchObject({
      state: 'disabled',
      certainty: 'presumed',
      told_by: 'wording',
      told_status: 403,
    })
    expect(await keymux(['status'])).toContain('auth_permanent, presumed (wording of a 403)')
  },
  PATIENCE_MS,
)
