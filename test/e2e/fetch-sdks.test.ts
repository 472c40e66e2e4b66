import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI, { toFile } from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  badKey,
  badRequest,
  createMemoryStore,
  errorInFirstEvent,
  errorMidStream,
  garbage,
  ok,
  outOfMoney,
  overloaded,
  permission,
  type Reply,
  rateLimited,
  redirect,
  reply,
  reset,
  type ScriptedUpstream,
  serverError,
  stall,
  startScriptedUpstream,
  trickle,
  truncated,
} from '../../src/entries/testing.js'
import { createFetch, type Keymux, openKeymux } from '../../src/index.js'
import { aiStream, aiText } from '../support/ai-sdk.js'
import { lastPieceLate } from '../support/streams.js'

const ANSWER = 'Hello from keymux.'
const [FIRST, SECOND] = ['first-planted-Marker7Qx9Zt3Lk8', 'second-planted-Marker8Vb2Nm5Wp4']
// The SDKs' own retries are off: whatever works must work at the first request.
const ONCE = { apiKey: 'keymux', maxRetries: 0, timeout: 20_000 } as const

type Fetch = ReturnType<typeof createFetch>

interface Caller {
  readonly name: string
  readonly provider: string
  /** Base URL of a profile at a scripted upstream. */
  readonly base: (url: string) => string
  readonly plain: (fetch: Fetch) => Promise<string>
  readonly stream: (fetch: Fetch) => Promise<string>
}

const openai = (fetch: Fetch): OpenAI => new OpenAI({ ...ONCE, fetch })
const anthropic = (fetch: Fetch): Anthropic => new Anthropic({ ...ONCE, fetch })
const gemini = (fetch: Fetch): GoogleGenAI =>
  new GoogleGenAI({ apiKey: 'keymux', httpOptions: { fetch, retryOptions: { attempts: 1 } } })
const QUESTION = [{ role: 'user' as const, content: 'Hello?' }]

// Every client is left at its provider's default base URL.
const CALLERS: readonly Caller[] = [
  {
    name: 'openai',
    provider: 'openai',
    base: (url) => `${url}/v1`,
    async plain(fetch) {
      const answer = await openai(fetch).chat.completions.create({ model: 'gpt-4o', messages: QUESTION })
      return answer.choices[0]?.message.content ?? ''
    },
    async stream(fetch) {
      const stream = await openai(fetch).chat.completions.create({
        model: 'gpt-4o',
        messages: QUESTION,
        stream: true,
      })
      let text = ''
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      return text
    },
  },
  {
    name: 'openai responses',
    provider: 'openai',
    base: (url) => `${url}/v1`,
    plain: async (fetch) =>
      (await openai(fetch).responses.create({ model: 'gpt-4o', input: 'Hello?' })).output_text,
    async stream(fetch) {
      const stream = await openai(fetch).responses.create({ model: 'gpt-4o', input: 'Hello?', stream: true })
      let text = ''
      for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta
      return text
    },
  },
  {
    name: 'anthropic',
    provider: 'anthropic',
    base: (url) => url,
    async plain(fetch) {
      const message = await anthropic(fetch).messages.create({
        model: 'claude-next',
        max_tokens: 9,
        messages: QUESTION,
      })
      return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    stream: (fetch) =>
      anthropic(fetch)
        .messages.stream({ model: 'claude-next', max_tokens: 9, messages: QUESTION })
        .finalText(),
  },
  {
    name: 'gemini',
    provider: 'gemini',
    base: (url) => url,
    plain: async (fetch) =>
      (await gemini(fetch).models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hello?' })).text ??
      '',
    async stream(fetch) {
      const stream = await gemini(fetch).models.generateContentStream({
        model: 'gemini-2.5-flash',
        contents: 'Hello?',
      })
      let text = ''
      for await (const chunk of stream) text += chunk.text ?? ''
      return text
    },
  },
  {
    name: 'ai, with its provider for openai',
    provider: 'openai',
    base: (url) => `${url}/v1`,
    plain: (fetch) => aiText(createOpenAI({ apiKey: 'keymux', fetch }).chat('gpt-4o')),
    stream: (fetch) => aiStream(createOpenAI({ apiKey: 'keymux', fetch }).chat('gpt-4o')),
  },
  {
    name: 'ai, with its provider for anthropic',
    provider: 'anthropic',
    base: (url) => url,
    plain: (fetch) => aiText(createAnthropic({ apiKey: 'keymux', fetch })('claude-next')),
    stream: (fetch) => aiStream(createAnthropic({ apiKey: 'keymux', fetch })('claude-next')),
  },
]

/** Everything that may be wrong with the first account. */
const FAULTS: readonly (readonly [string, () => Reply])[] = [
  ['a rate limit', () => rateLimited({ retryAfter: 20 })],
  ['a refused key', () => badKey()],
  ['a permission that is missing', () => permission()],
  ['no money', () => outOfMoney()],
  ['a broken server', () => serverError()],
  ['no capacity', () => overloaded()],
  ['a reset', () => reset()],
  ['a reset after the first bytes', () => reset({ afterBytes: 7 })],
  ['a body that ends too soon', () => truncated({ afterBytes: 9 })],
  ['silence', () => stall()],
  ['silence after the head', () => stall('forever', { afterBytes: 0 })],
  ['bytes that are no HTTP', () => garbage({ http: false })],
  ['a body that is no JSON', () => garbage()],
  ['a redirect', () => redirect('http://127.0.0.1:9/elsewhere')],
]

const STREAM_FAULTS: readonly (readonly [string, () => Reply])[] = [
  ['an overload in the first event', () => errorInFirstEvent()],
  ['a rate limit in the first event', () => errorInFirstEvent(rateLimited())],
  ['no money in the first event', () => errorInFirstEvent(outOfMoney())],
  ...FAULTS,
]

describe.each(CALLERS)('the SDK of $name', (caller) => {
  let upstream: ScriptedUpstream
  let keymux: Keymux
  let folder: string
  let fetch: Fetch
  const logged: string[] = []

  beforeEach(async () => {
    upstream = await startScriptedUpstream()
    folder = mkdtempSync(join(tmpdir(), 'keymux-fetch-'))
    logged.length = 0
    const log = (message: string, fields: object = {}): number =>
      logged.push(message + JSON.stringify(fields))
    keymux = await openKeymux({
      vault: createMemoryStore().connect(),
      unlock: { keyFile: join(folder, 'key') },
      create: true,
      config: { gateway: { firstByteTimeoutSeconds: 0.3 } },
      logger: { debug: log, info: log, warn: log, error: log },
    })
    const baseUrl = caller.base(upstream.url)
    const { provider } = caller
    await keymux.profiles.add({
      provider,
      mode: 'api_key',
      name: 'first',
      secret: FIRST,
      priority: 2,
      baseUrl,
    })
    await keymux.profiles.add({ provider, mode: 'api_key', name: 'second', secret: SECOND, baseUrl })
    fetch = createFetch(keymux, { provider })
  })
  afterEach(async () => {
    await upstream.close()
    await keymux.close()
    rmSync(folder, { recursive: true, force: true })
    expect(logged.join()).not.toMatch(/Marker/)
  })

  test.each(FAULTS)('survives %s', async (_what, fault) => {
    upstream.respond(fault(), FIRST)
    expect(await caller.plain(fetch)).toBe(ANSWER)
    expect(new Set(upstream.requests.map(({ credential }) => credential))).toEqual(new Set([FIRST, SECOND]))
  })

  test.each(STREAM_FAULTS)('survives %s of a stream', async (_what, fault) => {
    upstream.respond(fault(), FIRST)
    expect(await caller.stream(fetch)).toBe(ANSWER)
  })

  test('reads a stream that trickles', async () => {
    upstream.respond(trickle({ bytes: 5 }))
    expect(await caller.stream(fetch)).toBe(ANSWER)
  })

  test('understands that nobody is left', async () => {
    upstream.respond(rateLimited({ retryAfter: 40 }))
    for (const requests of [2, 2]) {
      const error: unknown = await caller.plain(fetch).catch((thrown: unknown) => thrown)
      expect(String(Reflect.get(Object(error), 'status') ?? Reflect.get(Object(error), 'statusCode'))).toBe(
        '429',
      )
      expect(String(error)).not.toMatch(/Marker/)
      expect(upstream.requests).toHaveLength(requests)
    }
  })

  test('understands that its request is at fault', async () => {
    upstream.respond(badRequest())
    const error: unknown = await caller.plain(fetch).catch((thrown: unknown) => thrown)
    expect(String(Reflect.get(Object(error), 'status') ?? Reflect.get(Object(error), 'statusCode'))).toBe(
      '400',
    )
    expect(upstream.requests).toHaveLength(1)
  })

  test('understands that nobody answers', async () => {
    upstream.respond(reset())
    await expect(caller.plain(fetch)).rejects.toThrow(/connect|fetch failed/i)
  })

  test('hears of an error in the middle of a stream', async () => {
    upstream.respond(lastPieceLate(errorMidStream()))
    const text = await caller.stream(fetch).catch(() => 'rejected')
    expect(text).not.toBe(ANSWER)
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('the SDK of openai', () => {
  test('uploads, downloads and aborts', async () => {
    await using upstream = await startScriptedUpstream({
      script: (request) =>
        request.path.endsWith('/content')
          ? reply(200, Buffer.from([0, 1, 255]), { 'content-type': 'audio/mpeg' })
          : ok(),
    })
    const folder = mkdtempSync(join(tmpdir(), 'keymux-fetch-'))
    await using keymux = await openKeymux({
      vault: createMemoryStore().connect(),
      unlock: { keyFile: join(folder, 'key') },
      create: true,
    })
    await keymux.profiles.add({ provider: 'openai', secret: FIRST, baseUrl: `${upstream.url}/v1` })
    const client = openai(createFetch(keymux, { provider: 'openai' }))

    const response = await client.files.content('file-1')
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([0, 1, 255])

    await client.files
      .create({ purpose: 'assistants', file: await toFile(Buffer.from('hello'), 'a.txt') })
      .catch(() => {})
    expect(upstream.requests.at(-1)?.text).toContain('hello')
    expect((await client.models.list()).data.length).toBeGreaterThan(0)

    upstream.respond(stall('forever', { in: ok(), afterBytes: 400 }))
    const stream = await client.chat.completions.create({ model: 'gpt-4o', messages: QUESTION, stream: true })
    for await (const _chunk of stream) break
    await upstream.requests.at(-1)?.ended
    expect(upstream.requests.at(-1)?.aborted).toBe(true)
    expect((await keymux.profiles.view('openai:default')).failureCounts.timeout).toBeUndefined()
    rmSync(folder, { recursive: true, force: true })
  })
})
