import { describe, expect, test } from 'vitest'
import { chooseProxy, type Environment, type ProxySettings, readProxyEnvironment } from './choice.js'

const OPENAI = 'https://api.openai.com'

function chosen(env: Environment, settings: ProxySettings = {}, url: string = OPENAI): string | undefined {
  return chooseProxy(new URL(url), settings, readProxyEnvironment(env))?.setting
}

describe('the environment', () => {
  test.each([
    [{}, undefined],
    [{ HTTPS_PROXY: 'a' }, 'a'],
    [{ HTTPS_PROXY: 'a', https_proxy: 'b' }, 'b'],
    [{ HTTPS_PROXY: 'a', https_proxy: '' }, 'a'],
    [{ HTTPS_PROXY: ' a ' }, 'a'],
    [{ ALL_PROXY: 'a' }, 'a'],
    [{ ALL_PROXY: 'a', all_proxy: 'b' }, 'b'],
    [{ HTTPS_PROXY: 'a', all_proxy: 'b', http_proxy: 'c' }, 'a'],
    [{ ALL_PROXY: 'a', http_proxy: 'c', HTTP_PROXY: 'd' }, 'a'],
    [{ HTTP_PROXY: 'd' }, 'd'],
    [{ HTTP_PROXY: 'd', http_proxy: 'c' }, 'c'],
    [{ HTTP_PROXY: 'd', REQUEST_METHOD: 'GET' }, undefined],
    [{ HTTP_PROXY: 'd', GATEWAY_INTERFACE: 'CGI/1.1' }, undefined],
    [{ HTTP_PROXY: 'd', http_proxy: 'c', REQUEST_METHOD: 'GET' }, 'c'],
    [{ HTTPS_PROXY: 'a', NO_PROXY: 'openai.com' }, undefined],
    [{ HTTPS_PROXY: 'a', NO_PROXY: 'openai.com', no_proxy: 'x.example' }, 'a'],
    [{ HTTPS_PROXY: 'a', NO_PROXY: 'openai.com', no_proxy: '' }, undefined],
    [{ HTTPS_PROXY: 'a', NO_PROXY: 'openai.com:8443' }, 'a'],
  ] as const)('%j', (env, expected) => {
    expect(chosen(env)).toBe(expected)
  })
})

describe('the most specific word counts', () => {
  const env = { HTTPS_PROXY: 'environment', NO_PROXY: 'exempt.example' }

  test.each([
    [{ profile: 'p', provider: 'q', general: 'g' }, OPENAI, 'p'],
    [{ provider: 'q', general: 'g' }, OPENAI, 'q'],
    [{ general: 'g' }, OPENAI, 'g'],
    [{ general: 'none' }, OPENAI, 'none'],
    [{ profile: 'none', provider: 'q' }, OPENAI, 'none'],
    [{}, 'https://exempt.example', undefined],
    [{ general: 'g' }, 'https://exempt.example', undefined],
    [{ provider: 'q' }, 'https://exempt.example', 'q'],
    [{ profile: 'p' }, 'https://exempt.example', 'p'],
  ])('%j %s', (settings, url, expected) => {
    expect(chosen(env, settings, url)).toBe(expected)
  })

  test.each(['http://127.0.0.1:1', 'http://127.8.8.8', 'https://localhost:2', 'http://[::1]:3'])(
    'this machine itself is reached through none but a profile of its own: %s',
    (url) => {
      expect(chosen(env, { provider: 'q', general: 'g' }, url)).toBeUndefined()
      expect(chosen(env, { profile: 'p' }, url)).toBe('p')
    },
  )
})
