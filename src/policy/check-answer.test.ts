import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CheckAnswer, readCheck, readProof } from './check-answer.js'

const NOW = new Date('2026-01-01T00:00:00Z')

function answer(status: number, body: unknown, more: Partial<CheckAnswer> = {}): CheckAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'text/html' : 'application/json'
  return {
    provider: 'openai',
    status,
    headers: { 'content-type': type },
    body: Buffer.from(text),
    whole: true,
    now: NOW,
    ...more,
  }
}

const openai = (message: string, code: string | null = null, type = 'invalid_request_error'): unknown => ({
  error: { message, type, code, param: null },
})
const INVALID = openai('Incorrect API key provided: sk-x.', 'invalid_api_key')
const GEMINI_INVALID = {
  error: {
    code: 400,
    message: 'API key not valid. Please pass a valid API key.',
    status: 'INVALID_ARGUMENT',
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'API_KEY_INVALID',
        domain: 'googleapis.com',
      },
    ],
  },
}
const ANTHROPIC_INVALID = {
  type: 'error',
  error: { type: 'authentication_error', message: 'invalid x-api-key' },
}
const SCOPES = openai('You have insufficient permissions for this operation. Missing scopes: api.model.read')

describe('an answer to a check', () => {
  test.each([
    ['openai', answer(401, INVALID)],
    ['openai', answer(401, openai('Your account is deactivated', 'account_deactivated'))],
    ['gemini', answer(400, GEMINI_INVALID, { provider: 'gemini', family: 'gemini' })],
    ['anthropic', answer(401, ANTHROPIC_INVALID, { provider: 'anthropic', family: 'anthropic' })],
    ['cohere', answer(200, { valid: false }, { provider: 'cohere' })],
  ])('refuses by what %s documents', (_provider, given) => {
    expect(readCheck(given).said).toBe('refused')
  })

  test.each([
    ['a list of models', answer(200, { object: 'list', data: [] })],
    ['a list alone', answer(200, [])],
    ['Cohere’s', answer(200, { valid: true, organization_id: 'o' }, { provider: 'cohere' })],
    [
      'a list that is too long to be read',
      answer(200, {}, { body: Buffer.from('{"data":[{"id":"m'), whole: false }),
    ],
  ])('is good as %s', (_what, given) => {
    expect(readCheck(given).said).toBe('valid')
  })

  test.each([
    ['missing scopes', answer(401, SCOPES)],
    ['a bare 401', answer(401, { message: 'Unauthorized' })],
    ['words alone', answer(401, openai('Invalid API key, it was revoked'))],
    ['a 403', answer(403, openai('forbidden'))],
    [
      'a country',
      answer(403, openai('Country not supported, request disabled', 'unsupported_country_region_territory')),
    ],
    ['a service that is off', answer(403, openai('service disabled', 'service_disabled'))],
    ['a 404', answer(404, openai('no such route'))],
    ['a limit', answer(429, openai('slow down', 'rate_limit_exceeded'))],
    ['no money', answer(402, openai('pay', 'insufficient_quota'))],
    ['a broken server', answer(500, openai('oops'))],
    ['a redirect', answer(302, '')],
    ['a page', answer(200, '<html><title>Sign in</title></html>')],
    ['a page called JSON', answer(200, '<html></html>', { headers: { 'content-type': 'application/json' } })],
    ['an error in a 200', answer(200, INVALID)],
    ['an empty body', answer(200, '')],
    ['no content', answer(204, '')],
    ['broken JSON', answer(200, '{"data":[')],
    ['endless nesting', answer(200, '['.repeat(10_000))],
    ['a long page', answer(200, '<', { whole: false })],
    ['long text', answer(200, '[', { whole: false })],
  ])('says nothing with %s', (_what, given) => {
    expect(readCheck(given).said).toBe('unasked')
  })

  test('is refused by a rule of the owner', () => {
    const rules = [{ provider: 'corp', status: 403, message: 'gone', reason: 'auth_permanent' }] as const
    expect(readCheck(answer(403, { message: 'gone' }, { provider: 'corp', rules })).said).toBe('refused')
  })

  test.each([
    [{ is_available: true, balance_infos: [] }, true],
    [{ is_available: false, balance_infos: [] }, false],
    [{ data: { limit_remaining: 4.9 } }, true],
    [{ data: { limit_remaining: 0 } }, false],
    [{ data: { available_balance: -0.1 } }, false],
    [{ data: { limit_remaining: null } }, undefined],
    [{ data: [] }, undefined],
  ])('tells of money in %j: %s', (body, hasCredit) => {
    expect(readCheck(answer(200, body)).hasCredit).toBe(hasCredit)
  })

  test('of any kind is read without an error, and repeats nothing of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 599 }),
        fc.oneof(fc.string(), fc.json()),
        fc.boolean(),
        (status, body, whole) => {
          const { said, why } = readCheck(answer(status, body, { whole }))
          expect(['valid', 'refused', 'unasked']).toContain(said)
          if (status >= 300) expect(said).not.toBe('valid')
          expect(why.length).toBeLessThan(300)
        },
      ),
    )
  })
})

describe('an answer to a made-up key', () => {
  test.each([
    [answer(401, INVALID), 'refuses'],
    [answer(401, { message: 'Unauthorized' }), 'refuses'],
    [answer(403, openai('forbidden')), 'refuses'],
    [answer(400, GEMINI_INVALID, { provider: 'gemini', family: 'gemini' }), 'refuses'],
    [answer(200, { valid: false }), 'refuses'],
    [answer(200, { object: 'list', data: [] }), 'open'],
    [answer(200, '<html>hello</html>'), 'unclear'],
    [answer(404, openai('no such route')), 'open'],
    [answer(429, openai('slow down')), 'unclear'],
    [answer(503, openai('busy')), 'unclear'],
    [answer(403, '<html><title>Attention Required! | Cloudflare</title></html>'), 'unclear'],
  ])('%#: %j', (given, proof) => {
    expect(readProof(given)).toBe(proof)
  })
})
