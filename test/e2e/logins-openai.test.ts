import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { logInAt } from '../support/logins.js'

const place = vi.hoisted(() => ({ url: '' }))
vi.mock('../../src/providers/openai.js', async (original) => {
  const real = await original<typeof import('../../src/providers/openai.js')>()
  const moved = Object.defineProperties(
    { ...real.openai.login },
    Object.fromEntries(
      ['authorization', 'token', 'revocation'].map((name) => [
        `${name}Endpoint`,
        { enumerable: true, get: () => `${place.url}/${name}` },
      ]),
    ),
  )
  return { openai: { ...real.openai, login: moved } }
})

const ID = 'openai:ada@example.com'
const PLAN = 'openid profile email offline_access resource.invoke chatgpt.tokens.use.direct'

interface Asked {
  readonly path: string
  readonly fields: Readonly<Record<string, string>>
}

let server: Server
let keymux: Keymux
let asked: Asked[]
/** What the callback names as the client; absent where it names none. */
let issued: string | undefined
let granted: string
beforeEach(async () => {
  asked = []
  issued = 'oaiapp_1'
  granted = PLAN
  server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  place.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  keymux = await openKeymux({
    vault: createMemoryStore().connect(),
    unlock: { passphrase: 'test' },
    create: true,
  })
})
afterEach(async () => {
  await keymux.close()
  await new Promise((resolve) => server.close(resolve))
})

const answer: Parameters<typeof createServer>[1] = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url ?? '/', place.url)
  const form = new URLSearchParams(Buffer.concat(chunks).toString())
  const fields = Object.fromEntries([...url.searchParams, ...form])
  asked.push({ path: url.pathname, fields })
  if (url.pathname === '/authorization') {
    const back = new URL(fields.redirect_uri ?? '')
    back.searchParams.set('state', fields.state ?? '')
    back.searchParams.set('code', 'the-code')
    if (issued !== undefined) back.searchParams.set('client_id', issued)
    response.writeHead(302, { location: back.href }).end()
    return
  }
  const nonce = asked.findLast(({ path }) => path === '/authorization')?.fields.nonce
  const claims = {
    aud: fields.client_id,
    iss: 'https://auth.openai.com',
    sub: 'user-1',
    email: 'ada@example.com',
    nonce,
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(
    JSON.stringify({
      access_token: `at-${asked.length}`,
      refresh_token: `rt-${asked.length}`,
      expires_in: 3_600,
      scope: granted,
      id_token: `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`,
    }),
  )
}

const last = (path: string): Asked['fields'] => asked.findLast((each) => each.path === path)?.fields ?? {}

test('the first login registers, the profile keeps the client that was issued, and all that follows uses it', async () => {
  expect((await logInAt(keymux, { provider: 'openai' })).result).toMatchObject({ profileId: ID })
  const first = last('/authorization')
  expect(first).toMatchObject({
    client_id: 'dynamic_agent_client',
    agent_name_hint: 'keymux',
    ext_agent_host_id: expect.stringMatching(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/auth\/callback$/),
    resource: 'https://api.openai.com/v1',
    scope: PLAN,
    code_challenge_method: 'S256',
  })
  const client = { client_id: 'oaiapp_1', resource: 'https://api.openai.com/v1' }
  expect(last('/token')).toMatchObject({ ...client, grant_type: 'authorization_code' })
  expect((await keymux.profiles.get(ID))?.oauth?.clientId).toBe('oaiapp_1')
  expect((await keymux.resolver.resolve('openai')).credential).toBe('at-2')
  await keymux.oauth.renew(ID)
  expect(last('/token')).toMatchObject({ ...client, grant_type: 'refresh_token' })
  expect(await (await keymux.logins()).logout(ID)).toMatchObject({ revoked: true })
  expect(last('/revocation')).toMatchObject({ client_id: 'oaiapp_1' })
  issued = undefined
  expect((await logInAt(keymux, { provider: 'openai', name: 'ada@example.com' })).result).toMatchObject({
    renewed: true,
  })
  const again = last('/authorization')
  expect(again).toMatchObject({
    client_id: 'oaiapp_1',
    ext_agent_host_id: first.ext_agent_host_id,
  })
  expect(again).not.toHaveProperty('agent_name_hint')
})

test.each([undefined, 'dynamic_agent_client', '', 'a b', 'x'.repeat(300)])(
  'a callback that issues the client %j ends the login, and no code is spent',
  async (client) => {
    issued = client
    expect((await logInAt(keymux, { provider: 'openai' })).error).toMatchObject({
      code: 'login_failed',
      message: '"openai" issued no client id',
    })
    expect(last('/token')).toEqual({})
  },
)

test('a callback for another client than the one that asked is refused', async () => {
  await logInAt(keymux, { provider: 'openai', name: 'work' })
  issued = 'oaiapp_2'
  expect((await logInAt(keymux, { provider: 'openai', name: 'work' })).error).toMatchObject({
    code: 'login_failed',
    message: 'the answer belongs to another client',
  })
})

test('a login without the plan is refused, for its token would be worth nothing', async () => {
  granted = 'openid profile email offline_access'
  expect((await logInAt(keymux, { provider: 'openai' })).error).toMatchObject({
    code: 'login_failed',
    message: 'the login was granted without chatgpt.tokens.use.direct',
  })
  expect(await keymux.profiles.list()).toEqual([])
})
