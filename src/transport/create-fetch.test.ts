import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type ForwardingLab, openForwarding } from '../../test/support/forwarding.js'
import { isKeymuxError } from '../domain/errors.js'
import type { FetchLike } from '../domain/ports.js'
import { hugeBody, ok, rateLimited, redirect, reply, reset, stall } from '../entries/testing.js'

const URL_OF_CHAT = 'https://api.openai.com/v1/chat/completions'
const BODY = JSON.stringify({ model: 'gpt-4o', messages: [] })

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error('it did not reject')
    },
    (error: unknown) => error,
  )
}

describe('where requests go', () => {
  test("the provider's default base URL becomes the profile's own", async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.add('a', { baseUrl: `${lab.upstream.url}/deep/er` })
    const fetch = lab.fetch()
    for (const url of [
      'https://api.openai.com/v1/files/a%2Fb?x=1&key=k',
      'https://api.openai.com/v1',
      'HTTPS://API.OPENAI.COM:443/v1/x',
    ])
      await fetch(url)
    await fetch(new URL('https://api.openai.com/v1/y'))
    expect(lab.upstream.requests.map(({ url }) => url)).toEqual([
      '/deep/er/files/a%2Fb?x=1',
      '/deep/er',
      '/deep/er/x',
      '/deep/er/y',
    ])
  })

  test('a further base URL, where a profile has none of its own', async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.handle.profiles.add({ provider: 'openai', name: 'a', secret: 'key-a' })
    const fetch = lab.fetch({ baseUrl: `${lab.upstream.url}/proxy/` })
    expect((await fetch(`${lab.upstream.url}/proxy/models`)).status).toBe(200)
    expect(lab.upstream.requests[0]).toMatchObject({ url: '/proxy/models', credential: 'key-a' })
  })

  test.each([
    'https://evil.example/v1/chat/completions',
    'https://api.openai.com.evil.example/v1/x',
    'https://api.openai.com@evil.example/v1/x',
    'http://api.openai.com/v1/x',
    'https://api.openai.com:8443/v1/x',
    'https://api.openai.com/v2/x',
    'https://api.openai.com/v1x',
    'https://api.openai.com/v1/../x',
    'data:text/plain,hello',
  ])('%s is refused, and nothing is sent', async (url) => {
    await using lab = await openForwarding()
    await lab.add('a')
    const error = await rejection(lab.fetch()(url, { headers: { authorization: 'Bearer mine' } }))
    // A URL with a user name is refused by Request itself.
    expect(isKeymuxError(error, 'foreign_host') || error instanceof TypeError).toBe(true)
    expect(lab.upstream.requests).toHaveLength(0)
  })

  test('options that make no sense are refused when it is made', async () => {
    await using lab = await openForwarding()
    for (const [options, code] of [
      [{ provider: 'nope' }, 'unknown_provider'],
      [{ provider: 'No Provider' }, 'invalid_profile_id'],
      [{ baseUrl: 'http://evil.example' }, 'invalid_value'],
      [{ maxAttempts: 0 }, 'invalid_value'],
      [{ deadlineMs: Number.NaN }, 'invalid_value'],
      [{ firstByteTimeoutMs: -1 }, 'invalid_value'],
      [{ replayLimitBytes: -1 }, 'invalid_value'],
      [{ replayLimitBytes: Number.NaN }, 'invalid_value'],
    ] as const) {
      expect(() => lab.fetch(options)).toThrow(expect.objectContaining({ code }))
    }
  })

  test('the profile that is named goes first', async () => {
    await using lab = await openForwarding()
    await lab.addAll('a', 'b')
    await lab.fetch({ profile: 'b' })(URL_OF_CHAT, { method: 'POST', body: BODY })
    expect(lab.credentials()).toEqual(['key-b'])
  })
})

describe('requests', () => {
  async function sent(lab: ForwardingLab, call: (fetch: FetchLike) => Promise<Response>) {
    await (await call(lab.fetch())).arrayBuffer()
    const request = lab.upstream.requests.at(-1)
    if (request === undefined) throw new Error('nothing was sent')
    return request
  }

  test('every kind of body', async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.add('a')
    const bytes = Buffer.from('bytes é')
    const form = new FormData()
    form.set('model', 'whisper-1')
    form.set('file', new Blob(['audio']), 'a.wav')
    const bodies: [string, BodyOf, string | RegExp, string | RegExp | undefined][] = [
      ['text', 'text é', 'text é', 'text/plain;charset=UTF-8'],
      ['bytes', new Uint8Array(bytes), 'bytes é', undefined],
      ['a part of a buffer', new Uint8Array(Buffer.from('xxbytesxx')).subarray(2, 7), 'bytes', undefined],
      ['a buffer', new Uint8Array(bytes).buffer, 'bytes é', undefined],
      ['parameters', new URLSearchParams({ a: '1 2' }), 'a=1+2', /urlencoded/],
      ['a blob', new Blob(['blob'], { type: 'text/x' }), 'blob', 'text/x'],
      ['a form', form, /name="model"\r\n\r\nwhisper-1[\s\S]*audio/, /multipart\/form-data; boundary=/],
    ]
    for (const [name, body, text, type] of bodies) {
      const request = await sent(lab, (fetch) => fetch(URL_OF_CHAT, { method: 'POST', body }))
      expect(request.text, name).toMatch(text)
      if (type === undefined) expect(request.headers['content-type'], name).toBeUndefined()
      else expect(request.headers['content-type'], name).toMatch(type)
      expect(request.headers['content-length'], name).toBe(String(request.body.length))
    }
  })

  test('a stream, which is sent again as long as it is small', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': reset() } })
    await lab.addAll('a', 'b')
    const body = new Blob([BODY]).stream()
    const response = await lab.fetch()(URL_OF_CHAT, { method: 'POST', body, duplex: 'half' })
    expect(response.status).toBe(200)
    expect(lab.upstream.requests.map(({ text }) => text)).toEqual([BODY, BODY, BODY])
    expect(response.headers.get('x-keymux-replay')).toBeNull()
  })

  test('a body beyond the limit is sent once, and the response says so', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 7 }) })
    await lab.addAll('a', 'b')
    const body = new Blob([BODY, 'x'.repeat(2_000)]).stream()
    const fetch = lab.fetch({ replayLimitBytes: 1_000 })
    const response = await fetch(URL_OF_CHAT, { method: 'POST', body, duplex: 'half' })
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7'])
    expect(response.headers.get('x-keymux-replay')).toBe('no')
    expect(lab.upstream.requests).toHaveLength(1)
  })

  test('a Request object, and what is given besides', async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.add('a')
    const input = new Request(URL_OF_CHAT, {
      method: 'POST',
      body: BODY,
      headers: { 'x-a': '1', authorization: 'Bearer mine' },
    })
    const request = await sent(lab, (fetch) => fetch(input))
    expect(request).toMatchObject({ method: 'POST', text: BODY, credential: 'key-a' })
    expect(request.headers['x-a']).toBe('1')
    const other = new Request(URL_OF_CHAT, { method: 'POST', body: BODY })
    const changed = await sent(lab, (fetch) =>
      fetch(other, { method: 'PUT', headers: { 'x-b': '2' }, body: 'other' }),
    )
    expect(changed).toMatchObject({ method: 'PUT', text: 'other' })
    expect(changed.headers['x-b']).toBe('2')
  })

  test('what a fetch says by itself', async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.add('a')
    const plain = await sent(lab, (fetch) => fetch(URL_OF_CHAT))
    expect(plain.headers).toMatchObject({
      accept: '*/*',
      'user-agent': 'keymux',
      'accept-encoding': 'gzip, deflate, br',
    })
    const own = await sent(lab, (fetch) =>
      fetch(URL_OF_CHAT, { headers: { accept: 'a/b', 'User-Agent': 'me', 'accept-encoding': 'gzip' } }),
    )
    expect(own.headers).toMatchObject({ accept: 'a/b', 'user-agent': 'me', 'accept-encoding': 'gzip' })
  })

  test('the model of an upload can be told', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    const form = new FormData()
    form.set('file', new Blob(['audio']))
    await lab.fetch({ model: 'whisper-1' })('https://api.openai.com/v1/models', {
      method: 'POST',
      body: form,
    })
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({
      modelCooldowns: [{ model: 'whisper-1' }],
    })
  })
})

describe('responses', () => {
  test('URL, status, headers; the making of it; a clone of all that', async () => {
    await using lab = await openForwarding({
      script: reply(201, '{"a":1}', { 'content-type': 'application/json', 'x-request-id': 'r' }),
    })
    await lab.add('me@x.com')
    const response = await lab.fetch()(`${URL_OF_CHAT}?a=1#part`)
    expect(response).toBeInstanceOf(Response)
    expect(response).toMatchObject({
      url: `${URL_OF_CHAT}?a=1`,
      status: 201,
      statusText: 'Created',
      ok: true,
      redirected: false,
    })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-request-id': 'r',
      'content-length': '7',
      'x-keymux-profile': 'openai:me@x.com',
      'x-keymux-attempts': '1',
    })
    const copy = response.clone()
    expect(copy.url).toBe(response.url)
    expect([await copy.json(), await response.json()]).toEqual([{ a: 1 }, { a: 1 }])
  })

  test.each([204, 205, 304])('without a body: %s', async (status) => {
    await using lab = await openForwarding({ script: reply(status) })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT)
    expect([response.status, response.body]).toEqual([status, null])
  })

  test('to HEAD', async () => {
    await using lab = await openForwarding({ script: reply(200, 'hello') })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT, { method: 'HEAD' })
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['5', ''])
  })

  test.each([
    ['gzip', gzipSync('{"a":"é"}')],
    ['x-gzip', gzipSync('{"a":"é"}')],
    ['deflate', deflateSync('{"a":"é"}')],
    ['deflate', deflateRawSync('{"a":"é"}')],
    ['br', brotliCompressSync('{"a":"é"}')],
    ['gzip, br', brotliCompressSync(gzipSync('{"a":"é"}'))],
    ['identity', Buffer.from('{"a":"é"}')],
  ])('in %s are decoded', async (coding, bytes) => {
    await using lab = await openForwarding({
      script: reply(200, bytes, { 'content-encoding': coding, 'content-type': 'application/json' }),
    })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT)
    expect(await response.json()).toEqual({ a: 'é' })
    expect(response.headers.get('content-encoding')).toBe(coding)
  })

  test('in a coding nobody knows, or in too many, are left as they are; broken ones break off', async () => {
    await using lab = await openForwarding({
      script: [
        reply(200, 'raw', { 'content-encoding': 'rot13' }),
        reply(200, 'raw', { 'content-encoding': Array(3_000).fill('gzip').join() }),
        reply(200, 'raw', { 'content-encoding': 'gzip' }),
      ],
    })
    await lab.add('a')
    expect(await (await lab.fetch()(URL_OF_CHAT)).text()).toBe('raw')
    expect(await (await lab.fetch()(URL_OF_CHAT)).text()).toBe('raw')
    expect(await rejection((await lab.fetch()(URL_OF_CHAT)).text())).toBeInstanceOf(TypeError)
  })

  test('compressed streams come as they come', async () => {
    const { createGzip, constants } = await import('node:zlib')
    const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
    const parts: Buffer[] = []
    gzip.on('data', (chunk: Buffer) => parts.push(chunk))
    for (const text of ['one', 'two']) {
      await new Promise<void>((resolve) => {
        gzip.write(`data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`, () => resolve())
      })
    }
    const first = Buffer.concat(parts)
    await using lab = await openForwarding({
      script: stall('forever', {
        afterBytes: first.length,
        in: {
          answer: () => ({
            status: 200,
            headers: { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' },
            pieces: [first, Buffer.alloc(10)],
          }),
        },
      }),
    })
    await lab.add('a')
    const abort = new AbortController()
    const response = await lab.fetch()(URL_OF_CHAT, { signal: abort.signal })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('two')) text += (await reader?.read())?.value ?? ''
    abort.abort()
    expect(await rejection(reader?.read() ?? Promise.resolve())).toMatchObject({ name: 'AbortError' })
  })

  test('a large body at the pace of its reader', async () => {
    await using lab = await openForwarding({ script: hugeBody(20_000_000, 200) })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT)
    let size = 0
    for await (const chunk of response.body ?? []) size += chunk.byteLength
    expect(size).toBe(20_000_000)
  })

  test('a body that is given up ends the upstream connection', async () => {
    await using lab = await openForwarding({ script: stall('forever', { in: ok(), afterBytes: 400 }) })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', stream: true }),
    })
    await response.body?.cancel()
    await lab.upstream.requests[0]?.ended
    expect(lab.upstream.requests[0]?.aborted).toBe(true)
  })
})

describe('when it fails', () => {
  test('nothing usable: a response, not an exception', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 12 }) })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT, { method: 'POST', body: BODY })
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '12'])
    expect(await response.json()).toMatchObject({ error: { code: 'keymux_no_usable_profile' } })
  })

  test('nobody answered: what fetch throws, with a cause and without bytes of the wire', async () => {
    await using lab = await openForwarding({ script: reset() })
    await lab.add('a')
    const error = await rejection(lab.fetch()(URL_OF_CHAT, { method: 'POST', body: BODY }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'provider_unreachable' } })
  })

  test('a redirect is not followed', async () => {
    await using lab = await openForwarding({ script: redirect('https://api.openai.com/v1/elsewhere') })
    await lab.add('a')
    expect((await lab.fetch()(URL_OF_CHAT)).status).toBe(502)
    expect(lab.upstream.requests).toHaveLength(1)
  })

  test('aborts reject with their reason, before, during and after the head', async () => {
    await using lab = await openForwarding({
      script: [stall(), stall('forever', { in: ok(), afterBytes: 400 })],
    })
    await lab.add('a')
    const fetch = lab.fetch()
    expect(await rejection(fetch(URL_OF_CHAT, { signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
    })
    const own = new Error('own reason')
    expect(await rejection(fetch(new Request(URL_OF_CHAT, { signal: AbortSignal.abort(own) })))).toBe(own)

    const during = new AbortController()
    const pending = rejection(fetch(URL_OF_CHAT, { signal: during.signal }))
    const request = await lab.upstream.received(1)
    during.abort()
    expect(await pending).toMatchObject({ name: 'AbortError' })
    await request.ended

    const after = new AbortController()
    const streamed = JSON.stringify({ model: 'm', stream: true })
    const response = await fetch(URL_OF_CHAT, { method: 'POST', body: streamed, signal: after.signal })
    const text = rejection(response.text())
    after.abort()
    expect(await text).toMatchObject({ name: 'AbortError' })
    await lab.upstream.requests[1]?.ended
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('an abort while the body is read', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    const abort = new AbortController()
    const body = new ReadableStream({ pull: () => new Promise(() => {}) })
    const pending = rejection(
      lab.fetch()(URL_OF_CHAT, { method: 'POST', body, duplex: 'half', signal: abort.signal }),
    )
    abort.abort()
    expect(await pending).toMatchObject({ name: 'AbortError' })
    expect(lab.upstream.requests).toHaveLength(0)
  })

  test('a stream that breaks off says no more than fetch does', async () => {
    await using lab = await openForwarding({ script: reset({ afterBytes: 450 }) })
    await lab.add('a')
    const response = await lab.fetch()(URL_OF_CHAT, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', stream: true }),
    })
    const error = await rejection(response.text())
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'terminated' })
  })
})

type BodyOf = NonNullable<RequestInit['body']>
