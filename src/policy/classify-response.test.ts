import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FAILURE_REASONS, type FailureReason, type FailureScope } from '../domain/usage.js'
import { type ClassifyInput, classifyResponse } from './classify-response.js'

interface ResponseVector {
  readonly provider: string
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: unknown
  readonly model?: string
  readonly expect: { reason: FailureReason | null; scope?: FailureScope; retry_after_ms?: number }
}

const { clock, vectors }: { clock: string; vectors: ResponseVector[] } = JSON.parse(
  readFileSync(new URL('../../test/vectors/provider-failures.json', import.meta.url), 'utf8'),
)
const now = new Date(clock)
const rows = vectors.map((vector, index) => ({ ...vector, index }))

/** `@now+N` stands for unix seconds, N after the clock. */
function headersOf(vector: ResponseVector): Record<string, string> {
  const entries = Object.entries(vector.headers).map(([name, value]): [string, string] => {
    const seconds = /^@now\+(\d+)$/.exec(value)?.[1]
    return [name, seconds === undefined ? value : String(now.getTime() / 1000 + Number(seconds))]
  })
  return Object.fromEntries(entries)
}

function inputOf(vector: ResponseVector): ClassifyInput {
  const { provider, status, body, model } = vector
  return { provider, status, body, headers: headersOf(vector), model, now }
}

/** What is asked of an answer; the rest are defaults. */
function classify(input: Partial<ClassifyInput>) {
  return classifyResponse({ provider: 'custom', status: 400, headers: {}, now, ...input })
}

describe('the vectors', () => {
  it.each(rows)('$index: $provider $status is $expect.reason', (vector) => {
    const verdict = classifyResponse(inputOf(vector))
    const { reason, scope, retry_after_ms } = vector.expect
    if (reason === null) {
      expect(verdict).toBeUndefined()
      return
    }
    expect(verdict?.reason).toBe(reason)
    expect(scope === undefined ? ['model', 'credential'] : [scope]).toContain(verdict?.scope)
    expect(verdict?.retryAfterMs).toBe(retry_after_ms)
    expect(verdict?.message).not.toBe('')
  })

  it.each(rows)('$index: any form of headers and body gives the same', (vector) => {
    const input = inputOf(vector)
    const expected = classifyResponse(input)
    const { body } = vector
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const bytes = new TextEncoder().encode(text)
    const padded = new Uint8Array(bytes.length + 2)
    padded.set(bytes, 1)
    const headers = headersOf(vector)
    const listed = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value, 'second']]),
    )
    const forms: Partial<ClassifyInput>[] = [
      { body: text },
      { body: `\ufeff \r\n${text}\n` },
      { body: bytes },
      { body: bytes.buffer },
      { body: padded.subarray(1, bytes.length + 1) },
      { body: new DataView(bytes.buffer) },
      { headers: listed },
      { headers: new Headers(headers) },
      { provider: vector.provider.toUpperCase() },
    ]
    for (const form of forms) expect(classifyResponse({ ...input, ...form })).toEqual(expected)
  })
})

describe('a status without a body that says more', () => {
  it.each<[number, FailureReason, FailureScope]>([
    [400, 'format', 'request'],
    [401, 'auth', 'credential'],
    [402, 'billing', 'credential'],
    [403, 'auth_permanent', 'credential'],
    [404, 'unknown', 'request'],
    [405, 'format', 'request'],
    [408, 'timeout', 'provider'],
    [409, 'unknown', 'request'],
    [413, 'context_overflow', 'request'],
    [422, 'format', 'request'],
    [429, 'rate_limit', 'credential'],
    [500, 'server_error', 'provider'],
    [502, 'server_error', 'provider'],
    [503, 'overloaded', 'provider'],
    [504, 'timeout', 'provider'],
    [520, 'server_error', 'provider'],
    [524, 'timeout', 'provider'],
    [529, 'overloaded', 'provider'],
  ])('%i is %s', (status, reason, scope) => {
    for (const body of ['', undefined, null, '{}', '[]', '{"error":{}}', 'null', '\0\u0001\u001f']) {
      expect(classify({ status, body })).toEqual({
        reason,
        scope,
        certainty: 'presumed',
        message: `HTTP ${status}`,
      })
    }
  })

  it.each([100, 101, 103, 200, 201, 204, 206, 301, 302, 304, 307, 308])('%i is no failure', (status) => {
    expect(classify({ status, body: '' })).toBeUndefined()
  })

  it('a redirect is none, whatever its body says', () => {
    expect(classify({ status: 302, body: '{"error":{"message":"rate limit"}}' })).toBeUndefined()
  })

  it.each([0, Number.NaN, -1, 999, Number.POSITIVE_INFINITY])('the status %d does no harm', (status) => {
    expect(() => classify({ status, body: '' })).not.toThrow()
    expect(classify({ status: Number.NaN, body: '{"error":{"type":"overloaded_error"}}' })?.reason).toBe(
      'overloaded',
    )
  })
})

describe('the body goes before the status', () => {
  it.each<[string, Partial<ClassifyInput>, FailureReason]>([
    ['a code', { status: 400, body: { error: { code: 'insufficient_quota' } } }, 'billing'],
    ['a code in camelCase', { status: 400, body: { code: 'InvalidApiKey' } }, 'auth'],
    ['a type of Anthropic with 400', { body: { error: { type: 'authentication_error' } } }, 'auth'],
    ['a status in the body', { body: { error: { code: 503, message: 'sorry' } } }, 'overloaded'],
    ['wording', { status: 403, body: { message: 'API rate limit exceeded for user' } }, 'rate_limit'],
    ['words in a code', { body: { code: 'Account.Payment.Overdue' } }, 'billing'],
    [
      'a revoked login',
      {
        status: 403,
        body: { error: { type: 'permission_error', message: 'OAuth token has been revoked.' } },
      },
      'session_expired',
    ],
    [
      'an unknown parameter that echoes',
      {
        body: { error: { code: 'unknown_parameter', message: "Unknown parameter: 'insufficient balance'" } },
      },
      'format',
    ],
    [
      'an error of OAuth',
      { body: { error: 'invalid_grant', error_description: 'Bad Request' } },
      'session_expired',
    ],
    ['an OAuth client', { status: 401, body: { error: 'invalid_client' } }, 'auth_permanent'],
    ['Azure', { body: { error: { code: '400', innererror: { code: 'content_filter' } } } }, 'format'],
    ['a list of errors', { body: { errors: [{ message: 'insufficient credits' }] } }, 'billing'],
    ['an error in an error', { body: { error: { error: { type: 'overloaded_error' } } } }, 'overloaded'],
    [
      'Mistral’s message in a message',
      { body: { object: 'error', message: { detail: [{ msg: 'Field required' }] } } },
      'format',
    ],
    ['Gemini’s list', { body: [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }] }, 'rate_limit'],
    ['a JSON text', { body: '"You are not allowed to do this: payment required"' }, 'billing'],
    [
      'the model by name',
      { status: 404, model: 'foo-1', body: { message: 'foo-1 is nowhere' } },
      'model_not_found',
    ],
  ])('%s', (_name, input, reason) => {
    expect(classify(input)?.reason).toBe(reason)
  })

  it.each<[string, Partial<ClassifyInput>, FailureReason]>([
    ['401', { status: 401, body: { message: 'bad request: no key' } }, 'auth'],
    ['429', { status: 429, body: { message: 'the request timed out in the queue' } }, 'rate_limit'],
    ['500', { status: 500, body: { message: 'invalid request sent upstream' } }, 'server_error'],
    [
      '503',
      { status: 503, body: { error: { type: 'server_error', message: 'server error' } } },
      'overloaded',
    ],
    [
      '404',
      { status: 404, body: { error: { type: 'not_found_error', message: 'no such file' } } },
      'unknown',
    ],
  ])('but a commonplace wording does not go before %s', (_name, input, reason) => {
    expect(classify(input)?.reason).toBe(reason)
  })

  it('the wording of an HTML page means nothing', () => {
    const page = '<!DOCTYPE html><html><head><title>Access denied\n| insufficient quota</title></head></html>'
    expect(classify({ status: 502, body: page })).toEqual({
      reason: 'server_error',
      scope: 'provider',
      certainty: 'presumed',
      message: 'Access denied | insufficient quota',
    })
    expect(classify({ status: 429, body: page })?.reason).toBe('rate_limit')
    expect(classify({ status: 401, body: page })?.reason).toBe('auth')
    // What stands before the provider: it says nothing of the key.
    expect(classify({ status: 403, body: page })).toMatchObject({ reason: 'server_error', scope: 'provider' })
    expect(classify({ status: 200, body: page })).toBeUndefined()
  })
})

describe('providers', () => {
  it.each<[string, Partial<ClassifyInput>, FailureReason, FailureScope]>([
    [
      'anthropic',
      { status: 404, body: { error: { type: 'not_found_error', message: 'model: x' } } },
      'model_not_found',
      'model',
    ],
    [
      'gemini',
      {
        status: 429,
        body: { error: { status: 'RESOURCE_EXHAUSTED', message: 'Your prepayment credits are depleted.' } },
      },
      'billing',
      'credential',
    ],
    [
      'gemini',
      {
        status: 429,
        body: {
          error: {
            status: 'RESOURCE_EXHAUSTED',
            message: 'You exceeded your current quota, please check your plan and billing details.',
          },
        },
      },
      'rate_limit',
      'credential',
    ],
    [
      'qwen',
      { body: { code: 'InvalidParameter', message: 'Range of input length should be [1, 30720]' } },
      'context_overflow',
      'request',
    ],
    [
      'qwen',
      {
        status: 429,
        body: {
          code: 'Throttling.AllocationQuota',
          message: 'Allocated quota exceeded, please increase your quota limit.',
        },
      },
      'rate_limit',
      'credential',
    ],
    [
      'qwen',
      {
        status: 403,
        body: {
          code: 'AllocationQuota.FreeTierOnly',
          message: 'The free tier of the model has been exhausted.',
        },
      },
      'billing',
      'credential',
    ],
    [
      'qwen',
      { status: 401, body: { message: 'Invalid access token or token expired.' } },
      'session_expired',
      'credential',
    ],
    [
      'minimax',
      { status: 200, body: { base_resp: { status_code: 2056, status_msg: 'usage limit exceeded' } } },
      'rate_limit',
      'credential',
    ],
    [
      'minimax',
      { status: 200, body: { base_resp: { status_code: 1033, status_msg: 'system error' } } },
      'server_error',
      'provider',
    ],
    [
      'minimax',
      { status: 200, body: { base_resp: { status_code: 2013, status_msg: 'invalid params' } } },
      'format',
      'request',
    ],
    [
      'openrouter',
      {
        status: 403,
        body: {
          error: { code: 403, message: 'Your chosen model requires moderation and your input was flagged' },
        },
      },
      'format',
      'request',
    ],
    [
      'openrouter',
      { status: 403, body: { error: { code: 403, message: 'Key limit exceeded (daily limit)' } } },
      'billing',
      'credential',
    ],
    [
      'huggingface',
      { status: 402, body: { error: 'You have exceeded your monthly included credits' } },
      'billing',
      'credential',
    ],
    ['github-copilot', { status: 401, body: 'unauthorized: token expired' }, 'session_expired', 'credential'],
    [
      'cohere',
      {
        status: 429,
        body: { message: 'You are using a Trial key, which is limited to 20 API calls / minute.' },
      },
      'rate_limit',
      'credential',
    ],
    [
      'openai',
      {
        status: 401,
        body: { error: { message: "You didn't provide an API key.", type: 'invalid_request_error' } },
      },
      'auth',
      'credential',
    ],
    [
      'openai',
      {
        status: 429,
        body: {
          error: {
            message: 'Request too large for gpt-4o on tokens per min (TPM)',
            type: 'tokens',
            code: 'rate_limit_exceeded',
          },
        },
      },
      'context_overflow',
      'request',
    ],
  ])('%s: %j', (provider, input, reason, scope) => {
    expect(classify({ provider, ...input })).toMatchObject({ reason, scope })
  })

  it('a custom provider follows the rules of its family', () => {
    const body = { error: { code: 429, message: 'Quota exceeded for metric: x/requests, limit: 0' } }
    expect(classify({ provider: 'corp', status: 429, body })?.reason).toBe('billing')
    expect(classify({ provider: 'corp', family: 'gemini', status: 429, body })?.reason).toBe(
      'model_not_found',
    )
  })

  it('a custom provider that passes errors on is read by what it passes on', () => {
    const exhausted = { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'You exceeded your current quota' }
    expect(classify({ provider: 'corp', status: 429, body: { error: exhausted } })?.reason).toBe('rate_limit')
  })

  it.each(['__proto__', 'constructor', ''])('a provider named "%s" is one like any other', (provider) => {
    expect(classify({ provider, status: 429 })?.reason).toBe('rate_limit')
  })

  it('a rate limit is the model’s where the model is known', () => {
    expect(classify({ status: 429, model: 'm' })?.scope).toBe('model')
    expect(classify({ status: 429, model: '' })?.scope).toBe('credential')
  })
})

describe('a failure inside a success', () => {
  const sse = { 'content-type': 'text/event-stream; charset=utf-8' }

  it.each<[string, string, FailureReason]>([
    [
      'Anthropic',
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
      'overloaded',
    ],
    [
      'OpenAI',
      'data: {"error":{"message":"The server had an error","type":"server_error","code":null}}\n\n',
      'server_error',
    ],
    [
      'OpenRouter',
      ': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: {"id":"x","object":"chat.completion.chunk","error":{"code":429,"message":"Provider returned error"},"choices":[]}\n\n',
      'rate_limit',
    ],
    [
      'Anthropic after a ping',
      'event: ping\ndata: {"type":"ping"}\n\nevent: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}\n\n',
      'rate_limit',
    ],
    [
      'DashScope',
      'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"Arrearage","message":"Access denied"}\n\n',
      'billing',
    ],
    [
      'OpenAI responses',
      'event: response.failed\r\ndata: {"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"x"}}}\r\n\r\n',
      'rate_limit',
    ],
    [
      'MiniMax',
      'data: {"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}\n\n',
      'billing',
    ],
    ['data over several lines', 'data: {"error":\ndata: {"message": "insufficient_quota"}}\n\n', 'billing'],
    ['carriage returns alone', 'event: error\rdata: {"error":{"type":"overloaded_error"}}\r\r', 'overloaded'],
    [
      'a last event without a blank line',
      'event: error\ndata: {"error":{"type":"overloaded_error"}}',
      'overloaded',
    ],
    ['no JSON', 'event: error\ndata: insufficient balance\n\n', 'billing'],
  ])('first event of a stream: %s', (provider, body, reason) => {
    const name = provider === 'MiniMax' ? 'minimax' : 'custom'
    expect(classify({ provider: name, status: 200, headers: sse, body })?.reason).toBe(reason)
    expect(classify({ provider: name, status: 200, body: new TextEncoder().encode(body) })?.reason).toBe(
      reason,
    )
    expect(classify({ provider: name, status: 500, body })).toBeDefined()
  })

  it.each([
    [
      'a first event that is fine',
      'event: message_start\ndata: {"type":"message_start"}\n\nevent: error\ndata: {"error":{"type":"x"}}\n\n',
    ],
    ['the end', 'data: [DONE]\n\n'],
    ['nothing', ''],
    ['comments alone', ': ping\n\n: ping\n\n'],
    ['a chunk', 'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"error"}}]}\n\n'],
  ])('no failure: %s', (_name, body) => {
    expect(classify({ status: 200, headers: sse, body })).toBeUndefined()
  })

  it.each<[string, unknown, FailureReason]>([
    ['OpenAI', { error: { message: 'x', code: 'insufficient_quota' } }, 'billing'],
    [
      'OpenRouter',
      { error: { code: 502, message: 'Provider returned error' }, user_id: 'u' },
      'server_error',
    ],
    ['Anthropic', { type: 'error', error: { type: 'api_error', message: 'x' } }, 'server_error'],
    [
      'a failed response',
      { object: 'response', status: 'failed', error: { code: 'rate_limit_exceeded' } },
      'rate_limit',
    ],
    ['a text', { error: 'model "x" not found' }, 'model_not_found'],
    ['something odd', { error: { message: 'odd' } }, 'unknown'],
    ['Google’s types', { error: { status: 'UNAUTHENTICATED', message: 'x' } }, 'auth'],
  ])('JSON: %s', (_name, body, reason) => {
    expect(classify({ status: 200, body })?.reason).toBe(reason)
  })

  it.each<[string, unknown]>([
    ['no error', { object: 'response', status: 'completed', error: null }],
    ['an empty error', { error: {} }],
    ['an error of nothing', { error: { code: null, message: null } }],
    ['an empty text', { error: ' ' }],
    ['a flag', { error: false }],
    ['an empty list', { error: [] }],
    [
      'a job that failed',
      { object: 'fine_tuning.job', error: { code: 'invalid_training_file', message: 'x' } },
    ],
    ['a batch', { object: 'batch', errors: { data: [{ message: 'rate limit' }] } }],
    ['a message about errors', { message: 'rate limit', code: 'x', detail: 'unauthorized' }],
    [
      'an answer about errors',
      { choices: [{ message: { content: '{"error":{"code":"insufficient_quota"}}' } }] },
    ],
    ['MiniMax', { base_resp: { status_code: 0, status_msg: 'success' } }],
    ['a list', [1, 2]],
    ['a text', 'error: rate limit'],
  ])('no failure: %s', (_name, body) => {
    expect(classify({ status: 200, body })).toBeUndefined()
    expect(classify({ status: 200, body: JSON.stringify(body) })).toBeUndefined()
  })

  it('an error of unknown meaning may be tried elsewhere', () => {
    expect(classify({ status: 200, body: { error: { message: 'odd' } } })?.scope).toBe('credential')
  })
})

describe('the message', () => {
  it.each<[string, unknown, string]>([
    ['the provider’s own', { error: { message: 'Slow down,  please.' } }, 'Slow down, please.'],
    ['a code, where there is none', { error: { code: 'SomeOddCode' } }, 'some odd code'],
    ['a huge one', { message: 'ab '.repeat(5_000_000) }, `${'ab '.repeat(99)}ab…`],
    ['numbers are none', { message: 42, error: { message: 7 } }, 'HTTP 418'],
    ['plain text', '  I am a\n teapot\t', 'I am a teapot'],
    ['control characters', { message: 'a\u001b[31mb\u0000c\u202ed\u2028e\ud800f' }, 'a [31mb c d e f'],
    [
      'secrets',
      { message: 'Incorrect API key provided: sk-proj-abcdefgh12345678. Sorry.' },
      'Incorrect API key provided: [redacted]. Sorry.',
    ],
    ['a title', '<html><title>Teapot</title>', 'Teapot'],
    ['bytes that are no text', new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0xff, 0xfe]), 'HTTP 418'],
  ])('%s', (_name, body, message) => {
    expect(classify({ status: 418, body })?.message).toBe(message)
  })

  it('is cut at 300 characters, between characters', () => {
    const message = classify({ status: 418, body: { message: '\u{1f600}'.repeat(1000) } })?.message ?? ''
    expect([...message]).toHaveLength(300)
    expect(message.endsWith('\u{1f600}…')).toBe(true)
    const exact = 'x y '.repeat(75).trim()
    expect(classify({ status: 418, body: { message: exact } })?.message).toBe(exact)
  })

  it('never holds the part of a key that the cut would leave', () => {
    const body = { message: `${'x '.repeat(140)}sk-proj-${'a1B2'.repeat(40)}` }
    expect(classify({ status: 418, body })?.message).not.toContain('a1B2')
  })
})

describe('hostile bodies', () => {
  const inside = '{"error":{"code":"insufficient_quota","message":"no money"}'

  it('a body that is cut off is still understood', () => {
    const body = `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","details":[{"x":"${'y'.repeat(100_000)}`
    expect(classify({ status: 429, body })).toMatchObject({
      reason: 'billing',
      message: 'You exceeded your current quota',
    })
    for (let length = inside.indexOf('insufficient_quota') + 18; length < inside.length; length += 1) {
      expect(classify({ status: 429, body: inside.slice(0, length) })?.reason).toBe('billing')
    }
  })

  it('nothing beyond the first 64 KiB is looked at', () => {
    const padding = ' '.repeat(65_536)
    expect(classify({ status: 200, body: padding + inside })).toBeUndefined()
    expect(classify({ status: 200, body: new TextEncoder().encode(padding + inside) })).toBeUndefined()
    expect(
      classify({ status: 200, body: `{"a":"${'x'.repeat(10_000_000)}","error":{"message":"x"}}` }),
    ).toBeUndefined()
    expect(classify({ status: 500, body: '\u{1f511}'.repeat(5_000_000) })?.reason).toBe('server_error')
  })

  it.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{"a":'.repeat(100_000)],
    ['closed brackets', '['.repeat(30_000) + ']'.repeat(30_000)],
    ['nested errors', '{"error":'.repeat(100_000)],
    ['an open text', `{"error":{"message":"${'x'.repeat(100_000)}`],
    ['backslashes', `{"error":{"message":"${'\\'.repeat(100_000)}`],
    ['half an escape', '{"error":{"message":"insufficient_quota \\u00'],
    ['commas', `{"error":[${','.repeat(100_000)}`],
    ['quotes', `{${'"'.repeat(100_000)}`],
    ['lone surrogates', '{"error":{"message":"\\ud800"}'],
    ['tags', '<title '.repeat(20_000)],
    ['lines', '\n'.repeat(100_000)],
    ['events', 'data:\n\n'.repeat(20_000)],
    ['a bomb of colons', ':'.repeat(100_000)],
    ['numbers', `{"error":${'9'.repeat(100_000)}`],
  ])('%s', { timeout: 30_000 }, (_name, body) => {
    for (const status of [200, 400, 429, 500]) expect(() => classify({ status, body })).not.toThrow()
    expect(classify({ status: 429, body })).toBeDefined()
  })

  it('keys of prototypes are no fields', () => {
    const polluted = '{"__proto__":{"error":{"code":"insufficient_quota"}},"constructor":{"error":"x"}}'
    expect(classify({ status: 200, body: polluted })).toBeUndefined()
    expect(classify({ status: 200, body: `${polluted.slice(0, -1)},"a":` })).toBeUndefined()
    expect(classify({ status: 200, body: JSON.parse(polluted) })).toBeUndefined()
    expect(
      classify({ status: 200, body: Object.create({ error: { code: 'insufficient_quota' } }) }),
    ).toBeUndefined()
  })

  it('objects that throw when looked at', () => {
    const trap = () => {
      throw new Error('no')
    }
    const hostile = new Proxy({}, { get: trap, has: trap, ownKeys: trap, getOwnPropertyDescriptor: trap })
    const body = Object.defineProperty({}, 'error', { enumerable: true, get: trap })
    expect(classify({ status: 429, body: hostile, headers: hostile })?.reason).toBe('rate_limit')
    expect(classify({ status: 429, body })?.reason).toBe('rate_limit')
  })

  it('gives a verdict or none for anything', () => {
    const anything = fc.anything({
      withNullPrototype: true,
      withBigInt: true,
      withTypedArray: true,
      withMap: true,
    })
    const body = fc.oneof(
      anything,
      fc.string({ unit: 'binary' }),
      fc.uint8Array(),
      fc.json(),
      fc.json().map((text) => text.slice(0, text.length / 2)),
      fc.json().map((text) => `data: {"error":${text}}\n\n`),
      fc.record({
        error: fc.oneof(
          anything,
          fc.record({ message: anything, code: anything, details: anything, metadata: anything }),
        ),
        message: anything,
        base_resp: fc.record({ status_code: anything }),
      }),
    )
    const headers = fc.oneof(
      anything,
      fc.dictionary(
        fc.constantFrom(
          'retry-after',
          'retry-after-ms',
          'x-ratelimit-remaining-requests',
          'x-ratelimit-reset-requests',
        ),
        fc.oneof(fc.string(), fc.array(fc.string()), fc.double().map(String)),
      ),
    )
    const providers = fc.constantFrom(
      'openai',
      'anthropic',
      'gemini',
      'qwen',
      'minimax',
      'openrouter',
      'custom',
    )
    fc.assert(
      fc.property(
        providers,
        fc.integer({ min: 0, max: 1000 }),
        headers,
        body,
        (provider, status, given, content) => {
          const verdict = classifyResponse({
            provider,
            status,
            headers: given as Record<string, string>,
            body: content,
            now,
          })
          if (verdict === undefined) return
          expect(FAILURE_REASONS).toContain(verdict.reason)
          expect(verdict.message).toMatch(/^[^\p{Cc}]{1,300}$/u)
          const wait = verdict.retryAfterMs
          if (wait !== undefined) expect(wait > 0 && wait <= 86_400_000 && Number.isInteger(wait)).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
