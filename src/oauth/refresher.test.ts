import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { corpProvider } from '../../test/support/logins.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { parseCustomProvider } from '../providers/custom.js'
import { startStubAuthorizationServer } from '../testing/stub-authorization-server.js'
import { ProviderRefresher } from './refresher.js'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function stub(): ReturnType<typeof startStubAuthorizationServer> {
  const server = await startStubAuthorizationServer()
  open.push(server)
  return server
}

/** A refresher that knows the provider `corp`, whatever that is by now. */
function refresherAt(url: string) {
  let provider: ProviderMetadata = parseCustomProvider('corp', corpProvider(url))
  const refresher = new ProviderRefresher({
    provider: () => provider,
    readReference: () => Promise.reject(new Error('there is no secret')),
    now: () => new Date(),
  })
  return {
    refresher,
    declare: (settings: Record<string, unknown>) => {
      provider = parseCustomProvider('corp', settings)
    },
  }
}

test('an issuer is asked once; a provider that is declared anew is asked at its new place', async () => {
  const [old, now] = [await stub(), await stub()]
  const { refresher, declare } = refresherAt(old.url)
  const first = await refresher.refreshToken('corp', old.issue().refreshToken)
  await refresher.refreshToken('corp', first.refreshToken ?? '')
  expect(old.requests.filter(({ path }) => path.includes('.well-known'))).toHaveLength(1)
  declare(corpProvider(now.url, { client_id: 'another' }))
  await refresher.refreshToken('corp', now.issue().refreshToken)
  expect(old.renewals).toHaveLength(2)
  expect(now.renewals.map(({ fields }) => fields.client_id)).toEqual(['another'])
})

test('an issuer that is out of order has spent nothing, and is asked again', async () => {
  let status = 503
  const server = await stub()
  const { url } = server
  const issuer = createServer((_request, response) => {
    const self = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`
    const body = { issuer: self, authorization_endpoint: `${url}/a`, token_endpoint: `${url}/token` }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  open.push({ close: () => new Promise((resolve) => issuer.close(resolve)) })
  const { refresher } = refresherAt(`http://127.0.0.1:${(issuer.address() as AddressInfo).port}`)
  const { refreshToken } = server.issue()
  await expect(refresher.refreshToken('corp', refreshToken)).rejects.toMatchObject({
    failure: { reason: 'server_error', delivery: 'not_sent' },
  })
  status = 200
  expect((await refresher.refreshToken('corp', refreshToken)).refreshToken).not.toBe(refreshToken)
})
