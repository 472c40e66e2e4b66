import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  ok,
  type Reply,
  rateLimited,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { createFetch } from '../../src/index.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import { SDK_CALLERS } from '../support/sdk-callers.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const KEYS = { first: 'sk-first-planted-Marker7Qx9Zt3Lk8', second: 'sk-second-planted-Marker8Vb2Nm5Wp4' }

/** An account that counts down, and says so with every answer. */
class Account {
  served = 0
  refused = 0
  readonly #limit: number
  readonly #headers: (limit: number, left: number) => Record<string, string>

  constructor(limit: number, headers: (limit: number, left: number) => Record<string, string>) {
    this.#limit = limit
    this.#headers = headers
  }

  get left(): number {
    return this.#limit - this.served
  }

  answer(): Reply {
    if (this.left <= 0) {
      this.refused += 1
      return rateLimited({ retryAfter: 60 })
    }
    this.served += 1
    return ok({ headers: this.#headers(this.#limit, this.left) })
  }
}

const openaiHeaders = (limit: number, left: number): Record<string, string> => ({
  'x-ratelimit-limit-requests': String(limit),
  'x-ratelimit-remaining-requests': String(left),
  'x-ratelimit-reset-requests': '10m0s',
})

/** The windows of a plan: used up, and rejected, with the last request. */
const planHeaders = (limit: number, left: number): Record<string, string> => ({
  'anthropic-ratelimit-unified-status': left === 0 ? 'rejected' : 'allowed',
  'anthropic-ratelimit-unified-5h-status': left === 0 ? 'rejected' : 'allowed',
  'anthropic-ratelimit-unified-5h-utilization': String(1 - left / limit),
  'anthropic-ratelimit-unified-5h-reset': String(Math.floor(Date.now() / 1_000) + 3_600),
})

let upstream: ScriptedUpstream
let first: Account
let second: Account

function count(limit: number, headers: typeof openaiHeaders): void {
  first = new Account(limit, headers)
  second = new Account(limit, headers)
  upstream.respond(() => first.answer(), KEYS.first)
  upstream.respond(() => second.answer(), KEYS.second)
}

beforeEach(async () => {
  upstream = await startScriptedUpstream()
})
afterEach(async () => {
  await upstream.close()
})

const OFFICIAL = SDK_CALLERS.filter(({ name }) => name === 'openai' || name === '@anthropic-ai/sdk')

describe.each(OFFICIAL)('the SDK $name', (caller) => {
  let started: TestGateway

  beforeEach(async () => {
    count(3, caller.provider === 'openai' ? openaiHeaders : planHeaders)
    const baseUrl = caller.upstreamBase(upstream.url)
    const { provider } = caller
    started = await startTestGateway([
      { provider, name: 'first', secret: KEYS.first, baseUrl, priority: 1 },
      { provider, name: 'second', secret: KEYS.second, baseUrl },
    ])
  })
  afterEach(() => started.close())

  test('never meets a limit through the gateway that an answer has told of', async () => {
    const place = { url: started.url, key: started.token }
    for (let index = 0; index < 5; index += 1) {
      const ask = index % 2 === 0 ? caller.plain : caller.stream
      expect(await ask(place)).toBe('Hello from keymux.')
    }
    expect([first.served, second.served]).toEqual([3, 2])
    expect([first.refused, second.refused]).toEqual([0, 0])
    const view = await started.keymux.profiles.view(`${caller.provider}:first`)
    expect(view).toMatchObject({ errorCount: 0, quota: [{ seenAt: expect.any(Date) }] })
    const metrics = await fetch(`${started.url}/metrics`, {
      headers: { authorization: `Bearer ${started.token}` },
    }).then((answer) => answer.text())
    const dimension = caller.provider === 'openai' ? 'requests' : '5h'
    const labels = `{provider="${caller.provider}",profile="${caller.provider}:first",dimension="${dimension}"}`
    expect(metrics).toContain(`keymux_quota_remaining_ratio${labels} 0\n`)
    expect(metrics).toContain(`keymux_quota_reset_timestamp_seconds${labels} `)
    const listed = await fetch(`${started.url}/api/profiles`, {
      headers: { authorization: `Bearer ${started.token}` },
    }).then((answer) => answer.json() as Promise<{ profiles: { quota?: unknown }[] }>)
    expect(listed.profiles[0]?.quota).toMatchObject([{ dimension, used_percent: 100 }])
  })

  test('never does through createFetch either', async () => {
    const baseUrl = caller.upstreamBase(upstream.url)
    const through = createFetch(started.keymux, { provider: caller.provider, baseUrl })
    const path = caller.provider === 'openai' ? '/chat/completions' : '/v1/messages'
    for (let index = 0; index < 5; index += 1) {
      const answer = await through(`${baseUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'm',
          max_tokens: 9,
          messages: [{ role: 'user', content: `${index}?` }],
        }),
      })
      expect(answer.status).toBe(200)
      await answer.text()
    }
    expect([first.served, second.served, first.refused, second.refused]).toEqual([3, 2, 0, 0])
  })
})

describe('the program', () => {
  let program: Program
  let sandbox: string
  const running: ChildProcess[] = []

  beforeEach(async () => {
    program = keymuxBinary()
    sandbox = makeSandbox()
    writeFileSync(join(sandbox, 'config.yaml'), 'default_preference: quota\nreserve: { "*": 10 }\n')
    expect((await keymux(['init', '--key-file', join(sandbox, 'key')])).code).toBe(0)
    for (const [name, secret] of Object.entries(KEYS)) {
      await keymux(['add', `openai:${name}`, '--stdin', '--base-url', `${upstream.url}/v1`], secret)
    }
  })
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL')
    removeSandbox(sandbox)
  })

  const env = (): Record<string, string> => ({
    KEYMUX_KEY_FILE: join(sandbox, 'key'),
    KEYMUX_CONFIG: join(sandbox, 'config.yaml'),
  })

  async function keymux(args: readonly string[], stdin = ''): Promise<{ code: number; stdout: string }> {
    const { code, stdout, stderr } = await runProgram(program, args, sandbox, { env: env(), stdin })
    expect(stderr).not.toMatch(/internal_error/)
    return { code, stdout }
  }

  async function serve(): Promise<(question: string) => Promise<string>> {
    const child = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
      cwd: sandbox,
      env: { PATH: process.env.PATH, HOME: sandbox, ...env() },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    running.push(child)
    const [line] = await Promise.race([
      once(createInterface(child.stdout), 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`serve ended with ${code}`))),
    ])
    const { url, token_file: file } = JSON.parse(String(line))
    const authorization = `Bearer ${readFileSync(file, 'utf8').trim()}`
    return async (question) => {
      const answer = await fetch(`${url}/openai/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: question }] }),
      })
      await answer.text()
      expect(answer.status).toBe(200)
      return answer.headers.get('x-keymux-profile') ?? ''
    }
  }

  interface Status {
    readonly providers: readonly {
      readonly profiles: readonly {
        readonly id: string
        readonly state: string
        readonly error_count: number
        readonly quota: readonly { readonly remaining: number; readonly resets_at: string }[]
      }[]
    }[]
  }

  async function leftOf(id: string): Promise<number | undefined> {
    const { providers }: Status = JSON.parse((await keymux(['status', '--json'])).stdout)
    const profile = providers[0]?.profiles.find((one) => one.id === id)
    expect(profile?.error_count).toBe(0)
    return profile?.quota[0]?.remaining
  }

  test('two gateways spread requests by what is left before anybody is refused, and a command sees it', async () => {
    count(60, openaiHeaders)
    const gateways = [await serve(), await serve()]
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(gateways.flatMap((ask, at) => [ask(`${round} ${at} a`), ask(`${round} ${at} b`)]))
    }
    expect([first.refused, second.refused, first.served + second.served]).toEqual([0, 0, 80])
    // Neither is used up while the other has plenty.
    expect(Math.abs(first.left - second.left)).toBeLessThan(20)
    await vi.waitFor(
      async () => {
        expect(await leftOf('openai:first')).toBe(first.left)
        expect(await leftOf('openai:second')).toBe(second.left)
      },
      { timeout: 15_000, interval: 200 },
    )
  }, 120_000)

  test('what one gateway was told is left alone by the next, and explained', async () => {
    count(2, openaiHeaders)
    const ask = await serve()
    const asked = [await ask('one'), await ask('two'), await ask('three')]
    expect([...asked].sort()).toContain('openai:first')
    await vi.waitFor(
      async () => {
        expect(await leftOf('openai:first')).toBe(first.left)
        expect(await leftOf('openai:second')).toBe(second.served === 0 ? undefined : second.left)
      },
      { timeout: 15_000, interval: 200 },
    )
    const other = await serve()
    await other('four')
    expect([first.served, second.served, first.refused, second.refused]).toEqual([2, 2, 0, 0])
    await vi.waitFor(
      async () => {
        expect(await leftOf('openai:first')).toBe(0)
        expect(await leftOf('openai:second')).toBe(0)
      },
      { timeout: 15_000, interval: 200 },
    )
    const args = ['resolve', 'openai', '--explain', '--model', 'gpt-4o', '--json']
    const refused = await keymux(args)
    expect(refused.code).toBe(5)
    const { providers } = JSON.parse(refused.stdout)
    expect(providers[0].candidates).toMatchObject([
      { profile_id: expect.any(String), state: 'cooling', reason: 'quota', until: expect.any(String) },
      { state: 'cooling', reason: 'quota' },
    ])
    const served = await keymux(['resolve', 'openai', '--explain', '--model', 'gpt-4o-mini'])
    expect(served.code).toBe(0)
    expect(served.stdout + refused.stdout).not.toMatch(/planted/)
  }, 120_000)
})
