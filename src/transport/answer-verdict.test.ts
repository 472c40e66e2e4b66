import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AnswerJudge, type AnswerVerdict, type HowOver } from './answer-verdict.js'
import { AnswerWatch } from './answer-watch.js'
import { lastEvent } from './last-event.js'
import { Tail } from './tail.js'

const event = (type: string, fields: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const chunk = (delta: object, finish: string | null = null): string =>
  data({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })
const part = (text: string, finishReason?: string): string =>
  data({ candidates: [{ content: { parts: [{ text }] }, finishReason }] })

const DONE = 'data: [DONE]\n\n'
const USAGE = data({ object: 'chat.completion.chunk', choices: [], usage: { total_tokens: 3 } })
const CONTENT = {
  chat: chunk({ content: 'a [DONE] "error": {} message_stop' }),
  anthropic: event('content_block_delta', { delta: { type: 'text_delta', text: 'data: [DONE]' } }),
  responses: event('response.output_text.delta', { delta: 'event: response.completed' }),
  gemini: part('finishReason'),
  cohere: event('content-delta', { delta: { message: { content: { text: 'a' } } } }),
}
const ENDS = {
  chat: [DONE, chunk({}, 'stop') + DONE, chunk({}, 'length') + USAGE + DONE],
  anthropic: [event('message_delta', { delta: { stop_reason: 'end_turn' } }) + event('message_stop')],
  responses: [
    event('response.completed', { response: { output: [] } }),
    event('response.incomplete', { response: { output: [] } }),
    event('response.completed', { response: { output: 'x'.repeat(200_000) } }) + DONE,
    `data: ${JSON.stringify({ type: 'response.completed', response: 'y'.repeat(50_000) })}\n\n`,
  ],
  gemini: [
    part('b', 'STOP'),
    part('b', 'SAFETY') + data({ usageMetadata: {} }),
    data({ promptFeedback: { blockReason: 'X' } }),
  ],
  cohere: [event('message-end', { delta: { finish_reason: 'COMPLETE' } })],
}
type Name = keyof typeof CONTENT
const NAMES: readonly Name[] = ['chat', 'anthropic', 'responses', 'gemini', 'cohere']

const BASE = 'https://api.example'
const context = (headers: readonly string[]) => ({
  provider: 'openai',
  family: 'openai' as const,
  model: 'm',
  status: 200,
  headers,
  now: () => new Date('2026-01-01T00:00:00Z'),
})

function judge(
  body: string | readonly Buffer[],
  how: HowOver,
  {
    by = new AnswerJudge(),
    type = 'text/event-stream',
    conversation,
  }: { by?: AnswerJudge; type?: string; conversation?: string } = {},
): AnswerVerdict {
  const watch = new AnswerWatch(context(['content-type', type]))
  for (const one of typeof body === 'string' ? [Buffer.from(body)] : body) watch.push(one)
  watch.end(how)
  const { over } = watch
  if (over === undefined) throw new Error('it is over')
  return by.judge(over, BASE, conversation)
}

function cut(body: string | Buffer, sizes: readonly number[]): Buffer[] {
  const bytes = Buffer.from(body)
  const chunks: Buffer[] = []
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? bytes.length
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

describe.each(NAMES)('a stream of %s', (name) => {
  const ends: readonly string[] = ENDS[name]

  test('that ends properly is good, whatever breaks afterwards', () => {
    for (const end of ends) {
      for (const how of ['whole', 'broken', 'silent', 'unwanted'] as const) {
        expect(judge(CONTENT[name] + end, how)).toEqual({ kind: 'good' })
      }
    }
  })

  test('that breaks off, or stops, is not; one that is not wanted any more is', () => {
    for (const rest of [
      '',
      CONTENT[name].slice(0, -2),
      ': still there\n\n',
      'event: ping\ndata: {"type":"ping"}\n\n',
    ]) {
      expect(judge(CONTENT[name] + rest, 'broken')).toMatchObject({ kind: 'bad', reason: 'server_error' })
      expect(judge(CONTENT[name] + rest, 'silent')).toMatchObject({ kind: 'bad', reason: 'timeout' })
      expect(judge(CONTENT[name] + rest, 'unwanted')).toEqual({ kind: 'good' })
    }
  })

  const asides = ['', USAGE, ': still there\n\n', event('ping')]

  test.each(ends.flatMap((end) => asides.map((aside) => [aside, end])))(
    'that ends without its last event is bad where that event was sent before, as in %j %j',
    (aside, end) => {
      const by = new AnswerJudge()
      expect(judge(CONTENT[name], 'whole', { by })).toEqual({ kind: 'good' })
      judge(CONTENT[name] + aside + end, 'whole', { by })
      expect(judge(CONTENT[name], 'whole', { by })).toMatchObject({ kind: 'bad' })
      // Of others nothing is known.
      for (const other of NAMES)
        if (other !== name) expect(judge(CONTENT[other], 'whole', { by }).kind).toBe('good')
    },
  )

  test('that ends without its last event is believed two times in a conversation', () => {
    const by = new AnswerJudge()
    const kinds = (conversation: string, count: number): string[] =>
      Array.from({ length: count }, () => judge(CONTENT[name], 'whole', { by, conversation }).kind)
    expect(kinds('one', 4)).toEqual(['good', 'good', 'bad', 'bad'])
    // Others may be of another mind, and whoever leaves says nothing.
    expect(kinds('two', 2)).toEqual(['good', 'good'])
    expect(judge(CONTENT[name], 'unwanted', { by, conversation: 'one' })).toEqual({ kind: 'good' })
    for (const end of ends) judge(CONTENT[name] + end, 'whole', { by, conversation: 'three' })
    expect(kinds('four', 1)).toEqual(['bad'])
  })

  test('the same for one whose events nobody knows', () => {
    const by = new AnswerJudge()
    const unknown = data({ text: 'a' })
    expect(judge(unknown, 'whole', { by }).kind).toBe('good')
    judge(unknown + DONE, 'whole', { by })
    expect(judge(unknown, 'whole', { by }).kind).toBe('bad')
  })

  test('however long it is and however it is cut, the end counts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 6 }),
        fc.nat(400),
        fc.constantFrom('\n', '\r\n'),
        fc.constantFrom(...ends, ''),
        (sizes, count, newline, end) => {
          const text = (CONTENT[name].repeat(count + 1) + end).replaceAll('\n', newline)
          const expected = end === '' ? 'bad' : 'good'
          expect(judge(cut(text, sizes), 'broken').kind).toBe(expected)
        },
      ),
      { numRuns: 40 },
    )
  })
})

test.each(['\n', '\r\n'])(
  'a last event longer than what is kept counts, wherever that begins (%j)',
  (newline) => {
    const before = `data: {"type":"response.created"}\n\n${`: ${'x'.repeat(17_000)}\n\n`}`
    const last = `data: {"type":"response.completed","response":"${'y'.repeat(40_000)}"}\n\n`
    const [start, text] = [before, before + last].map((each) => each.replaceAll('\n', newline))
    for (let beside = -8; beside <= 4; beside += 1) {
      const first = (start?.length ?? 0) + 16_384 + beside
      const chunks = [text?.slice(0, first), text?.slice(first)].map((each) => Buffer.from(each ?? ''))
      expect([beside, judge(chunks, 'broken').kind]).toEqual([beside, 'good'])
    }
  },
)

describe('errors', () => {
  test.each([
    ['overloaded', event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } })],
    [
      'rate_limit',
      event('response.failed', {
        response: { error: { code: 'rate_limit_exceeded', message: 'Rate limit reached' } },
      }),
    ],
    [
      'server_error',
      data({ error: { code: 502, message: 'Provider disconnected' }, choices: [{ finish_reason: 'error' }] }),
    ],
    [
      'billing',
      data({ error: { code: 'insufficient_quota', message: 'You exceeded your current quota' } }) + DONE,
    ],
    [
      'context_overflow',
      event('response.failed', {
        response: { error: { code: 'context_length_exceeded', message: 'too long' } },
      }),
    ],
  ])('say why: %s', (reason, last) => {
    for (const how of ['whole', 'broken', 'unwanted'] as const) {
      expect(judge(CONTENT.chat + last, how)).toMatchObject({ kind: 'bad', reason, stated: { reason } })
    }
  })

  test('that say nothing are no reason', () => {
    expect(judge(CONTENT.chat + data({ error: { message: 'hm' } }), 'whole')).toMatchObject({
      kind: 'bad',
      reason: 'server_error',
    })
    expect(judge(CONTENT.chat + data({ error: { message: 'hm' } }), 'whole')).not.toHaveProperty('stated')
  })

  test('that are none are passed over', () => {
    expect(
      judge(CONTENT.chat + data({ error: null, choices: [{ finish_reason: 'stop' }] }) + DONE, 'whole').kind,
    ).toBe('good')
  })

  test('in the list that Gemini streams without events', () => {
    const type = 'application/json; charset=UTF-8'
    const first = JSON.stringify({ candidates: [{ content: { parts: [{ text: '[{ "error": { }' }] } }] })
    const fault = JSON.stringify({
      error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' },
    })
    expect(judge(`[${first}\n,\n${fault}\n]`, 'whole', { type })).toMatchObject({
      kind: 'bad',
      reason: 'overloaded',
    })
    expect(judge(`[${first}\n]`, 'whole', { type })).toEqual({ kind: 'good' })
    expect(judge(`[${first}\n`, 'broken', { type })).toMatchObject({ kind: 'bad' })
  })
})

test('a caller who leaves before anything came says nothing', () => {
  expect(judge(chunk({ role: 'assistant', content: '' }), 'unwanted')).toEqual({ kind: 'nothing' })
  expect(judge(': waiting\n\n', 'unwanted')).toEqual({ kind: 'nothing' })
})

test('a chat that has finished may lack its last word, and must not break', () => {
  expect(judge(CONTENT.chat + chunk({}, 'stop'), 'whole')).toEqual({ kind: 'good' })
  expect(judge(CONTENT.chat + chunk({}, 'stop'), 'broken')).toMatchObject({ kind: 'bad' })
})

test('a message of Anthropic’s that has stopped may lack its last word, and must not break', () => {
  const stopped = `${CONTENT.anthropic}${event('message_delta', { delta: { stop_reason: 'end_turn' } })}`
  expect(judge(stopped, 'whole')).toEqual({ kind: 'good' })
  expect(judge(stopped, 'broken')).toMatchObject({ kind: 'bad' })
  const goesOn = `${CONTENT.anthropic}${event('message_delta', { delta: { stop_reason: null } })}`
  expect(judge(goesOn, 'broken')).toMatchObject({ kind: 'bad' })
})

test('other bodies are judged by their connection', () => {
  for (const type of ['audio/mpeg', 'application/octet-stream', 'application/json']) {
    expect(judge('xyz', 'whole', { type }).kind).toBe('good')
    expect(judge('xyz', 'broken', { type }).kind).toBe('bad')
  }
})

test('encoded streams are read; what cannot be is judged by its connection', async () => {
  const by = new AnswerJudge()
  const coded = (coding: string, body: Buffer, how: HowOver): Promise<AnswerVerdict> => {
    const watch = new AnswerWatch(context(['content-type', 'text/event-stream', 'content-encoding', coding]))
    for (const one of cut(body, [7])) watch.push(one)
    watch.end(how)
    return new Promise((resolve) => watch.follow((over) => resolve(by.judge(over, BASE))))
  }
  const gzip = (text: string): Buffer => gzipSync(text)
  expect((await coded('gzip', gzip(CONTENT.chat + DONE), 'whole')).kind).toBe('good')
  expect((await coded('gzip', gzip(CONTENT.chat), 'whole')).kind).toBe('bad')
  expect((await coded('gzip', gzip(CONTENT.chat).subarray(0, 40), 'broken')).kind).toBe('bad')
  expect((await coded('zstd', Buffer.from('xyz'), 'whole')).kind).toBe('good')
  expect((await coded('gzip', Buffer.from('no gzip at all'), 'whole')).kind).toBe('good')
})

test('what stops is ended in its own dialect, and never in the middle of an event', () => {
  const last = (text: string): string | undefined => {
    const tail = new Tail()
    tail.push(Buffer.from(text))
    return lastEvent(tail, 'silent', 'openai')?.toString()
  }
  expect(last(CONTENT.anthropic)).toMatch(
    /^event: error\ndata: {"type":"error","error":{"type":"timeout_error"/,
  )
  expect(last(CONTENT.chat)).toMatch(/^data: {"error":{"message":/)
  expect(last(CONTENT.gemini)).toMatch(/^data: {"error":{"code":504/)
  expect(last(event('response.output_text.delta', { delta: 'a', sequence_number: 41 }))).toMatch(
    /^event: error\ndata: .*"sequence_number":42}\n\n$/,
  )
  expect(last(`${CONTENT.chat}data: {"cho`)).toBeUndefined()
})
