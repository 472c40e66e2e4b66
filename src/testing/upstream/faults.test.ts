import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ScriptedUpstream } from '../scripted-upstream.js'
import { startScriptedUpstream } from '../scripted-upstream.js'
import { badKey, rateLimited } from './failures.js'
import {
  delay,
  errorInFirstEvent,
  errorMidStream,
  garbage,
  hugeBody,
  reset,
  stall,
  trickle,
  truncated,
} from './faults.js'
import { redirect, reply } from './reply.js'
import { ok } from './success.js'

let upstream: ScriptedUpstream
beforeAll(async () => {
  upstream = await startScriptedUpstream()
})
afterAll(() => upstream.close())

const chat = (body: object = {}, init: RequestInit = {}): Promise<Response> =>
  fetch(`${upstream.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body), ...init })

/** The system's code of whatever made a fetch, or the reading of its body, fail. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof Error ? Reflect.get(error.cause ?? error, 'code') : undefined
}

async function lastRequest(): Promise<{ aborted: boolean }> {
  const request = upstream.requests.at(-1)
  await request?.ended
  return { aborted: request?.aborted ?? true }
}

const WHOLE = JSON.stringify({ text: 'x'.repeat(200) })

// A reset that overtakes bytes the client has not read yet looks like an ordinary end to some systems.
const BROKEN = /^(ECONNRESET|UND_ERR_SOCKET)$/

describe('reset', () => {
  it('resets before the first byte', async () => {
    upstream.respond(reset())
    expect(await failure(chat())).toBe('ECONNRESET')
    expect(await lastRequest()).toEqual({ aborted: false })
  })

  it('resets in the middle, once the test has seen the beginning', async () => {
    let seen: () => void = () => {}
    const when = new Promise<void>((resolve) => {
      seen = resolve
    })
    upstream.respond(reset({ in: reply(200, WHOLE), afterBytes: 50, when }))
    const response = await chat()
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(Buffer.from(first?.value ?? []).toString()).toBe(WHOLE.slice(0, 50))
    seen()
    expect(await failure(reader?.read() ?? Promise.resolve())).toBe('ECONNRESET')
    expect(await lastRequest()).toEqual({ aborted: false })
  })

  it('resets a stream between two of its bytes', async () => {
    upstream.respond(reset({ afterBytes: 300 }))
    const response = await chat({ stream: true })
    expect(response.status).toBe(200)
    expect(await failure(response.text())).toMatch(BROKEN)
  })

  it('resets after the headers', async () => {
    upstream.respond(reset({ in: reply(200, WHOLE), afterBytes: 0 }))
    const response = await chat()
    expect(response.headers.get('content-length')).toBe(String(WHOLE.length))
    expect(await failure(response.text())).toMatch(BROKEN)
  })
})

describe('stall', () => {
  it('never answers, until the client gives up', async () => {
    upstream.respond(stall())
    const stop = new AbortController()
    const count = upstream.requests.length
    const call = chat({}, { signal: stop.signal })
    await upstream.received(count + 1)
    stop.abort()
    await expect(call).rejects.toThrow()
    expect(await lastRequest()).toEqual({ aborted: true })
  })

  it('goes on when a promise settles, however it does', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      let settle: () => void = () => {}
      const gate = new Promise<void>((resolve, reject) => {
        settle = () => (end === 'resolve' ? resolve() : reject(new Error('over')))
      })
      upstream.respond(stall(gate, { in: reply(200, WHOLE), afterBytes: 20 }))
      const reader = (await chat()).body?.getReader()
      expect((await reader?.read())?.value?.length).toBe(20)
      settle()
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(WHOLE.slice(20))
      expect((await reader?.read())?.done).toBe(true)
    }
  })

  it('goes on after its time', async () => {
    upstream.respond(stall(30, { in: badKey() }))
    const before = performance.now()
    expect((await chat()).status).toBe(401)
    expect(performance.now() - before).toBeGreaterThan(25)
  })

  it('delays an answer', async () => {
    upstream.respond(delay(30))
    const before = performance.now()
    expect((await chat()).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThan(25)
  })
})

describe('truncated', () => {
  it('ends a body early, without a reset', async () => {
    upstream.respond(truncated({ in: reply(200, WHOLE) }))
    const response = await chat()
    expect(response.headers.get('content-length')).toBe(String(WHOLE.length))
    expect(await failure(response.text())).toBe('UND_ERR_SOCKET')
    expect(await lastRequest()).toEqual({ aborted: false })
  })

  it('ends a stream without its last chunk, wherever it is told to', async () => {
    upstream.respond(truncated({ afterBytes: 10 }))
    const reader = (await chat({ stream: true })).body?.getReader()
    expect((await reader?.read())?.value?.length).toBe(10)
    expect(await failure(reader?.read() ?? Promise.resolve())).toBe('UND_ERR_SOCKET')
  })
})

describe('trickle', () => {
  it('sends everything, a few bytes at a time', async () => {
    upstream.respond(trickle({ in: reply(200, WHOLE), bytes: 3 }))
    let reads = 0
    let text = ''
    for await (const part of (await chat()).body ?? []) {
      reads += 1
      text += Buffer.from(part).toString()
    }
    expect(text).toBe(WHOLE)
    expect(reads).toBeGreaterThan(5)
  })

  it('keeps a stream whole though its events are torn apart', async () => {
    upstream.respond(ok())
    const whole = (await (await chat({ stream: true })).text()).replace(/chatcmpl-\d+/g, 'id')
    upstream.respond(trickle({ in: ok({ text: 'Hello from keymux.' }) }))
    const torn = (await (await chat({ stream: true })).text()).replace(/chatcmpl-\d+/g, 'id')
    expect(torn.replace(/"created":\d+/g, '')).toBe(whole.replace(/"created":\d+/g, ''))
  })

  it('can be cut short as well', async () => {
    upstream.respond(trickle({ in: truncated({ in: reply(200, WHOLE), afterBytes: 7 }) }))
    expect(await failure((await chat()).text())).toBe('UND_ERR_SOCKET')
  })
})

describe('bodies that are none', () => {
  it('sends bytes that are neither JSON nor text', async () => {
    upstream.respond(garbage())
    const response = await chat()
    expect(response.headers.get('content-type')).toBe('application/json')
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow()
  })

  it('speaks no HTTP at all', async () => {
    upstream.respond(garbage({ http: false }))
    const socket = connect(upstream.port, '127.0.0.1')
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
    const got: Buffer[] = []
    socket.on('data', (chunk: Buffer) => got.push(chunk))
    await once(socket, 'end')
    expect(Buffer.concat(got).length).toBe(256)
    socket.destroy()
    await expect(chat()).rejects.toThrow()
    // How fetch calls it differs from one Node to the next; its parser says the same in all of them.
    const [error] = await once(request({ port: upstream.port, method: 'POST' }).end(), 'error')
    expect(error).toMatchObject({ code: expect.stringMatching(/^HPE_/) })
    expect(await lastRequest()).toEqual({ aborted: false })
  })

  it('sends as many bytes as it is told to', async () => {
    for (const size of [0, 1, 65_536, 65_537, 10_000_000]) {
      upstream.respond(hugeBody(size))
      const response = await chat()
      expect(response.status).toBe(500)
      expect((await response.arrayBuffer()).byteLength).toBe(size)
    }
  })

  it('stops when nobody reads any further', async () => {
    upstream.respond(hugeBody(2 ** 34))
    const stop = new AbortController()
    const response = await chat({}, { signal: stop.signal })
    await response.body?.getReader().read()
    stop.abort()
    expect(await lastRequest()).toEqual({ aborted: true })
  })

  it('sends the client elsewhere', async () => {
    upstream.respond([redirect('http://127.0.0.1:9/elsewhere'), redirect('/there', 301)])
    const first = await chat({}, { redirect: 'manual' })
    expect([first.status, first.headers.get('location')]).toEqual([307, 'http://127.0.0.1:9/elsewhere'])
    const second = await chat({}, { redirect: 'manual' })
    expect([second.status, second.headers.get('location')]).toEqual([301, '/there'])
  })
})

describe('errors inside a stream', () => {
  const stream = async (path: string): Promise<string> => {
    const response = await fetch(`${upstream.url}${path}`, { method: 'POST', body: '{"stream":true}' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    return response.text()
  }

  it('begins with an error', async () => {
    upstream.respond(errorInFirstEvent())
    expect(await stream('/v1/messages')).toMatch(
      /^event: error\ndata: \{"type":"error","error":\{"type":"overloaded_error"/,
    )
    expect(await stream('/v1/chat/completions')).toMatch(
      /^data: \{"error":\{[^\n]*server_is_overloaded[^\n]*\n\n$/,
    )
    expect(await stream('/api/v1/chat/completions')).toMatch(/^data: \{"error":\{"code":503,[^\n]*\n\n$/)
    expect(await stream('/v1beta/models/g:streamGenerateContent?alt=sse')).toMatch(
      /^data: \{"error":\{"code":503,/,
    )
    const [event] = (await stream('/v1/responses')).split('\n\n')
    expect(event).toMatch(/^event: error\ndata: /)
    expect(JSON.parse(event?.split('data: ')[1] ?? '')).toEqual({
      type: 'error',
      code: 'server_is_overloaded',
      message: 'The server is overloaded. Please retry later.',
      param: null,
      sequence_number: 0,
    })
  })

  it('breaks off with an error after some of the text', async () => {
    upstream.respond(errorMidStream(rateLimited(), { after: 2 }))
    const said = await stream('/v1/chat/completions')
    expect(said).toContain('"content":" from"')
    expect(said).not.toContain('keymux.')
    expect(said).not.toContain('[DONE]')
    expect(said.trimEnd().split('\n\n').at(-1)).toMatch(/^data: \{"error":\{.*rate_limit_exceeded/)
    const message = await stream('/v1/messages')
    expect(message.trimEnd().split('\n\n').at(-1)).toMatch(/^event: error\n.*rate_limit_error/)
    const events = (await stream('/v1/responses')).trimEnd().split('\n\n')
    expect(events.at(-1)).toContain(`"sequence_number":${events.length - 1}`)
  })
})
