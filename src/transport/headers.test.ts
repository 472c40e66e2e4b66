import { describe, expect, test } from 'vitest'
import type { AuthMode } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { ACCOUNT_HEADERS } from '../providers/account-headers.js'
import { getProvider } from '../providers/registry.js'
import {
  answerHeaders,
  callerHeaders,
  headerValue,
  makingHeaders,
  type SentAs,
  upstreamHeaders,
  without,
} from './headers.js'

function provider(name: string): ProviderMetadata {
  const found = getProvider(name)
  if (found === undefined) throw new Error(name)
  return found
}

function flat(headers: Record<string, string>): string[] {
  return Object.entries(headers).flat()
}

const as = (mode: AuthMode, credential = 'sk'): SentAs => ({ mode, credential, own: {} })

describe('what is sent upstream', () => {
  test('credentials in every manner, cookies and hop-by-hop headers stay behind', () => {
    const kept = callerHeaders(
      flat({
        Authorization: 'Bearer gateway',
        'X-Api-Key': 'gateway',
        'x-goog-api-key': 'gateway',
        'api-key': 'gateway',
        Cookie: 'session=1',
        'Proxy-Authorization': 'Basic x',
        Host: '127.0.0.1:7878',
        Connection: 'keep-alive, X-Private',
        'X-Private': '1',
        'Keep-Alive': 'timeout=5',
        'Transfer-Encoding': 'chunked',
        TE: 'trailers',
        Trailer: 'x',
        Upgrade: 'h2c',
        Expect: '100-continue',
        'Content-Length': '3',
        'X-Keymux-Profile': 'openai:forged',
        'Content-Type': 'application/json',
        'Idempotency-Key': 'abc',
        'OpenAI-Organization': 'org',
      }),
    )
    expect(kept).toEqual([
      'Content-Type',
      'application/json',
      'Idempotency-Key',
      'abc',
      'OpenAI-Organization',
      'org',
    ])
  })

  test('several Connection lines count together, and repeated headers are kept', () => {
    const raw = ['connection', 'close', 'Connection', 'a ,B', 'A', '1', 'b', '2', 'x-y', '1', 'x-y', '2']
    expect(callerHeaders(raw)).toEqual(['x-y', '1', 'x-y', '2'])
  })

  test.each([
    ['gzip, deflate, br, zstd', 'gzip, deflate, br'],
    ['zstd;q=1, gzip;q=0.5', ' gzip;q=0.5'],
    ['zstd', 'identity'],
    ['*', 'identity'],
    ['identity', 'identity'],
  ])('only codings that can be looked into are asked for: %s', (asked, sent) => {
    expect(callerHeaders(['Accept-Encoding', asked])).toEqual(['Accept-Encoding', sent])
  })

  test.each([
    ['openai', 'api_key', { authorization: 'Bearer sk' }],
    ['anthropic', 'api_key', { 'x-api-key': 'sk', 'anthropic-version': '2023-06-01' }],
    ['anthropic', 'oauth', { authorization: 'Bearer sk', 'anthropic-version': '2023-06-01' }],
    ['gemini', 'api_key', { 'x-goog-api-key': 'sk' }],
    ['gemini', 'token', { authorization: 'Bearer sk' }],
  ] as const)('the credential of %s in mode %s', (name, mode, wanted) => {
    expect(upstreamHeaders([], provider(name), as(mode))).toEqual(flat(wanted))
  })

  test('what the caller says himself stands, whatever its case', () => {
    const kept = ['Anthropic-Version', '2024-01-01']
    expect(upstreamHeaders(kept, provider('anthropic'), as('api_key'))).toEqual([...kept, 'x-api-key', 'sk'])
  })

  test("a custom provider's own header takes the place of the caller's", () => {
    const corp: ProviderMetadata = { ...provider('openai'), name: 'corp', auth: 'header:x-corp-key' }
    const headers = upstreamHeaders(['X-Corp-Key', 'mine', 'a', 'b'], corp, as('api_key'))
    expect(headers).toEqual(['a', 'b', 'x-corp-key', 'sk'])
  })

  test('a credential that is no header value is refused', () => {
    expect(() => upstreamHeaders([], provider('openai'), as('api_key', 'a\r\nx: y'))).toThrow(
      expect.objectContaining({ code: 'invalid_secret' }),
    )
  })
})

describe('headers of an account', () => {
  const openai = provider('openai')

  test.each([...ACCOUNT_HEADERS])("%s: another account's is never sent, the profile's own is", (name) => {
    const removed: string[] = []
    const sentAs = (own: Record<string, string>): SentAs => ({
      ...as('api_key'),
      own,
      removed: (header) => removed.push(header),
    })
    const caller = ['a', 'b', name.toUpperCase(), 'of-another']
    expect(upstreamHeaders(caller, openai, sentAs({}))).toEqual(['a', 'b', 'authorization', 'Bearer sk'])
    expect(upstreamHeaders(caller, openai, sentAs({ [name]: 'own' }))).toEqual([
      'a',
      'b',
      'authorization',
      'Bearer sk',
      name,
      'own',
    ])
    expect(removed).toEqual([name, name])
    upstreamHeaders([name, 'own'], openai, sentAs({ [name]: 'own' }))
    expect(removed).toHaveLength(2)
  })

  test('of any name take the place of the caller’s', () => {
    const sentAs = { ...as('api_key'), own: { 'x-team': 'mine' } }
    expect(upstreamHeaders(['X-Team', 'other'], openai, sentAs)).toEqual([
      'authorization',
      'Bearer sk',
      'x-team',
      'mine',
    ])
  })

  const token = 'sk-ant-oat01-invented'
  test.each([
    [[], 'oauth-2025-04-20'],
    [['Anthropic-Beta', 'a-1,b-2'], 'a-1,b-2,oauth-2025-04-20'],
    [['anthropic-beta', 'oauth-2025-04-20, b-2'], 'oauth-2025-04-20, b-2'],
  ] as const)('a subscription’s token needs its beta beside %j', (caller, wanted) => {
    const headers = upstreamHeaders(caller, provider('anthropic'), as('token', token))
    expect(headerValue(headers, 'anthropic-beta')).toBe(wanted)
    const key = upstreamHeaders(caller, provider('anthropic'), as('api_key', token))
    expect(headerValue(key, 'anthropic-beta')).toBe(caller[1])
  })
})

describe('what is passed on', () => {
  test('hop-by-hop headers, cookies and forged marks stay behind; repeated headers are kept', () => {
    const raw = flat({
      Connection: 'keep-alive, x-hop',
      'x-hop': '1',
      'Keep-Alive': 'timeout=5',
      'Transfer-Encoding': 'chunked',
      'Set-Cookie': 'a=b',
      'Alt-Svc': 'h3=":443"',
      'X-Keymux-Profile': 'forged',
      'Content-Type': 'text/plain',
      'Content-Encoding': 'gzip',
      'Content-Length': '5',
    })
    const kept = answerHeaders([...raw, 'Link', 'a', 'Link', 'b'])
    expect(kept).toEqual([
      'Content-Type',
      'text/plain',
      'Content-Encoding',
      'gzip',
      'Content-Length',
      '5',
      'Link',
      'a',
      'Link',
      'b',
    ])
  })

  test('the making of an answer, names encoded as far as a header needs it', () => {
    expect(makingHeaders({ attempts: 2, replayable: false, profileId: 'openai:me@x.com' })).toEqual(
      flat({ 'x-keymux-attempts': '2', 'x-keymux-profile': 'openai:me@x.com', 'x-keymux-replay': 'no' }),
    )
    const [, , , name = ''] = makingHeaders({ attempts: 1, replayable: true, profileId: 'openai:日 本%' })
    expect(name).toMatch(/^[\x21-\x7e]+$/)
    expect(decodeURIComponent(name)).toBe('openai:日 本%')
  })
})

test('headers are found whatever their case', () => {
  expect(headerValue(['A', '1', 'b', '2'], 'b')).toBe('2')
  expect(headerValue(['B', 'a', 'A', 'b'], 'a')).toBe('b')
  expect(headerValue([], 'a')).toBeUndefined()
  expect(without(['A', '1', 'b', 'a', 'a', '2'], 'a')).toEqual(['b', 'a'])
})
