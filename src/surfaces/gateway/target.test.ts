import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyParameters, parseTarget } from './target.js'

describe('request targets', () => {
  test.each([
    ['/openai/chat/completions', { provider: 'openai', path: '/chat/completions', query: '' }],
    ['/openai:work/models?limit=2', { provider: 'openai', name: 'work', path: '/models', query: '?limit=2' }],
    ['/OpenAI:Work/x', { provider: 'openai', name: 'Work', path: '/x', query: '' }],
    ['/openai:me%40example.com/x', { provider: 'openai', name: 'me@example.com', path: '/x', query: '' }],
    ['/openai%3Awork/x', { provider: 'openai', name: 'work', path: '/x', query: '' }],
    ['/openai', { provider: 'openai', path: '', query: '' }],
    ['/openai/', { provider: 'openai', path: '/', query: '' }],
    ['/openai//v1', { provider: 'openai', path: '//v1', query: '' }],
    [
      '/gemini/v1beta/models/gemini-2.5-pro:generateContent',
      {
        provider: 'gemini',
        path: '/v1beta/models/gemini-2.5-pro:generateContent',
        query: '',
      },
    ],
    ['/openrouter/models/meta%2Fllama', { provider: 'openrouter', path: '/models/meta%2Fllama', query: '' }],
    ['/openai/files/...', { provider: 'openai', path: '/files/...', query: '' }],
    ['/openai/.well-known/x', { provider: 'openai', path: '/.well-known/x', query: '' }],
  ])('%s names a provider and what to ask it for', (raw, expected) => {
    expect(parseTarget(raw)).toEqual({ kind: 'provider', ...expected })
  })

  test.each([
    ['/@fast/chat/completions', { kind: 'chain', chain: 'fast', path: '/chat/completions', query: '' }],
    ['/%40fast/x', { kind: 'chain', chain: 'fast', path: '/x', query: '' }],
    ['/api/profiles?provider=openai', { kind: 'api', path: '/profiles', query: '?provider=openai' }],
    ['/healthz', { kind: 'healthz' }],
    ['/readyz?verbose', { kind: 'readyz' }],
    ['/metrics', { kind: 'metrics' }],
    ['/', { kind: 'root' }],
  ])('%s is a place of the gateway itself', (raw, expected) => {
    expect(parseTarget(raw)).toEqual(expected)
  })

  test.each([
    'http://127.0.0.1:7878/openai/models',
    'https://example.com/',
    '*',
    'example.com:443',
    '',
    '//openai/models',
    '/openai/../anthropic/v1/messages',
    '/openai/..',
    '/openai/.',
    '/openai/./x',
    '/../openai/x',
    '/openai/%2e%2e/x',
    '/openai/%2E./x',
    '/openai/.%2e',
    '/openai/%252e%252e/x',
    '/openai/%25252e%25252e/x',
    '/openai/..%2fx',
    '/openai/x%2f..%2fy',
    '/openai/..%5cx',
    '/openai/..\\x',
    '/openai/..;/x',
    '/openai%2f..%2fanthropic/x',
    '/openai/%ff..',
    '/openai/%zz',
    '/openai/x#y',
    '/openai/x y',
    '/openai/\u00e9',
    '/openai/x\r\nHost: evil',
    '/open ai/x',
    '/:work/x',
    '/openai:/x',
    '/openai:a%00b/x',
    '/@/x',
    '/@FA ST/x',
    `/${'a'.repeat(65)}/x`,
  ])('%j is refused', (raw) => {
    expect(parseTarget(raw)).toMatchObject({ kind: 'bad', refusal: { status: 400, code: 'keymux_bad_path' } })
  })

  test.each([
    ['?key=secret', ''],
    ['?alt=sse&key=secret', '?alt=sse'],
    ['?key=secret&alt=sse', '?alt=sse'],
    ['?%6bey=secret&a=%zz', '?a=%zz'],
    ['?KEY=secret', ''],
    ['?monkey=1&keys=2', '?monkey=1&keys=2'],
    ['?a=b%20c', '?a=b%20c'],
  ])('the query %s goes upstream as %j', (query, expected) => {
    expect(parseTarget(`/gemini/x${query}`)).toMatchObject({ query: expected })
  })

  test('whatever comes, it is read without a throw and no dot segment goes upstream', () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      ';',
      'a',
      '%25',
      '%',
      ':',
      '@',
      '?',
      '#',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((parts) => `/openai/${parts.join('')}`),
          fc.string(),
        ),
        (raw) => {
          const target = parseTarget(raw)
          if (target.kind !== 'provider') return
          const url = new URL(`https://host/base${target.path}`)
          expect(url.host).toBe('host')
          expect(url.pathname.startsWith('/base')).toBe(true)
        },
      ),
    )
  })

  test('key parameters are found', () => {
    expect(keyParameters('/gemini/x?alt=sse&key=a%2Bb&key=c')).toEqual(['a+b', 'c'])
    expect(keyParameters('/gemini/key=x')).toEqual([])
  })
})
