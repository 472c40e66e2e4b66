import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock } from '../fake-clock.js'
import type { ScriptedUpstream } from '../scripted-upstream.js'
import { startScriptedUpstream } from '../scripted-upstream.js'
import { ok } from './success.js'
import type { UpstreamProvider } from './types.js'

const clock = createFakeClock('2026-11-23T12:00:00Z')
const SECONDS = clock.now().getTime() / 1000

let upstream: ScriptedUpstream
beforeAll(async () => {
  upstream = await startScriptedUpstream({ clock })
})
beforeEach(() => upstream.respond(ok()))
afterAll(() => upstream.close())

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${upstream.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

async function json(response: Response): Promise<unknown> {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  return response.json()
}

interface Event {
  readonly name: string | undefined
  readonly data: Record<string, unknown>
}

/** Reads a whole event stream; `[DONE]` ends it. */
async function events(response: Response): Promise<Event[]> {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const text = await response.text()
  expect(text.endsWith('\n\n')).toBe(true)
  const blocks = text.split('\n\n').slice(0, -1)
  return blocks
    .filter((block) => block !== 'data: [DONE]')
    .map((block) => {
      const name = /^event: (.+)$/m.exec(block)?.[1]
      return { name, data: JSON.parse(/^data: (.+)$/m.exec(block)?.[1] ?? '') as Record<string, unknown> }
    })
}

const TEXT = 'Hello from keymux.'

describe('OpenAI and who is compatible with it', () => {
  it.each<[UpstreamProvider, string]>([
    ['openai', '/openai/v1/chat/completions'],
    ['groq', '/groq/openai/v1/chat/completions'],
    ['mistral', '/mistral/v1/chat/completions'],
    ['xai', '/xai/v1/chat/completions'],
    ['deepseek', '/deepseek/chat/completions'],
    ['qwen', '/compatible-mode/v1/chat/completions'],
    ['openrouter', '/api/v1/chat/completions'],
    ['minimax', '/minimax/v1/text/chatcompletion_v2'],
  ])('%s completes a chat', async (provider, path) => {
    const answer = await json(await post(path, { model: 'some-model', messages: [] }))
    expect(upstream.requests.at(-1)?.provider).toBe(provider)
    expect(answer).toMatchObject({
      object: 'chat.completion',
      created: SECONDS,
      model: 'some-model',
      choices: [{ index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
    })
    expect(Object.hasOwn(answer as object, 'base_resp')).toBe(provider === 'minimax')
  })

  it('streams a chat, with usage where it is asked for', async () => {
    const call = (options: object): Promise<Response> =>
      post('/v1/chat/completions', { model: 'gpt-4o', stream: true, ...options })
    const response = await call({})
    const text = await response.clone().text()
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    const plain = await events(response)
    expect(plain.map(({ data }) => (data.choices as [{ delta: object }])[0].delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'Hello' },
      { content: ' from' },
      { content: ' keymux.' },
      {},
    ])
    expect(plain.some(({ data }) => 'usage' in data)).toBe(false)
    const counted = await events(await call({ stream_options: { include_usage: true } }))
    expect(counted.at(-1)?.data).toMatchObject({ choices: [], usage: { total_tokens: 12 } })
  })

  it('is understood by the official client', async () => {
    const client = new OpenAI({ apiKey: 'one', baseURL: `${upstream.url}/v1`, maxRetries: 0 })
    const messages = [{ role: 'user' as const, content: 'hi' }]
    const completion = await client.chat.completions.create({ model: 'gpt-4o', messages })
    expect(completion.choices[0]?.message.content).toBe(TEXT)
    let streamed = ''
    const stream = await client.chat.completions.create({ model: 'gpt-4o', messages, stream: true })
    for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? ''
    expect(streamed).toBe(TEXT)
    const response = await client.responses.create({ model: 'gpt-4o', input: 'hi' })
    expect(response.output_text).toBe(TEXT)
    const final = await client.responses.stream({ model: 'gpt-4o', input: 'hi' }).finalResponse()
    expect(final.output_text).toBe(TEXT)
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('gpt-4o')
    expect(upstream.requests.at(-1)?.credential).toBe('one')
  })

  it('answers with the Responses API', async () => {
    expect(await json(await post('/v1/responses', { model: 'gpt-4o', input: 'hi' }))).toMatchObject({
      object: 'response',
      status: 'completed',
      model: 'gpt-4o',
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: TEXT }] }],
      usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
    })
    const streamed = await events(await post('/v1/responses', { model: 'gpt-4o', input: 'hi', stream: true }))
    expect(streamed.map(({ data }) => data.sequence_number)).toEqual(streamed.map((_, index) => index))
    expect(streamed.every(({ name, data }) => name === data.type)).toBe(true)
    expect(streamed.map(({ name }) => name)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
  })
})

describe('Anthropic', () => {
  const headers = { 'x-api-key': 'one', 'anthropic-version': '2023-06-01' }

  it('answers with a message', async () => {
    const body = { model: 'claude-sonnet-4-5', max_tokens: 9, messages: [] }
    expect(await json(await post('/v1/messages', body, headers))).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'claude-sonnet-4-5',
      content: [{ type: 'text', text: TEXT }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 9, output_tokens: 3 },
    })
  })

  it('streams a message as named events', async () => {
    const streamed = await events(await post('/v1/messages', { model: 'c', stream: true }, headers))
    expect(streamed.every(({ name, data }) => name === data.type)).toBe(true)
    expect(streamed.map(({ name }) => name)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
  })
})

describe('Gemini', () => {
  const path = '/v1beta/models/gemini-2.5-pro'

  it('generates content', async () => {
    expect(await json(await post(`${path}:generateContent?key=one`, {}))).toMatchObject({
      candidates: [{ content: { role: 'model', parts: [{ text: TEXT }] }, finishReason: 'STOP' }],
      modelVersion: 'gemini-2.5-pro',
      usageMetadata: { totalTokenCount: 12 },
    })
  })

  it('streams content as events, or as one list', async () => {
    const streamed = await events(await post(`${path}:streamGenerateContent?alt=sse`, {}))
    const list = await json(await post(`${path}:streamGenerateContent`, {}))
    const parts = (chunks: unknown[]): unknown[] =>
      chunks.map(
        (chunk) =>
          (chunk as { candidates: [{ content: { parts: [{ text: string }] } }] }).candidates[0].content
            .parts[0].text,
      )
    expect(parts(streamed.map(({ data }) => data))).toEqual(['Hello', ' from', ' keymux.'])
    expect(parts(list as unknown[])).toEqual(['Hello', ' from', ' keymux.'])
    expect(streamed.map(({ data }) => JSON.stringify(data).includes('STOP'))).toEqual([false, false, true])
  })
})

describe('Cohere', () => {
  it('chats, plain and streamed', async () => {
    expect(await json(await post('/v2/chat', { model: 'command-a-03-2025' }))).toMatchObject({
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text: TEXT }] },
    })
    const streamed = await events(await post('/v2/chat', { stream: true }))
    expect(streamed.map(({ name }) => name)).toEqual([
      'message-start',
      'content-start',
      'content-delta',
      'content-delta',
      'content-delta',
      'content-end',
      'message-end',
    ])
  })
})

describe('cheap checks', () => {
  it.each<[UpstreamProvider, string, object]>([
    [
      'openai',
      '/openai/v1/models',
      { object: 'list', data: [{ id: 'gpt-4o', object: 'model', created: SECONDS }, {}] },
    ],
    ['anthropic', '/anthropic/v1/models', { has_more: false, data: [{ type: 'model' }, {}] }],
    ['gemini', '/v1beta/models?pageSize=1', { models: [{ name: 'models/gemini-2.5-pro' }, {}] }],
    ['groq', '/groq/openai/v1/models', { object: 'list' }],
    ['mistral', '/mistral/v1/models', { object: 'list' }],
    ['cohere', '/cohere/v1/models', { models: [{ endpoints: ['chat'] }, {}] }],
    ['xai', '/xai/v1/models', { object: 'list' }],
    ['deepseek', '/deepseek/models', { object: 'list' }],
    ['qwen', '/compatible-mode/v1/models', { object: 'list' }],
    ['openrouter', '/api/v1/key', { data: { usage: 0, limit: null } }],
  ])('%s answers its check', async (provider, path, expected) => {
    expect(await json(await fetch(`${upstream.url}${path}`))).toMatchObject(expected)
    expect(upstream.requests.at(-1)?.provider).toBe(provider)
  })

  it('cohere checks a key', async () => {
    expect(await json(await post('/v1/check-api-key', {}))).toMatchObject({ valid: true })
  })
})

describe('ok', () => {
  it('says what it is told to say', async () => {
    upstream.respond(
      ok({ text: ['a', 'b'], model: 'other', models: ['x'], headers: { 'x-request-id': 'r1' } }),
    )
    const response = await post('/v1/chat/completions', {})
    expect(response.headers.get('x-request-id')).toBe('r1')
    expect(await response.json()).toMatchObject({ model: 'other', choices: [{ message: { content: 'ab' } }] })
    expect(await json(await fetch(`${upstream.url}/v1/models`))).toMatchObject({ data: [{ id: 'x' }] })
    for (const text of ['', [] as string[], '  ', 'ünï cödé 🙂'] as const) {
      upstream.respond(ok({ text }))
      const streamed = await events(await post('/v1/chat/completions', { stream: true }))
      const said = streamed.map(
        ({ data }) => (data.choices as [{ delta: { content?: string } }])[0].delta.content ?? '',
      )
      expect(said.join('')).toBe(typeof text === 'string' ? text : '')
    }
  })

  it('knows no other path, whatever the body', async () => {
    for (const body of [
      '',
      'null',
      '[]',
      '"text"',
      '{"model":7}',
      '{',
      '{"stream_options":null,"stream":true}',
    ]) {
      const response = await fetch(`${upstream.url}/v1/nothing`, { method: 'POST', body })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } })
      const chat = await fetch(`${upstream.url}/v1/chat/completions`, { method: 'POST', body })
      expect(chat.status).toBe(200)
      await chat.arrayBuffer()
    }
  })
})
