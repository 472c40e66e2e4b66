import { expect, test } from 'vitest'
import { aroundProxies } from './gateway.js'

const ALL = '127.0.0.1,localhost,::1'

test.each([
  [{}, {}],
  [{ NO_PROXY: 'a.example' }, {}],
  [{ https_proxy: '' }, {}],
  [{ HTTPS_PROXY: 'http://p:1' }, { NO_PROXY: ALL, no_proxy: ALL }],
  [{ https_proxy: 'http://p:1' }, { NO_PROXY: ALL, no_proxy: ALL }],
  [{ ALL_PROXY: 'http://p:1' }, { NO_PROXY: ALL, no_proxy: ALL }],
  [
    { http_proxy: 'p', NO_PROXY: 'a' },
    { NO_PROXY: `a,${ALL}`, no_proxy: `a,${ALL}` },
  ],
  [
    { http_proxy: 'p', NO_PROXY: 'a', no_proxy: '' },
    { NO_PROXY: `a,${ALL}`, no_proxy: `a,${ALL}` },
  ],
  [
    { http_proxy: 'p', NO_PROXY: 'a b', no_proxy: 'c' },
    { NO_PROXY: `a,b,${ALL}`, no_proxy: `c,${ALL}` },
  ],
  [
    { http_proxy: 'p', NO_PROXY: '*' },
    { NO_PROXY: '*', no_proxy: '*' },
  ],
  [
    { http_proxy: 'p', NO_PROXY: 'localhost,a' },
    { NO_PROXY: 'localhost,a,127.0.0.1,::1', no_proxy: 'localhost,a,127.0.0.1,::1' },
  ],
])('a program reaches the gateway without a proxy: %j', (env, added) => {
  expect(aroundProxies(env)).toEqual(added)
})
