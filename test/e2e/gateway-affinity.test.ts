import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import OpenAI from 'openai'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type RecordedRequest,
  type Reply,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from '../transcripts/harness.js'

const KEYS = { first: 'sk-first-planted-Marker7Qx9Zt3Lk8', second: 'sk-second-planted-Marker8Vb2Nm5Wp4' }
const PASSPHRASE = 'open sesame'

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
  upstream.respond(provider())
  await keymux(['init'])
  for (const [name, key] of Object.entries(KEYS)) {
    const added = await keymux(['add', `openai:${name}`, '--stdin', '--base-url', `${upstream.url}/v1`], key)
    expect(added.stderr).toBe('')
  }
})
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  await upstream.close()
  removeSandbox(sandbox)
})

function keymux(args: readonly string[], stdin = ''): ReturnType<typeof runProgram> {
  return runProgram(program, args, sandbox, { env: { KEYMUX_PASSPHRASE: PASSPHRASE }, stdin })
}

/** A provider whose files are known to the account alone that has made them. */
function provider(): (request: RecordedRequest) => Reply {
  const owners = new Map<string, string | undefined>()
  const json = (value: object, status = 200): Reply => ({
    answer: () => ({
      status,
      headers: { 'content-type': 'application/json' },
      pieces: [JSON.stringify(value)],
    }),
  })
  return ({ method, path, credential, index }) => {
    if (method === 'POST' && path === '/v1/files') {
      const id = `file-made${index}`
      owners.set(id, credential)
      return json({ id, object: 'file', bytes: 1, created_at: 1, filename: 'x', purpose: 'batch' })
    }
    const id = /\/files\/([^/]+)$/.exec(path)?.[1]
    if (id !== undefined) {
      if (owners.get(id) === credential) return json({ id, object: 'file' })
      return json({ error: { message: `No such File object: ${id}`, type: 'invalid_request_error' } }, 404)
    }
    const message = { role: 'assistant', content: 'hi' }
    return json({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
    })
  }
}

async function serve(): Promise<{ readonly client: OpenAI; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--json'], {
    env: { PATH: process.env.PATH, HOME: sandbox, XDG_RUNTIME_DIR: sandbox, KEYMUX_PASSPHRASE: PASSPHRASE },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  running.push(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url, token_file } = JSON.parse(line) as { url: string; token_file: string }
  const apiKey = readFileSync(token_file, 'utf8').trim()
  return { client: new OpenAI({ baseURL: `${url}/openai/v1`, apiKey, maxRetries: 0 }), child }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

async function talk(client: OpenAI, session: string): Promise<string | null> {
  const { response } = await client.chat.completions
    .create(
      { model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }] },
      { headers: { 'x-session-id': session } },
    )
    .withResponse()
  return response.headers.get('x-keymux-profile')
}

const other = (profile: string | null): string =>
  profile === 'openai:first' ? 'openai:second' : 'openai:first'

describe('two gateways on one vault', () => {
  test('keep a conversation with its account, one after the other', async () => {
    const one = await serve()
    const at = await talk(one.client, 'mine')
    await talk(one.client, 'mine')
    await end(one.child)
    for (let round = 0; round < 2; round += 1) {
      // What has worked last is what a new conversation meets.
      await keymux(['report', 'success', other(at)])
      const next = await serve()
      expect(await talk(next.client, 'yours')).toBe(other(at))
      expect(await talk(next.client, 'mine')).toBe(at)
      await end(next.child)
    }
    expect(await keymux(['vault', 'check'])).toMatchObject({ code: 0 })
  })

  test('ask for a file whoever made it, at once', async () => {
    const [one, two] = await Promise.all([serve(), serve()])
    for (let round = 0; round < 6; round += 1) {
      const file = await one.client.files.create({
        file: new File(['x'], 'x.jsonl'),
        purpose: 'batch',
      })
      await keymux(['report', 'success', round % 2 === 0 ? 'openai:second' : 'openai:first'])
      expect(await two.client.files.retrieve(file.id)).toMatchObject({ id: file.id })
      expect(await one.client.files.retrieve(file.id)).toMatchObject({ id: file.id })
    }
    one.child.kill('SIGKILL')
    two.child.kill('SIGKILL')
    const three = await serve()
    expect(await three.client.files.retrieve('file-made1')).toMatchObject({ id: 'file-made1' })
  })
})
