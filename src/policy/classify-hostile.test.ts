import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mostWays } from '../../test/support/regex-ways.js'
import { SCOPES_OF_REASON } from '../domain/failure-rule.js'
import { FAILURE_REASONS, type FailureReason } from '../domain/usage.js'
import { FAMILIES } from './classify-families.js'
import { classifyFailureMessage, explainMessage } from './classify-message.js'
import { type ClassifyInput, classifyResponse } from './classify-response.js'
import { GENERIC_RULES, REASON_OF_CODE } from './classify-rules.js'
import { LONGEST_WINDOW_MS } from './classify-wait.js'
import { LOOKED_AT, wordingPatterns } from './classify-wording.js'

const NOW = new Date('2026-11-28T12:00:00Z')
const OF_ACCOUNT: readonly FailureReason[] = [
  'rate_limit',
  'billing',
  'auth',
  'auth_permanent',
  'session_expired',
]

function reasonOf(body: unknown, status = 429, more: Partial<ClassifyInput> = {}): string | undefined {
  return classifyResponse({ provider: 'corp', status, headers: {}, body, now: NOW, ...more })?.reason
}

describe('whatever comes', () => {
  const bodies = fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withTypedArray: true,
    }),
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.uint8Array({ maxLength: 400 }),
    fc.json().map((one) => one.slice(0, -1)),
    fc.json().map((one) => `data: ${one}\n\n`),
    fc.record({
      error: fc.record({
        message: fc.anything(),
        code: fc.anything(),
        type: fc.anything(),
        details: fc.anything(),
        metadata: fc.anything(),
      }),
    }),
    fc.record({
      base_resp: fc.anything(),
      errors: fc.anything(),
      choices: fc.anything(),
      detail: fc.anything(),
    }),
  )
  const providers = fc.oneof(
    fc.constantFrom(...FAMILIES.flatMap(({ providers: names }) => names)),
    fc.string(),
  )
  const statuses = fc.oneof(
    fc.integer({ min: 100, max: 599 }),
    fc.constantFrom(Number.NaN, -1, 0, 1e9, 200.5),
  )
  const headers = fc.oneof(
    fc.dictionary(
      fc.constantFrom('content-type', 'retry-after', 'x-amzn-errortype', 'cf-mitigated'),
      fc.string(),
    ),
    fc.anything(),
  )

  test('nothing throws, and a verdict is well formed', () => {
    fc.assert(
      fc.property(
        providers,
        statuses,
        headers,
        bodies,
        fc.option(fc.string()),
        (provider, status, fields, body, model) => {
          const input = {
            provider,
            status,
            headers: fields,
            body,
            now: NOW,
            ...(model !== null && { model }),
          }
          const verdict = classifyResponse(input as ClassifyInput)
          if (verdict === undefined) return
          expect(FAILURE_REASONS).toContain(verdict.reason)
          expect([...SCOPES_OF_REASON[verdict.reason], 'request']).toContain(verdict.scope)
          expect(verdict.message.length).toBeLessThanOrEqual(300)
          expect(verdict.message).not.toMatch(/\p{Cc}/u)
          const wait = verdict.retryAfterMs ?? 1
          expect(wait >= 1 && wait <= LONGEST_WINDOW_MS).toBe(true)
        },
      ),
      { numRuns: 400 },
    )
  })

  test('a message alone gives a reason', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (message) => {
        expect(FAILURE_REASONS).toContain(classifyFailureMessage(message))
      }),
    )
  })
})

describe('odd bodies', () => {
  const json = '{"error":{"message":"no money","code":"insufficient_quota"}}'

  test('10,000 levels deep', () => {
    const open = '{"error":'.repeat(10_000)
    expect(reasonOf(`${open}${'}'.repeat(10_000)}`)).toBe('rate_limit')
    expect(reasonOf(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)).toBe('rate_limit')
    expect(reasonOf(`{"error":{"code":"insufficient_quota","details":${'['.repeat(10_000)}`)).toBe('billing')
    let nested: unknown = {}
    for (let depth = 0; depth < 10_000; depth += 1)
      nested = { error: nested, message: nested, details: [nested] }
    expect(reasonOf(nested)).toBe('rate_limit')
    const wrapped = Array.from({ length: 12 }).reduce<string>(
      (inner) => JSON.stringify({ error: { message: inner } }),
      json,
    )
    expect(['rate_limit', 'billing']).toContain(reasonOf(wrapped.slice(0, LOOKED_AT)))
  })

  test.each([
    ['with a byte order mark', Buffer.from(`\ufeff${json}`)],
    ['UTF-16, little endian', Buffer.from(`\ufeff${json}`, 'utf16le')],
    ['UTF-16, big endian', Buffer.from(`\ufeff${json}`, 'utf16le').swap16()],
    ['several lines of JSON', `${json}\n{"error":{"code":"invalid_api_key"}}\n`],
    ['after space', `\r\n\t ${json}`],
    ['a lone surrogate', `{"error":{"message":"\\ud800 \ud800","code":"insufficient_quota"}}`],
    ['NUL', `{"error":{"message":"a\\u0000b","code":"insufficient_quota"}}`],
    ['a stream without an end', `data: ${json}`],
    ['a key that is called __proto__', `{"__proto__":{"error":1},"error":{"code":"insufficient_quota"}}`],
  ])('%s', (_what, body) => {
    expect(reasonOf(body)).toBe('billing')
  })

  test.each([
    'text/event-stream',
    'text/plain',
    'text/html',
    'application/octet-stream',
    '',
    'image/png; charset=x',
  ])('labelled as "%s"', (type) => {
    expect(reasonOf(json, 429, { headers: { 'content-type': type } })).toBe('billing')
  })

  test('cut off at any place, and at 64 KiB', () => {
    for (let end = 0; end <= json.length; end += 1) {
      expect(['rate_limit', 'billing']).toContain(reasonOf(json.slice(0, end)))
    }
    const long = `{"error":{"code":"insufficient_quota","message":"${'x'.repeat(2 * LOOKED_AT)}"}}`
    expect(reasonOf(long)).toBe('billing')
    expect(reasonOf(Buffer.from(long))).toBe('billing')
    const late = `{"padding":"${'x'.repeat(LOOKED_AT)}","error":{"code":"insufficient_quota"}}`
    expect(reasonOf(late)).toBe('rate_limit')
  })
})

describe('a prompt that is echoed', () => {
  const codes = [...REASON_OF_CODE]
    .filter(([, reason]) => OF_ACCOUNT.includes(reason))
    .map(([code]) => code.replaceAll(' ', '_'))
  const outer = fc.constantFrom(400, 404, 405, 409, 413, 415, 422)
  const quoted = fc.record({
    code: fc.constantFrom(...codes),
    type: fc.constantFrom(...codes),
    message: fc.constantFrom('account deactivated', 'insufficient balance', 'x'),
  })

  test('cannot refuse a key, spend money or limit a rate', () => {
    fc.assert(
      fc.property(
        outer,
        quoted,
        fc.constantFrom('Invalid JSON: ', 'Could not parse: ', ''),
        (status, error, before) => {
          const prompt = JSON.stringify({ error })
          const plain = {
            error: { message: `${before}${prompt}`, type: 'invalid_request_error', code: null },
          }
          expect(OF_ACCOUNT).not.toContain(reasonOf(plain, status))
          const twice = { error: { message: `${before}${JSON.stringify({ error: { message: prompt } })}` } }
          expect(OF_ACCOUNT).not.toContain(reasonOf(twice, status))
        },
      ),
    )
  })

  test('is not kept as what the provider said', () => {
    const body = {
      error: {
        message: 'Could not parse: {"error":{"code":"account_deactivated","message":"my secret plan"}}',
      },
    }
    expect(classifyResponse({ provider: 'corp', status: 400, body, now: NOW })?.message).toBe(
      'Could not parse:',
    )
  })
})

describe('patterns take time in proportion to the text', () => {
  const rules = [...FAMILIES.flatMap((family) => family.rules), ...GENERIC_RULES]
  const patterns = [
    ...rules.flatMap(({ words }) => (words === undefined ? [] : [words])),
    ...wordingPatterns(),
  ].map((pattern): [string, RegExp] => [pattern.source.slice(0, 60), pattern])

  // With bounded gaps alone the number of ways to match from one place is a constant.
  test.each(patterns)('%s: no repetition without an end, and few ways', (_title, { source }) => {
    expect(mostWays(source)).toBeLessThan(1_000_000)
  })

  test('the ways of patterns that are known to explode are without number', () => {
    expect(mostWays('(?:a+)+$')).toBe(Number.POSITIVE_INFINITY)
    expect(mostWays('a.*b')).toBe(Number.POSITIVE_INFINITY)
    expect(mostWays('a.{0,40}b.{0,40}c')).toBe(41 * 41)
    expect(mostWays('(?:a|b|c d)')).toBe(3)
  })

  test('64 KiB of what nearly matches are gone through', () => {
    for (const pattern of [...new Set(patterns.map(([, one]) => one))]) {
      const pieces = pattern.source
        .split('|')
        .map((piece) => piece.replace(/[^a-z\u4e00-\u9fff ]+/gi, ' ').slice(0, -1))
      const text = pieces
        .join(' ')
        .repeat(Math.ceil(LOOKED_AT / Math.max(pieces.join(' ').length, 1)))
        .slice(0, LOOKED_AT)
      expect(FAILURE_REASONS).toContain(explainMessage(text).reason)
    }
  })
})
