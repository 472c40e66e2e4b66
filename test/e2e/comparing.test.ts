import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Reply, type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { createFetch, type Keymux, openKeymux } from '../../src/index.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const [FIRST, SECOND] = ['sk-first-planted-Marker1Qx9Zt3Lk8', 'sk-second-planted-Marker2Vb2Nm5Wp4']
const PASSPHRASE = 'open sesame'
const NOT_FOR_YOU = 'Model not available for your organisation (request @).'
const FLAGGED = 'Your request was rejected by our safety system.'

let upstream: ScriptedUpstream

/** A refusal as both providers word it, with an id of its own each time. */
function refusal(message: string): Reply {
  return {
    answer: ({ index }) => ({
      status: 400,
      headers: { 'content-type': 'application/json' },
      pieces: [
        JSON.stringify({
          type: 'error',
          error: { type: 'invalid_request_error', message: message.replace('@', `req-${index}`) },
        }),
      ],
    }),
  }
}

/** Asks once, and gives the text or the status of the error. */
type Ask = (question: string) => Promise<string | number>

const openai =
  (client: OpenAI): Ask =>
  async (content) => {
    const asked = client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content }] })
    return asked.then(({ choices }) => choices[0]?.message.content ?? '').catch(statusOf)
  }
const anthropic =
  (client: Anthropic): Ask =>
  async (content) => {
    const messages = [{ role: 'user' as const, content }]
    const asked = client.messages.create({ model: 'claude-x', max_tokens: 9, messages })
    return asked.then(({ content: [part] }) => (part?.type === 'text' ? part.text : '')).catch(statusOf)
  }

function statusOf(error: unknown): number {
  if (error instanceof OpenAI.APIError || error instanceof Anthropic.APIError) return Number(error.status)
  throw error
}

const keys = (): (string | undefined)[] => upstream.requests.map(({ credential }) => credential)

beforeEach(async () => {
  upstream = await startScriptedUpstream()
})
afterEach(() => upstream.close())

async function serves(ask: Ask): Promise<void> {
  upstream.respond(refusal(NOT_FOR_YOU), FIRST)
  expect(await ask('hello')).toBe('Hello from keymux.')
  expect(keys()).toEqual([FIRST, SECOND])
  // The account that refused goes last in this conversation.
  expect(await ask('hello')).toBe('Hello from keymux.')
  expect(keys()).toEqual([FIRST, SECOND, SECOND])
}

async function refuses(ask: Ask): Promise<void> {
  upstream.respond(refusal(NOT_FOR_YOU))
  expect(await ask('hello')).toBe(400)
  expect(keys()).toEqual([FIRST, SECOND])
  // One in ten still asks a second account.
  for (let turn = 0; turn < 10; turn += 1) expect(await ask(`again ${turn}`)).toBe(400)
  expect(keys().filter((key) => key === SECOND).length).toBeLessThan(8)
}

async function keeps(ask: Ask): Promise<void> {
  upstream.respond(refusal(FLAGGED))
  for (let turn = 0; turn < 3; turn += 1) expect(await ask('something nasty')).toBe(400)
  expect(keys()).toEqual([FIRST, FIRST, FIRST])
}

const CASES: readonly (readonly [what: string, run: (ask: Ask) => Promise<void>])[] = [
  ['is served by the account that can', serves],
  ['hears the refusal that two accounts agreed on, and asks one from then on', refuses],
  ['never has what a policy forbids sent to a second account', keeps],
]

const PROVIDERS = ['openai', 'anthropic'] as const

describe.each(PROVIDERS)('the SDK of %s through createFetch', (provider) => {
  let keymux: Keymux

  beforeEach(async () => {
    const vault = `memory-${Math.random()}`
    keymux = await openKeymux({
      vault: `${makeVault()}/${vault}.db`,
      unlock: { passphrase: PASSPHRASE },
      create: true,
    })
    const base = provider === 'openai' ? `${upstream.url}/v1` : upstream.url
    for (const [index, secret] of [FIRST, SECOND].entries()) {
      await keymux.profiles.add({ provider, name: `k${index}`, secret, priority: 2 - index, baseUrl: base })
    }
  })
  afterEach(() => keymux.close())

  test.each(CASES)('%s', async (_what, run) => {
    const fetch = createFetch(keymux, { provider })
    const options = { apiKey: 'keymux', maxRetries: 0, fetch }
    await run(provider === 'openai' ? openai(new OpenAI(options)) : anthropic(new Anthropic(options)))
  })
})

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) removeSandbox(folder)
})
function makeVault(): string {
  const folder = makeSandbox()
  folders.push(folder)
  return folder
}

describe('the SDK of openai through the built program', () => {
  let program: Program
  let child: ChildProcess | undefined

  beforeAll(() => {
    program = keymuxBinary()
  })
  afterEach(() => {
    child?.kill('SIGKILL')
  })

  async function client(): Promise<OpenAI> {
    const sandbox = makeVault()
    const env = { KEYMUX_PASSPHRASE: PASSPHRASE }
    await runProgram(program, ['init'], sandbox, { env })
    for (const [index, secret] of [FIRST, SECOND].entries()) {
      const where = ['--priority', String(2 - index), '--base-url', `${upstream.url}/v1`]
      await runProgram(program, ['add', `openai:k${index}`, '--stdin', ...where], sandbox, {
        env,
        stdin: secret,
      })
    }
    child = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
      cwd: sandbox,
      env: { PATH: process.env.PATH, HOME: sandbox, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const output = child.stdout
    if (output === null) throw new Error('the program has no output')
    const [line] = await once(createInterface(output), 'line')
    const { url, token_file: file } = JSON.parse(String(line))
    const apiKey = readFileSync(file, 'utf8').trim()
    return new OpenAI({ apiKey, baseURL: `${url}/openai`, maxRetries: 0 })
  }

  test.each(CASES)('%s', async (_what, run) => run(openai(await client())))
})
