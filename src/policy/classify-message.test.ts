import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import { FAILURE_REASONS, type FailureReason } from '../domain/usage.js'
import { classifyFailure, classifyFailureMessage } from './classify-message.js'

interface MessageVector {
  readonly message: string
  readonly expect: FailureReason
}

const { vectors }: { vectors: MessageVector[] } = JSON.parse(
  readFileSync(new URL('../../test/vectors/failure-messages.json', import.meta.url), 'utf8'),
)

describe('classifyFailureMessage', () => {
  it.each(vectors)('"$message" is $expect', ({ message, expect: reason }) => {
    expect(classifyFailureMessage(message)).toBe(reason)
  })

  it.each(vectors)('"$message" is $expect in any case and surroundings', ({ message, expect: reason }) => {
    expect(classifyFailureMessage(message.toUpperCase())).toBe(reason)
    expect(classifyFailureMessage(`  ${message}\n`)).toBe(reason)
    expect(classifyFailureMessage(`Error: ${message}`)).toBe(reason)
  })

  it.each<[string, FailureReason]>([
    // A rate limit that advertises paying is still a rate limit.
    [
      'Rate limit reached for requests per min. Please try again in 20s. Visit https://platform.openai.com/account/billing to add a payment method.',
      'rate_limit',
    ],
    [
      'Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests per day',
      'rate_limit',
    ],
    [
      'Need more tokens? Upgrade at https://console.groq.com/settings/billing. Rate limit reached',
      'rate_limit',
    ],
    ['Too many tokens, please wait before trying again.', 'rate_limit'],
    ['Number of request tokens has exceeded your per-minute rate limit', 'rate_limit'],
    ['ThrottlingException: request was throttled', 'rate_limit'],
    ['Request failed with status code 429', 'rate_limit'],
    ['HTTP/1.1 429', 'rate_limit'],
    ['429 {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', 'rate_limit'],
    ['{"error":{"code":429}}', 'rate_limit'],
    ['You have reached your specified API usage limits. You will regain access on 2027-01-01.', 'billing'],
    ['Your account is suspended due to insufficient balance', 'billing'],
    ['403 Key limit exceeded. Manage it using https://openrouter.ai/keys', 'billing'],
    [
      'Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 35000.',
      'context_overflow',
    ],
    [
      'This model’s maximum prompt length is 131072 but the request contains 140000 tokens',
      'context_overflow',
    ],
    ['Range of input length should be [1, 30720]', 'context_overflow'],
    ['Project `proj_x` does not have access to model `gpt-4o`', 'model_not_found'],
    ['model gpt-4.1-mini not found', 'model_not_found'],
    [
      '404 {"type":"error","error":{"type":"not_found_error","message":"model: claude-nope"}}',
      'model_not_found',
    ],
    ['This model works. API key not found.', 'auth'],
    ['Error 401: user is not authorized to do this', 'auth_permanent'],
    ['Access denied: token expired', 'session_expired'],
    ['403 Forbidden: invalid api key', 'auth'],
    ['Unexpected token < in JSON at position 0', 'unknown'],
    ['invalid token count', 'unknown'],
    ['TypeError: fetch failed', 'timeout'],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
    ['connect ECONNREFUSED 127.0.0.1:9', 'timeout'],
    ['502 Bad Gateway', 'server_error'],
    ['504 Gateway Timeout', 'timeout'],
    ['status=413', 'context_overflow'],
    ['order 66 of 4290 items', 'unknown'],
    ['status 4290', 'unknown'],
    ['errorcode4291', 'unknown'],
    ['unlimited payments', 'unknown'],
    ['the dashboard forbiddenness', 'unknown'],
  ])('"%s" is %s', (message, reason) => {
    expect(classifyFailureMessage(message)).toBe(reason)
  })

  it('looks at the first 64 KiB alone', () => {
    expect(classifyFailureMessage(`${'x '.repeat(32_768)}rate limit`)).toBe('unknown')
    expect(classifyFailureMessage(`rate limit ${'x '.repeat(5_000_000)}`)).toBe('rate_limit')
  })

  it.each([
    ['models', 'model '.repeat(11_000)],
    ['deployments', 'deployment '.repeat(6_000)],
    ['exceeds', 'exceed '.repeat(9_000)],
    ['trial keys', 'trial key '.repeat(6_000)],
    ['spaces', ' '.repeat(65_536)],
    ['underscores', 'a_'.repeat(32_768)],
    ['dots', 'a.'.repeat(32_768)],
    ['capitals', 'aB'.repeat(32_768)],
    ['URLs', 'https://'.repeat(8_192)],
    ['digits', '4'.repeat(65_536)],
    ['statuses', 'status code: '.repeat(5_000)],
    ['locations', 'location '.repeat(7_000)],
  ])('%s take linear time', { timeout: 30_000 }, (_name, message) => {
    expect(FAILURE_REASONS).toContain(classifyFailureMessage(message))
  })

  it('gives a reason for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        expect(FAILURE_REASONS).toContain(classifyFailureMessage(message))
      }),
    )
  })
})

/** An error with more fields, as SDKs make them. */
function failing(message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), fields)
}

describe('classifyFailure', () => {
  it.each<[string, unknown, FailureReason]>([
    ['a text', 'rate limit exceeded', 'rate_limit'],
    ['an error', new Error('402 Payment Required'), 'billing'],
    ['a code of Node', failing('connect failed', { code: 'ETIMEDOUT' }), 'timeout'],
    ['a code of undici', failing('x', { code: 'UND_ERR_SOCKET' }), 'timeout'],
    ['a time-out of AbortSignal', new DOMException('x', 'TimeoutError'), 'timeout'],
    ['a cause', new TypeError('it broke', { cause: failing('x', { code: 'ECONNRESET' }) }), 'timeout'],
    [
      'one of several',
      new AggregateError([new Error('x'), failing('y', { code: 'ECONNREFUSED' })]),
      'timeout',
    ],
    ['a status', failing('it broke', { status: 429 }), 'rate_limit'],
    [
      'AI SDK',
      failing('x', { statusCode: 400, responseBody: '{"error":{"code":"insufficient_quota"}}' }),
      'billing',
    ],
    ['OpenAI SDK', failing('429 x', { status: 429, error: { type: 'insufficient_quota' } }), 'billing'],
    [
      'Anthropic SDK',
      failing('400 x', {
        status: 400,
        error: { type: 'error', error: { message: 'credit balance is too low' } },
      }),
      'billing',
    ],
    ['Google SDK', failing('x', { code: 503 }), 'overloaded'],
    ['axios', failing('x', { response: { status: 401 } }), 'auth'],
    ['OAuth', failing('the request was refused', { error: 'invalid_grant', status: 400 }), 'session_expired'],
    [
      'a status with the message of a body',
      failing('429 exceeded your current quota', { status: 429 }),
      'billing',
    ],
    ['no status', failing('rate limited', { status: 200 }), 'rate_limit'],
    ['nothing', undefined, 'unknown'],
    ['null', null, 'unknown'],
    ['a number', 429, 'unknown'],
    ['a plain object', { message: 'unauthorized' }, 'auth'],
    ['no message', { message: 42 }, 'unknown'],
  ])('%s', (_name, error, reason) => {
    expect(classifyFailure(error)).toBe(reason)
  })

  it('the caller’s own abort is no failure, whatever its cause', () => {
    const controller = new AbortController()
    controller.abort()
    expect(classifyFailure(controller.signal.reason)).toBe('unknown')
    const abort = new DOMException('This operation was aborted: timeout', 'AbortError')
    expect(classifyFailure(abort)).toBe('unknown')
    expect(classifyFailure(new Error('x', { cause: abort }))).toBe('unknown')
  })

  it('keymux’s own errors say nothing of a credential', () => {
    const reasons = [{ profileId: 'openai:a', state: 'cooling', reason: 'rate_limit' }]
    const nothing = new NoUsableProfileError(
      'openai',
      { attemptedProfiles: [], reasons },
      'rate limit everywhere',
    )
    expect(classifyFailure(nothing)).toBe('unknown')
    expect(classifyFailure(new KeymuxError('vault_locked', 'access denied'))).toBe('unknown')
  })

  it('except those that pass on what a provider said', () => {
    const cause = failing('refused', { error: 'invalid_grant' })
    expect(classifyFailure(new KeymuxError('refresh_failed', 'it did not work', { cause }))).toBe(
      'session_expired',
    )
    expect(classifyFailure(new KeymuxError('provider_unreachable', 'connect ECONNREFUSED'))).toBe('timeout')
  })

  it('chains in a circle, long chains and errors that throw when looked at end somewhere', () => {
    const circle = failing('x')
    Object.assign(circle, { cause: circle, errors: [circle, circle] })
    expect(classifyFailure(circle)).toBe('unknown')
    let long = failing('rate limit')
    for (let depth = 0; depth < 10_000; depth += 1) long = new Error('x', { cause: long })
    expect(classifyFailure(long)).toBe('unknown')
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
      },
    )
    expect(classifyFailure(hostile)).toBe('unknown')
    expect(classifyFailure(new Error('x', { cause: hostile }))).toBe('unknown')
  })

  it('gives a reason for anything', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (error) => {
        expect(FAILURE_REASONS).toContain(classifyFailure(error))
        expect(FAILURE_REASONS).toContain(
          classifyFailure({ status: 400, error, message: error, cause: error }),
        )
      }),
    )
  })
})
