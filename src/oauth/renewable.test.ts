import { describe, expect, test } from 'vitest'
import { corpProvider } from '../../test/support/logins.js'
import { parseCustomProvider } from '../providers/custom.js'
import { defaultRegistry } from '../providers/registry.js'
import { startStubAuthorizationServer } from '../testing/stub-authorization-server.js'
import { ProviderRefresher } from './refresher.js'
import { renewalObstacle } from './renewable.js'

const of = (name: string, clientId?: string) =>
  renewalObstacle(name, defaultRegistry.get(name), clientId)?.missing

describe('what stands in the way of renewals', () => {
  test.each([
    ['a provider that is gone', 'nobody', 'c', 'provider'],
    ['a provider without a token endpoint', 'anthropic', 'c', 'token_endpoint'],
    ['one without logins at all', 'groq', 'c', 'token_endpoint'],
    ['no client', 'gemini', undefined, 'client_id'],
    ['an empty one', 'gemini', '', 'client_id'],
    ['an issuer alone and a client', 'huggingface', 'c', undefined],
    ['an endpoint and a client', 'gemini', 'c', undefined],
  ])('%s: %s', (_what, name, clientId, missing) => {
    expect(of(name, clientId)).toBe(missing)
  })

  test('is nothing at a configured provider', () => {
    const corp = parseCustomProvider('corp', corpProvider('http://127.0.0.1:9'))
    expect(renewalObstacle('corp', corp, undefined)).toBeUndefined()
  })
})

test('no request is made without a client id', async () => {
  const server = await startStubAuthorizationServer()
  const { oauth, ...provider } = parseCustomProvider('gemini-x', corpProvider(server.url))
  const nobody = { ...provider, ...(oauth === undefined ? {} : { oauth: { ...oauth, clientId: '' } }) }
  const refresher = new ProviderRefresher({
    provider: () => nobody,
    readReference: async () => 'secret',
    now: () => new Date(0),
  })
  await expect(refresher.refreshToken('gemini-x', 'rt')).rejects.toMatchObject({
    code: 'refresh_failed',
    message: 'no OAuth client id for gemini-x is known',
    failure: { reason: 'auth_permanent', delivery: 'not_sent' },
  })
  expect(server.renewals).toEqual([])
  await server.close()
})
