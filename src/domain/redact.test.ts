import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { looksLikeSecret, redactSecrets } from './redact.js'

/** Invented keys in the shapes their issuers use. */
const KEYS = [
  'sk-abc123DEF456',
  'sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH',
  'sk-ant-api03-Zm9vYmFy_Zm9vYmFy-AA',
  'sk-or-v1-0011223344556677889900aabbccddeeff',
  'gsk_0123456789abcdefABCDEF',
  'AIzaSyA0123456789abcdefghijklmnopqrstuv',
  'ya29.a0AfH6SMBx-0123456789',
  '1//0gabcdefghijklmnopqrstuvwxyz012345',
  'GOCSPX-0123456789abcdef',
  'xai-0123456789abcdefghij',
  'ghu_0123456789abcdefghij',
  'ghp_0123456789abcdefghij',
  'github_pat_11AAAA0123456789',
  'hf_abcdefghijklmnop0123',
  'r8_abcdefghijklmnop0123',
  'pplx-0123456789abcdef0123',
  'co-0123456789abcdef0123',
  'AKIAIOSFODNN7EXAMPLE',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
  '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b',
  'dGhpcyBpcyBub3QgYSBzZWNyZXQsIGJ1dCA0Mg/Qq7+Zz0Yx1',
]

/** What messages and command lines are full of and nobody need hide. */
const HARMLESS = [
  'gpt-4o-mini-2024-07-18',
  'claude-sonnet-4-20250514',
  'meta-llama/Llama-3.3-70B-Instruct-Turbo-Free',
  'Qwen/Qwen3-235B-A22B-Instruct-2507-FP8',
  'accounts/fireworks/models/llama-v3p1-405b-instruct',
  'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
  '/home/user/projects/keymux/src/providers/registry',
  'C:\\Users\\me\\AppData\\Local\\keymux\\vault.db',
  'https://platform.openai.com/account/rate-limits/organization',
  'openai:work',
  'anthropic:me@example.com',
  'someone.with-a-long-name+tag@mail.example-company.com',
  '550e8400-e29b-41d4-a716-446655440000',
  'github-copilot',
  'hf_hub_download',
  'task-force-management-system-of-the-year',
  'co-administration',
  'pplx-70b-online',
  'MY_COMPANY_INTERNAL_OPENAI_API_KEY_NAME',
  'keymux-backup-2026-11-23-before-the-upgrade.age',
]

describe('redactSecrets', () => {
  it.each(KEYS)('%s', (key) => {
    expect(redactSecrets(`wrong key: ${key}, sorry`)).toBe('wrong key: [redacted], sorry')
    expect(redactSecrets(`{"given":"${key}"}`)).toBe('{"given":"[redacted]"}')
  })

  it.each(HARMLESS)('leaves %s', (text) => {
    expect(redactSecrets(`about ${text} now`)).toBe(`about ${text} now`)
  })

  it.each([
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [redacted]'],
    ['authorization: Basic dXNlcjpwYXNz', 'authorization: Basic [redacted]'],
    ['GET /v1/models?key=topsecret&alt=sse', 'GET /v1/models?key=[redacted]&alt=sse'],
    ['https://h/cb?code=4/abc&state=1', 'https://h/cb?code=[redacted]&state=1'],
    ['{"api_key":"hunter22","n":1}', '{"api_key":"[redacted]","n":1}'],
    ['body: {\\"refresh_token\\": \\"r3fr3sh\\"}', 'body: {\\"refresh_token\\": \\"[redacted]\\"}'],
    ['client_secret=abcdef&grant_type=x', 'client_secret=[redacted]&grant_type=x'],
    ['postgres://me:hunter2@db.example/keys', 'postgres://me:[redacted]@db.example/keys'],
  ])('%s', (text, expected) => {
    expect(redactSecrets(text)).toBe(expected)
  })

  it.each([
    'invalid_api_key: Incorrect API key provided',
    'OAuth bearer token expired',
    'api_key: required',
    'max_tokens: 4096 is too many tokens: 5000',
    'Basic authentication is not allowed',
  ])('leaves the sentence %s', (text) => {
    expect(redactSecrets(text)).toBe(text)
  })

  it('leaves a UUID, also inside a longer id', () => {
    const text = 'request msg_550e8400-e29b-41d4-a716-446655440000 failed'
    expect(redactSecrets(text)).toBe(text)
  })

  it('redacts a hash inside a path, not the path', () => {
    const hash = '9f86d081884c7d659a2feaa0c55ad015'
    expect(redactSecrets(`/var/lib/some/very/long/and/boring/folder/of/things/${hash}/data`)).toBe(
      '/var/lib/some/very/long/and/boring/folder/of/things/[redacted]/data',
    )
  })
})

describe('known secrets', () => {
  const secret = 'pa ss/wörd"+&=?!'

  it.each([
    ['as it is', secret],
    ['URL-encoded', encodeURIComponent(secret)],
    ['URL-encoded in lower case', encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())],
    ['as a form field', new URLSearchParams({ k: secret }).toString().slice(2)],
    ['JSON-escaped', JSON.stringify(secret).slice(1, -1)],
  ])('%s', (_form, text) => {
    expect(redactSecrets(`<${text}>`, [secret])).toBe('<[redacted]>')
  })

  it.each(['base64', 'base64url'] as const)(
    'in %s, alone and behind a user name of any length',
    (encoding) => {
      for (const user of ['', 'u', 'us', 'use', 'user']) {
        const encoded = Buffer.from(user === '' ? secret : `${user}:${secret}`).toString(encoding)
        const text = redactSecrets(`<${encoded}>`, [secret])
        expect(text).toContain('[redacted]')
        // Only characters that belong to the user name, or to the last byte, may be left.
        expect(text.replace('[redacted]', '').length).toBeLessThan(14)
      }
    },
  )

  it('one that is part of another leaves no rest', () => {
    expect(redactSecrets('abcd-efgh', ['abcd', 'abcd-efgh'])).toBe('[redacted]')
  })

  it('short ones, empty ones and ones with white space around do no harm', () => {
    expect(redactSecrets('a bad thing', ['', 'a', ' ', '\n'])).toBe('a bad thing')
    expect(redactSecrets('it was hunter2.', ['hunter2\n'])).toBe('it was [redacted].')
    expect(redactSecrets('lone \ud800abc!', ['\ud800abc'])).toBe('lone [redacted]!')
  })

  it('no trace of a known secret is left in any text', () => {
    const secrets = fc
      .string({ minLength: 4, maxLength: 40, unit: 'binary' })
      .filter((s) => s.trim().length >= 4)
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (one, before, after) => {
        fc.pre(!'[redacted]'.includes(one.trim()))
        const text = redactSecrets(`${before}${one}${after}`, [one])
        expect(text.split('[redacted]').every((part) => !part.includes(one.trim()))).toBe(true)
      }),
    )
  })
})

describe('hostile input', () => {
  it.each([
    ['sk-', 'sk-'.repeat(200_000)],
    ['eyJ', 'eyJ'.repeat(200_000)],
    ['dots', 'eyJabcdefgh.'.repeat(50_000)],
    ['authorization', 'authorization:'.repeat(50_000)],
    ['bearer', 'bearer '.repeat(100_000)],
    ['spaces', `token${' '.repeat(600_000)}=`],
    ['query', '?key='.repeat(100_000)],
    ['slashes', '://'.repeat(200_000)],
    ['dashes', '-'.repeat(600_000)],
    ['letters', 'a'.repeat(600_000)],
    ['hexadecimal', '0a'.repeat(300_000)],
    ['UUID beginnings', '01234567-'.repeat(60_000)],
  ])('%s takes linear time', { timeout: 30_000 }, (_name, text) => {
    expect(typeof redactSecrets(text, ['known-secret'])).toBe('string')
    expect(typeof looksLikeSecret(text)).toBe('boolean')
  })

  it('a secret of a megabyte', () => {
    const secret = 'x1'.repeat(524_288)
    expect(redactSecrets(`it was ${secret}!`, [secret])).toBe('it was [redacted]!')
  })

  it('gives a text for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof redactSecrets(text) === 'string'))
  })
})

describe('looksLikeSecret', () => {
  it.each([...KEYS, 'Bearer abc', ' sk-abc123DEF456 ', 'openai:sk-abc123DEF456', 'sk-notadigitinhere'])(
    '%s',
    (argument) => {
      expect(looksLikeSecret(argument)).toBe(true)
    },
  )

  it.each([
    ...HARMLESS,
    '',
    '-',
    'sk-ip',
    'default',
    'list',
    '--stdin',
    'llama-3.3-70b-versatile',
    'mistral:550e8400-e29b-41d4-a716-446655440000',
    'corp:a-very-long-profile-name-for-the-2nd-team-in-building-42',
    './test/vectors/imports/claude-code/credentials.json',
    'antidisestablishmentarianismantidisestablishmentarianism',
    '00000000000000000000000000000000',
  ])('not %s', (argument) => {
    expect(looksLikeSecret(argument)).toBe(false)
  })
})
