import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseProxySetting, parseProxyUrl, proxyLabel } from './proxy.js'

describe('a proxy URL', () => {
  test.each([
    ['http://proxy.corp:3128', 'http', 'proxy.corp', 3128],
    ['proxy.corp:3128', 'http', 'proxy.corp', 3128],
    ['proxy.corp', 'http', 'proxy.corp', 80],
    ['HTTPS://Proxy.Corp', 'https', 'proxy.corp', 443],
    ['https://proxy.corp:443/', 'https', 'proxy.corp', 443],
    ['https://proxy.corp:80', 'https', 'proxy.corp', 80],
    ['http://proxy.corp:443', 'http', 'proxy.corp', 443],
    ['socks5://proxy.corp', 'socks5', 'proxy.corp', 1080],
    ['socks5h://proxy.corp:443', 'socks5', 'proxy.corp', 443],
    ['http://[::1]:3128', 'http', '[::1]', 3128],
    ['http://[0:0::1]', 'http', '[::1]', 80],
    ['http://münchen.example:1', 'http', 'xn--mnchen-3ya.example', 1],
    ['socks5://münchen.example:1', 'socks5', 'xn--mnchen-3ya.example', 1],
  ] as const)('%s', (text, protocol, host, port) => {
    expect(parseProxyUrl(text)).toEqual({ protocol, host, port })
  })

  test.each([
    ['http://user:pass@h:1', 'user', 'pass'],
    ['http://user@h:1', 'user', ''],
    ['http://:pass@h:1', '', 'pass'],
    ['user:pass@h:1', 'user', 'pass'],
    ['http://us%65r:p%40%3A%2f@h:1', 'user', 'p@:/'],
    ['http://user:p@ss@h:1', 'user', 'p@ss'],
    ['http://user:100%@h:1', 'user', '100%'],
    ['http://üser:pässwort@h:1', 'üser', 'pässwort'],
    ['http://user:a:b:c@h:1', 'user', 'a:b:c'],
  ])('%s has a login', (text, user, password) => {
    const address = parseProxyUrl(text)
    expect(address).toEqual({ protocol: 'http', host: 'h', port: 1, login: { user, password } })
    expect(address && proxyLabel(address)).toBe('h:1')
  })

  test.each([
    '',
    'http://',
    'http://:3128',
    'http://h:0',
    'http://h:00',
    'http://h:65536',
    'http://h:-1',
    'http://h:x',
    'http://h:1/path',
    'http://h:1?query',
    'http://h:1#x',
    'http://h:1\\@other',
    'http://h 1',
    'http://h:1\n',
    'ftp://h:21',
    'socks4://h:1',
    'socks://h:1',
    'file:///etc/passwd',
    'http://user%3Aname:p@h:1',
    'http://us%0d%0aer:p@h:1',
    'http://user:p%00@h:1',
    'http://[fe80',
    '::::',
    'http://user:@',
    `socks5://${'u'.repeat(256)}:p@h:1`,
    `http://${'h'.repeat(3_000)}:1`,
  ])('%j is none', (text) => {
    expect(parseProxyUrl(text)).toBeUndefined()
  })

  test('whatever is read back is the same proxy, and a label never has the login', () => {
    const word = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text))
    const user = word.filter((text) => !text.includes(':'))
    fc.assert(
      fc.property(
        fc.constantFrom('http', 'https', 'socks5'),
        fc.oneof(
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        fc.integer({ min: 1, max: 65_535 }),
        user,
        word,
        (protocol, host, port, name, password) => {
          const login = `${encodeURIComponent(name)}:${encodeURIComponent(password)}`
          const address = parseProxyUrl(`${protocol}://${login}@${host}:${port}`)
          expect(address).toMatchObject({ protocol, port, login: { user: name, password } })
          if (address === undefined) return
          expect(parseProxyUrl(`${protocol}://${proxyLabel(address)}`)).toEqual({
            protocol,
            host: address.host,
            port,
          })
        },
      ),
    )
  })

  test('nothing makes it throw', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 4_000 }), (text) => {
        for (const each of [text, `http://${text}`, `socks5://${text}@h:1`]) {
          parseProxyUrl(each)
          parseProxySetting(each)
        }
      }),
    )
    expect(parseProxyUrl(`http://${'@'.repeat(1_000_000)}`)).toBeUndefined()
  })
})

describe('what an owner writes', () => {
  test.each([
    ['none', 'none'],
    ['direct', 'none'],
    ['NONE', 'none'],
    ['http://proxy.corp:3128/', 'http://proxy.corp:3128'],
    ['HTTPS://Proxy.corp', 'https://proxy.corp:443'],
    ['vault://corp-proxy', 'vault://corp-proxy'],
    ['env://CORP_PROXY', 'env://CORP_PROXY'],
    ['file:///etc/proxy', 'file:///etc/proxy'],
  ])('%s', (text, kept) => {
    expect(parseProxySetting(text)).toBe(kept)
  })

  test.each([
    'http://user:pass@h:1',
    'http://user@h:1',
    'http://@h:1',
    'proxy.corp:3128',
    'vault://',
    'vault://a b',
    'off',
    '',
  ])('%j is refused: a login is a secret', (text) => {
    expect(parseProxySetting(text)).toBeUndefined()
  })
})
