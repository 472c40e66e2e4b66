import { beforeEach, expect, test, vi } from 'vitest'
import { discover } from './discovery.js'

const { document } = vi.hoisted(() => ({ document: { body: '' } }))
vi.mock('./http.js', () => ({
  sendOnce: async () => ({ status: 200, headers: {}, body: document.body, complete: true }),
}))

const ISSUER = 'https://issuer.example'
const PLACES = [
  'authorization_endpoint',
  'token_endpoint',
  'device_authorization_endpoint',
  'revocation_endpoint',
  'userinfo_endpoint',
]
const say = (fields: object): void => {
  document.body = JSON.stringify({ issuer: ISSUER, ...fields })
}
beforeEach(() => say({}))

test.each(
  PLACES.flatMap((place) =>
    ['http://127.0.0.1:8200/', 'https://127.0.0.1/', 'http://localhost:1/x', 'http://[::1]:9/'].map(
      (url) => [place, url] as const,
    ),
  ),
)('an issuer elsewhere sends nothing to this machine: %s at %s', async (place, url) => {
  say({ [place]: url })
  await expect(discover(ISSUER)).rejects.toMatchObject({
    code: 'invalid_provider',
    message: expect.stringContaining(place),
  })
})

test('it may name other hosts, over https', async () => {
  say({ token_endpoint: 'https://tokens.example/t' })
  expect(await discover(ISSUER)).toMatchObject({ tokenEndpoint: 'https://tokens.example/t' })
})
