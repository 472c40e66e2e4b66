import { describe, expect, test } from 'vitest'
import { checkToken, newToken, proofOf, TokenCheck } from './token.js'

const token = newToken()
const check = new TokenCheck(token)

describe('the gateway token', () => {
  test('is 32 random bytes', () => {
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(newToken()).not.toBe(token)
  })

  test.each<[string, Record<string, string>, string]>([
    ['a bearer token', { authorization: `Bearer ${token}` }, '/'],
    ['a bearer token in lower case', { authorization: `bearer  ${token} ` }, '/'],
    ['x-api-key', { 'x-api-key': token }, '/'],
    ['x-goog-api-key', { 'x-goog-api-key': token }, '/'],
    ["Azure's header", { 'api-key': token }, '/'],
    ["ElevenLabs' header", { 'xi-api-key': token }, '/'],
    ["Deepgram's scheme", { authorization: `Token ${token}` }, '/'],
    ['?key=', {}, `/gemini/x?alt=sse&key=${token}`],
    ['a subprotocol', { 'sec-websocket-protocol': `realtime, openai-insecure-api-key.${token}` }, '/'],
    ['one of several', { authorization: 'Bearer other', 'x-api-key': token }, '/'],
  ])('is taken as %s', (_how, headers, url) => expect(check.admits(headers, url)).toBe(true))

  test.each<[string, Record<string, string>, string]>([
    ['nothing', {}, '/'],
    ['an empty one', { authorization: 'Bearer ', 'x-api-key': '' }, '/?key='],
    ['a longer one', { 'x-api-key': `${token}x` }, '/'],
    ['a shorter one', { 'x-api-key': token.slice(1) }, '/'],
    ['another one of the same length', { 'x-api-key': newToken() }, '/'],
    ['as many letters that take more bytes', { 'x-api-key': 'é'.repeat(token.length) }, '/'],
    ['a basic credential', { authorization: `Basic ${token}` }, '/'],
    ['a token in the path', {}, `/key=${token}`],
    ['a subprotocol of its own', { 'sec-websocket-protocol': token }, '/'],
    ['two in one header', { 'x-api-key': `${token}, ${token}` }, '/'],
  ])('is not %s', (_what, headers, url) => expect(check.admits(headers, url)).toBe(false))

  test('can be replaced', () => {
    const changing = new TokenCheck(token)
    changing.set('another-token-of-any-length')
    expect(changing.admits({ 'x-api-key': token }, '/')).toBe(false)
    expect(changing.admits({ 'x-api-key': 'another-token-of-any-length' }, '/')).toBe(true)
  })

  test('is proven without being shown', () => {
    const url = 'http://127.0.0.1:7878'
    expect(check.prove('abc', url)).toBe(proofOf(token, 'abc', url))
    expect(check.prove('abc', url)).not.toBe(proofOf(newToken(), 'abc', url))
    expect(check.prove('abc', url)).not.toBe(proofOf(token, 'abc', 'http://127.0.0.1:7879'))
    expect(check.prove('abc', url)).not.toContain(token)
  })

  test.each([
    '',
    'short',
    'with space in the middle',
    'umlaut-ä-umlaut-ä-umlaut',
    'line\nbreak-in-the-token',
    'x'.repeat(513),
  ])('%j is refused as one', (text) =>
    expect(() => checkToken(text, 'it')).toThrow(expect.objectContaining({ code: 'invalid_secret' })),
  )
})
