import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readNoProxy } from './no-proxy.js'

describe('NO_PROXY', () => {
  test.each([
    ['api.openai.com', 'api.openai.com', 443],
    ['openai.com', 'api.openai.com', 443],
    ['.openai.com', 'api.openai.com', 443],
    ['.openai.com', 'openai.com', 443],
    ['*.openai.com', 'api.openai.com', 443],
    ['OpenAI.COM', 'API.openai.com', 443],
    ['openai.com.', 'api.openai.com', 443],
    ['openai.com', 'api.openai.com.', 443],
    ['a.example, api.openai.com', 'api.openai.com', 443],
    ['a.example api.openai.com', 'api.openai.com', 443],
    [',,,openai.com,,', 'openai.com', 443],
    ['*', 'anything.example', 443],
    ['a.example,*', 'anything.example', 443],
    ['openai.com:443', 'api.openai.com', 443],
    ['10.0.0.0/8', '10.1.2.3', 443],
    ['10.1.2.3', '10.1.2.3', 443],
    ['10.1.2.3:8443', '10.1.2.3', 8443],
    ['fd00::/8', '[fd12:3456::1]', 443],
    ['fd12:3456::1', '[fd12:3456::1]', 443],
    ['[fd12:3456:0::1]', '[fd12:3456::1]', 443],
    ['[fd12:3456::1]:8443', '[fd12:3456::1]', 8443],
    ['192.168.1.0/24', '192.168.1.77', 443],
    ['0.0.0.0/0', '8.8.8.8', 443],
  ])('%s exempts %s:%i', (list, host, port) => {
    expect(readNoProxy(list)(host, port)).toBe(true)
  })

  test.each([
    ['', 'api.openai.com', 443],
    ['openai.com', 'notopenai.com', 443],
    ['openai.com', 'openai.com.evil.example', 443],
    ['api.openai.com', 'openai.com', 443],
    ['openai.com:8443', 'api.openai.com', 443],
    ['api.*.com', 'api.openai.com', 443],
    ['.', 'api.openai.com', 443],
    ['*.', 'api.openai.com', 443],
    ['10.0.0.0/8', '11.1.2.3', 443],
    ['10.0.0.0/33', '10.0.0.1', 443],
    ['10.1.2.3:8443', '10.1.2.3', 443],
    ['2.3', '10.1.2.3', 443],
    ['1.2.3', '10.1.2.3', 443],
    ['fd00::/8', '[fe80::1]', 443],
    ['fd00::/129', '[fd00::1]', 443],
    ['[fd12::1]:8443', '[fd12::1]', 443],
    ['10.0.0.0/8', 'ten.example', 443],
    ['http://openai.com', 'api.openai.com', 443],
  ])('%j does not exempt %s:%i', (list, host, port) => {
    expect(readNoProxy(list)(host, port)).toBe(false)
  })

  test('reads anything', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 200 }),
        fc.oneof(fc.domain(), fc.ipV4(), fc.string()),
        (list, host) => {
          expect(typeof readNoProxy(list)(host, 443)).toBe('boolean')
        },
      ),
    )
    const long = `${'a'.repeat(100_000)},${'1.'.repeat(100_000)},${':'.repeat(100_000)}`
    expect(readNoProxy(long)('a.example', 443)).toBe(false)
  })
})
