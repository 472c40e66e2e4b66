import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Keymux } from '../../src/domain/keymux.js'
import type { OAuthCredential } from '../../src/domain/profile.js'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { logInAt, openWithCorp } from '../support/logins.js'

const ADA = { subject: 'a-1', email: 'ada@example.com' }
const BOB = { subject: 'b-2', email: 'bob@example.com' }
const WORK = { provider: 'corp', name: 'work' }

let server: StubAuthorizationServer
let keymux: Keymux
beforeEach(async () => {
  server = await startStubAuthorizationServer({ tellsAccount: 'userinfo', account: ADA })
  keymux = await openWithCorp(server)
  await logInAt(keymux, WORK)
  server.logInAs(BOB)
})
afterEach(async () => {
  await keymux.close()
  await server.close()
})

async function stored(id = 'corp:work'): Promise<Partial<OAuthCredential>> {
  return { ...(await keymux.profiles.get(id))?.oauth }
}

test('a login that names nobody never takes the place of one that names somebody', async () => {
  const before = await stored()
  expect(before).toMatchObject({ email: ADA.email, metadata: { subject: ADA.subject } })
  server.tellAccount('nowhere')
  const { error, page } = await logInAt(keymux, WORK)
  expect(error).toMatchObject({
    code: 'conflict',
    message: 'the provider did not say whose login this is, and corp:work is that of ada@example.com',
    hint: expect.stringContaining('--replace'),
  })
  expect(page).toContain('ada@example.com')
  expect(await stored()).toEqual(before)
})

test('with replace it does, and nothing of the old account is carried over', async () => {
  server.tellAccount('nowhere')
  expect((await logInAt(keymux, { ...WORK, replace: true })).result).toEqual({
    profileId: 'corp:work',
    renewed: true,
  })
  const after = await stored()
  expect(after.refreshToken).toBe(server.families[1]?.refreshToken)
  expect(after.email).toBeUndefined()
  expect(after.metadata?.subject).toBeUndefined()
})

test('where a login is needed anyway it does too, and nothing is carried over', async () => {
  await (await keymux.logins()).logout('corp:work')
  server.tellAccount('nowhere')
  expect((await logInAt(keymux, WORK)).result).toMatchObject({ profileId: 'corp:work', renewed: true })
  expect((await stored()).email).toBeUndefined()
})

test('replace is no way to put a named account in the place of another', async () => {
  const { error, page } = await logInAt(keymux, { ...WORK, replace: true })
  expect(error).toMatchObject({
    code: 'conflict',
    message: 'corp:work is the login of ada@example.com, and you logged in as bob@example.com',
    hint: expect.stringContaining('--name'),
  })
  expect(page).toContain('bob@example.com')
  expect((await stored()).email).toBe(ADA.email)
})

test('a lookup of the account that fails once is made once more', async () => {
  server.logInAs(ADA)
  server.failUserinfo(503)
  expect((await logInAt(keymux, WORK)).result).toEqual({
    profileId: 'corp:work',
    email: ADA.email,
    renewed: true,
  })
  server.failUserinfo(500, 500)
  expect((await logInAt(keymux, WORK)).error).toMatchObject({ code: 'conflict' })
})

test('without an address the name at the provider names the profile', async () => {
  server.tellAccount('userinfo')
  for (const [account, id] of [
    [{ subject: '7', email: '', login: 'octo-cat' }, 'corp:octo-cat'],
    [{ subject: '8', email: '', login: 'octo cat/../\u202e' }, 'corp:default'],
  ] as const) {
    server.logInAs(account)
    expect((await logInAt(keymux, { provider: 'corp' })).result).toEqual({ profileId: id, renewed: false })
  }
})

test('a name and an address that cannot be compared are not the same account', async () => {
  const before = await stored()
  await keymux.oauth.saveCredential('corp:work', {
    provider: 'corp',
    profileName: 'work',
    accessToken: 'at-1',
    refreshToken: 'rt-1',
    expiresAt: new Date(Date.now() + 3_600_000),
    email: ADA.email,
  })
  expect((await stored()).metadata?.subject).toBeUndefined()
  server.logInAs({ subject: 'b-2', email: '' })
  expect((await logInAt(keymux, WORK)).error).toMatchObject({ code: 'conflict' })
  expect(before.email).toBe((await stored()).email)
})
