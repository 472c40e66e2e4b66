import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Gate, gateFor, type Ruling } from './gate.js'

const DELTA = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
const ROLE = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
const FAULT =
  'data: {"error":{"message":"The server is overloaded","type":"server_error","code":"server_is_overloaded"}}\n\n'

interface Played {
  /** How many chunks it took. */
  readonly after: number
  readonly ruling: Ruling
}

function play(
  chunks: readonly (string | Buffer)[],
  { status = 200, type = 'text/event-stream', coding = '', provider = 'openai', complete = true } = {},
): Played {
  const headers = [
    ...(type === '' ? [] : ['Content-Type', type]),
    ...(coding === '' ? [] : ['content-encoding', coding]),
  ]
  const gate = gateFor({
    provider,
    family: undefined,
    model: 'gpt-4o',
    status,
    headers,
    now: () => new Date(0),
  })
  if ('kind' in gate) return { after: 0, ruling: gate }
  return playOn(
    gate,
    chunks.map((chunk) => Buffer.from(chunk)),
    complete,
  )
}

function playOn(gate: Gate, chunks: readonly Buffer[], complete: boolean): Played {
  for (const [index, chunk] of chunks.entries()) {
    const ruling = gate.data(chunk, () => Buffer.concat(chunks.slice(0, index + 1)))
    if (ruling.kind !== 'hold') return { after: index + 1, ruling }
  }
  return { after: chunks.length, ruling: gate.end(Buffer.concat(chunks), complete) }
}

const RELEASE = { kind: 'release' }

describe('streams', () => {
  test('are held until an event carries content', () => {
    expect(play([': hello\n\n', ROLE, 'event: ping\ndata: {}\n\n', DELTA, DELTA])).toEqual({
      after: 4,
      ruling: RELEASE,
    })
  })

  test('an error before that is a failure', () => {
    expect(play([': hi\n\n', ROLE, FAULT]).ruling).toMatchObject({
      kind: 'failed',
      verdict: { reason: 'overloaded' },
    })
  })

  test('an error after content is not looked at', () => {
    expect(play([DELTA, FAULT])).toEqual({ after: 1, ruling: RELEASE })
    expect(play([DELTA + FAULT])).toEqual({ after: 1, ruling: RELEASE })
  })

  test('one error that lacks its blank line', () => {
    expect(play([FAULT.trim()]).ruling).toMatchObject({ kind: 'failed' })
  })

  test.each([
    [
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
      'overloaded',
    ],
    ['data: {"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}\n\n', 'rate_limit'],
    [
      'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"server_error","message":"The server had an error"}}}\n\n',
      'server_error',
    ],
    [
      'data: {"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached"}}}\n\n',
      'rate_limit',
    ],
    ['data: {"error":{"code":402,"message":"This request requires more credits"}}\n\n', 'billing'],
    ['data:{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}\r\n\r\n', 'rate_limit'],
  ])('%s', (text, reason) => {
    expect(
      play([text], { provider: text.includes('base_resp') ? 'minimax' : 'openai' }).ruling,
    ).toMatchObject({
      kind: 'failed',
      verdict: { reason },
    })
  })

  test('a response that only begins with "error": null is none', () => {
    const created =
      'event: response.created\ndata: {"type":"response.created","response":{"error":null,"output":[]}}\n\n'
    expect(play([created, DELTA])).toEqual({ after: 2, ruling: RELEASE })
  })

  test('a stream that ends before its answer begins is senseless, with and without events', () => {
    expect(play([': only comments\n\n']).ruling.kind).toBe('senseless')
    expect(play([]).ruling.kind).toBe('senseless')
    expect(play([ROLE]).ruling.kind).toBe('senseless')
    expect(play([ROLE], { complete: false }).ruling).toEqual(RELEASE)
    expect(play([': still working\n\n'], { complete: false }).ruling).toEqual(RELEASE)
  })

  test('compressed ones are looked into', () => {
    const all = gzipSync(Buffer.from(ROLE + FAULT))
    const bytes = [...all].map((byte) => Buffer.from([byte]))
    expect(play(bytes, { coding: 'gzip' }).ruling).toMatchObject({ kind: 'failed' })
    expect(play([gzipSync(Buffer.from(ROLE + DELTA))], { coding: 'gzip' })).toEqual({
      after: 1,
      ruling: RELEASE,
    })
    expect(play([Buffer.from([1, 2, 3])], { coding: 'zstd' }).ruling).toEqual(RELEASE)
  })

  test('how it is cut makes no difference', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60)), fc.boolean(), (cuts, fails) => {
        const bytes = Buffer.from(`: x\r\n\r\n${ROLE}${fails ? FAULT : DELTA}${DELTA}`)
        const chunks: Buffer[] = []
        let start = 0
        for (const cut of cuts) {
          chunks.push(bytes.subarray(start, start + cut))
          start += cut
        }
        expect(play([...chunks, bytes.subarray(start)]).ruling.kind).toBe(fails ? 'failed' : 'release')
      }),
    )
  })
})

describe('JSON', () => {
  const type = 'application/json; charset=utf-8'

  test('an object is read to its end', () => {
    expect(play(['{"id":', '"x","choices":[]}'], { type })).toEqual({ after: 2, ruling: RELEASE })
    expect(
      play(['{"id":"x"', ',"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}'], {
        type,
        provider: 'minimax',
      }).ruling,
    ).toMatchObject({ kind: 'failed', verdict: { reason: 'billing' } })
    expect(
      play(['{"error":{"message":"No credits","code":402}}'], { type, provider: 'openrouter' }).ruling,
    ).toMatchObject({ kind: 'failed' })
    expect(play(['{"id":"r","object":"response","error":null}'], { type }).ruling).toEqual(RELEASE)
  })

  test('white space before it is no content', () => {
    expect(play(['\n', '   ', '\n\n', '{"id":1}'], { type })).toEqual({ after: 4, ruling: RELEASE })
  })

  test('the list that Gemini streams goes on with its first element', () => {
    const list = ['[', '{"candi', 'dates": [{"content":{"parts":[{"text":"a"}]}}]}', ',\r\n{}', ']']
    expect(play(list, { type })).toEqual({ after: 3, ruling: RELEASE })
    const fault =
      '[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]'
    expect(play([fault.slice(0, 20), fault.slice(20)], { type, provider: 'gemini' }).ruling).toMatchObject({
      kind: 'failed',
      verdict: { reason: 'rate_limit' },
    })
  })

  test('what claims to be JSON and is not', () => {
    expect(play([Buffer.from([255, 254, 253])], { type }).ruling.kind).toBe('senseless')
    expect(play(['<html>'], { type }).ruling.kind).toBe('senseless')
    expect(play([''], { type }).ruling).toEqual(RELEASE)
    expect(play(['\ufeff{}'], { type }).ruling).toEqual(RELEASE)
    expect(play(['true'], { type }).ruling).toEqual(RELEASE)
    // Only a whole body can be judged so.
    expect(play([Buffer.from([255])], { type, complete: false }).ruling).toEqual(RELEASE)
  })

  test('compressed', () => {
    const fault = gzipSync('{"error":{"message":"Insufficient Balance","code":402}}')
    expect(play([fault], { type, coding: 'gzip' }).ruling).toMatchObject({ kind: 'failed' })
    expect(play([gzipSync('{"a":1}')], { type, coding: 'gzip' }).ruling).toEqual(RELEASE)
    expect(play([Buffer.from('?')], { type, coding: 'zstd' }).ruling).toEqual(RELEASE)
  })

  test('without a type it is told by its beginning', () => {
    expect(play(['{"error":{"message":"No credits","code":402}}'], { type: '' }).ruling.kind).toBe('failed')
    expect(play(['audio'], { type: '' })).toEqual({ after: 1, ruling: RELEASE })
  })
})

describe('heads', () => {
  test.each([400, 401, 404, 429, 500, 529, 599])('%s is a failure once its body is there', (status) => {
    expect(play(['oops', '!'], { status, type: 'text/plain' })).toMatchObject({
      after: 2,
      ruling: { kind: 'failed' },
    })
    expect(play([], { status, type: '' }).ruling.kind).toBe('failed')
  })

  test.each([301, 302, 303, 307, 308, 199, 600, 999, 0])('%s makes no sense', (status) => {
    expect(play(['x'], { status })).toMatchObject({ after: 0, ruling: { kind: 'senseless' } })
  })

  test.each([200, 201, 204, 206, 304])('%s of another type goes on with its first byte', (status) => {
    expect(play(['x', 'y'], { status, type: 'audio/mpeg' })).toEqual({ after: 1, ruling: RELEASE })
    expect(play([], { status, type: 'audio/mpeg' }).ruling).toEqual(RELEASE)
  })
})

test('never throws, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
      fc.constantFrom('text/event-stream', 'application/json', '', 'text/html'),
      fc.constantFrom('', 'gzip', 'br', 'deflate', 'nonsense'),
      fc.constantFrom(200, 429, 503),
      (chunks, type, coding, status) => {
        play(
          chunks.map((chunk) => Buffer.from(chunk)),
          { type, coding, status },
        )
      },
    ),
  )
})
