import { request as httpRequest } from 'node:http'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createFakeClock } from './fake-clock.js'
import type { ScriptedUpstream } from './scripted-upstream.js'
import { startScriptedUpstream } from './scripted-upstream.js'
import { badKey, outOfMoney, rateLimited } from './upstream/failures.js'
import { stall } from './upstream/faults.js'
import { reply } from './upstream/reply.js'
import { ok } from './upstream/success.js'

let upstream: ScriptedUpstream
beforeEach(async () => {
  upstream = await startScriptedUpstream()
})
afterEach(() => upstream.close())

const chat = (key: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${upstream.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
    ...init,
  })

const statuses = async (key: string, count: number): Promise<number[]> => {
  const seen: number[] = []
  for (let index = 0; index < count; index += 1) {
    const response = await chat(key)
    await response.arrayBuffer()
    seen.push(response.status)
  }
  return seen
}

describe('scripts', () => {
  it('answers with success until it is told otherwise', async () => {
    expect(await statuses('a', 2)).toEqual([200, 200])
  })

  it('walks through a sequence and repeats its last step', async () => {
    upstream.respond([rateLimited(), reply(503), ok()])
    expect(await statuses('a', 5)).toEqual([429, 503, 200, 200, 200])
  })

  it('keeps a script for each credential, and one for all the others', async () => {
    upstream.respond([rateLimited(), ok()], 'a')
    upstream.respond(badKey(), 'b')
    expect(await statuses('a', 2)).toEqual([429, 200])
    expect(await statuses('b', 2)).toEqual([401, 401])
    expect(await statuses('c', 2)).toEqual([200, 200])
  })

  it('takes scripts from the start', async () => {
    const other = await startScriptedUpstream({ script: badKey(), scripts: { a: ok() } })
    onTestFinished(() => other.close())
    const call = (key: string): Promise<Response> =>
      fetch(`${other.url}/models`, { headers: { authorization: `Bearer ${key}` } })
    expect((await call('a')).status).toBe(200)
    expect((await call('__proto__')).status).toBe(401)
    expect((await call('constructor')).status).toBe(401)
  })

  it('lets a function choose by the whole request', async () => {
    upstream.respond(async (request) => (request.text.includes('gpt-4o') ? outOfMoney() : ok()))
    expect((await chat('a')).status).toBe(429)
    expect((await chat('a', { body: '{}' })).status).toBe(200)
  })

  it('begins a new script at its first step', async () => {
    upstream.respond([rateLimited(), ok()])
    expect(await statuses('a', 2)).toEqual([429, 200])
    upstream.respond([rateLimited(), ok()])
    expect(await statuses('a', 2)).toEqual([429, 200])
  })

  it('tells a script that throws as nobody else would', async () => {
    upstream.respond(() => {
      throw new Error('a mistake')
    })
    const response = await chat('a')
    expect(response.status).toBe(599)
    expect(await response.text()).toContain('a mistake')
    upstream.respond(reply(200, 'x', { 'x-bad': 'line\nfeed' }))
    expect((await chat('a')).status).toBe(599)
  })
})

describe('what is recorded', () => {
  it('tells everything about a request', async () => {
    const clock = createFakeClock('2026-11-23T12:00:00Z')
    const dated = await startScriptedUpstream({ clock })
    onTestFinished(() => dated.close())
    await (
      await fetch(`${dated.url}/v1/models?limit=1&key=from-query`, {
        headers: { 'X-Api-Key': 'from-header', 'anthropic-version': '2023-06-01' },
      })
    ).text()
    const [request] = dated.requests
    await request?.ended
    expect(request).toMatchObject({
      index: 1,
      provider: 'anthropic',
      method: 'GET',
      url: '/v1/models?limit=1&key=from-query',
      path: '/v1/models',
      credential: 'from-header',
      text: '',
      json: undefined,
      aborted: false,
      receivedAt: clock.now(),
      endedAt: clock.now(),
    })
    expect(request?.headers['x-api-key']).toBe('from-header')
    expect(request?.query.get('limit')).toBe('1')
  })

  it('keeps the body byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300_000 }), async (body) => {
        await (await chat('a', { body })).arrayBuffer()
        expect(upstream.requests.at(-1)?.body.equals(body)).toBe(true)
      }),
      { numRuns: 20 },
    )
    expect(upstream.requests.map(({ index }) => index)).toEqual(
      upstream.requests.map((_, index) => index + 1),
    )
  })

  it.each<[string, Record<string, string>, string, string | undefined]>([
    ['a bearer token', { authorization: 'Bearer one' }, '', 'one'],
    ['a bearer token in any case', { authorization: 'bearer  one' }, '', 'one'],
    ['x-api-key', { 'x-api-key': 'two' }, '', 'two'],
    ['x-goog-api-key', { 'x-goog-api-key': 'three' }, '', 'three'],
    ['the query', {}, '?key=fo%20ur', 'fo ur'],
    [
      'the bearer token before the others',
      { authorization: 'Bearer one', 'x-api-key': 'two' },
      '?key=four',
      'one',
    ],
    ['nothing', { authorization: 'Basic abc' }, '', undefined],
  ])('reads the credential from %s', async (_what, headers, query, expected) => {
    await (await fetch(`${upstream.url}/v1/models${query}`, { headers })).text()
    expect(upstream.requests[0]?.credential).toBe(expected)
  })

  it.each<[string, Record<string, string>, string]>([
    ['/v1/chat/completions', {}, 'openai'],
    ['/groq/openai/v1/models', {}, 'groq'],
    ['/mistral/v1/models', {}, 'mistral'],
    ['/v1/messages', {}, 'anthropic'],
    ['/v1/models', { 'anthropic-version': '2023-06-01' }, 'anthropic'],
    ['/v1beta/models', {}, 'gemini'],
    ['/models', { 'x-goog-api-key': 'k' }, 'gemini'],
    ['/v1/check-api-key', {}, 'cohere'],
    ['/api/v1/key', {}, 'openrouter'],
    ['/compatible-mode/v1/models', {}, 'qwen'],
    ['/constructor/v1/models', {}, 'openai'],
    ['//', {}, 'openai'],
  ])('takes %s for the right provider', async (path, headers, provider) => {
    await (await fetch(`${upstream.url}${path}`, { headers })).text()
    expect(upstream.requests[0]?.provider).toBe(provider)
  })

  it('plays one provider alone when told so', async () => {
    const fixed = await startScriptedUpstream({ provider: 'xai', script: badKey() })
    onTestFinished(() => fixed.close())
    const response = await fetch(`${fixed.url}/v1/messages`, { method: 'POST' })
    expect(response.status).toBe(400)
    expect(await response.json()).toHaveProperty('code')
  })

  it('gives the request as soon as it arrives, before its body is there', async () => {
    upstream.respond(stall())
    const message = httpRequest(`${upstream.url}/v1/models`, {
      method: 'POST',
      headers: { 'content-length': 6 },
    })
    message.on('error', () => {})
    message.write('abc')
    const request = await upstream.received(1)
    expect(request.endedAt).toBeUndefined()
    message.destroy()
    await request.ended
    expect(request.aborted).toBe(true)
  })

  it('knows that the client hung up', async () => {
    upstream.respond(stall())
    const stop = new AbortController()
    const call = chat('a', { signal: stop.signal })
    const request = await upstream.received(1)
    expect(request.aborted).toBe(false)
    stop.abort()
    await expect(call).rejects.toThrow()
    await request.ended
    expect(request.aborted).toBe(true)
  })
})

describe('close', () => {
  it('is what disposing does', async () => {
    await upstream[Symbol.asyncDispose]()
    await expect(chat('a')).rejects.toThrow('fetch failed')
  })

  it('ends every connection and every pause, and frees the port', async () => {
    upstream.respond(stall())
    const calls = ['a', 'b', 'c'].map((key) => chat(key))
    const last = await upstream.received(3)
    await Promise.all([
      upstream.close(),
      ...calls.map((call) => expect(call).rejects.toThrow('fetch failed')),
    ])
    await last.ended
    expect(upstream.requests.map(({ aborted }) => aborted)).toEqual([false, false, false])
    await expect(chat('a')).rejects.toThrow('fetch failed')
  })

  it('may be called again, and ends the wait for further requests', async () => {
    const waiting = upstream.received(1)
    await Promise.all([upstream.close(), upstream.close(), expect(waiting).rejects.toThrow('closed')])
    await expect(upstream.received(1)).rejects.toThrow('closed')
  })
})
