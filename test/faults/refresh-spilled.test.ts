import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenFamily } from '../../src/testing/authorization/families.js'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { CliHome } from '../e2e/oauth-cli.js'
import { event, makeHome } from '../e2e/oauth-cli.js'
import { browse, corpProvider } from '../support/logins.js'

/** Long enough to lock the vault before the answer comes. */
const ANSWER_MS = 700

let delayMs = 0
let server: StubAuthorizationServer
let home: CliHome
let vault: string

beforeAll(async () => {
  server = await startStubAuthorizationServer({
    get delayMs() {
      return delayMs
    },
  })
  home = await makeHome(corpProvider(server.url))
  vault = join(home.folder, '.local/share/keymux/vault.db')
}, 120_000)
afterAll(async () => {
  home.dispose()
  await server.close()
})

async function logIn(subject: string, name: string): Promise<TokenFamily | undefined> {
  server.logInAs({ subject, email: `${subject}@example.com` })
  const login = home.start(['login', 'corp', '--name', name, '--no-browser', '--json'])
  await browse(String((await event(login, 'open')).url))
  expect((await login.ended).code).toBe(0)
  return server.families.at(-1)
}

/** Runs a renewal whose tokens the vault does not take, because another process keeps it locked. */
async function spill(id: string): Promise<void> {
  delayMs = ANSWER_MS
  const asked = server.renewals.length
  const refresh = home.start(['refresh', id])
  refresh.child.stdin.end()
  await server.renewalsAsked(asked + 1)
  const other = new DatabaseSync(vault)
  other.exec('BEGIN IMMEDIATE')
  expect(await refresh.ended).toMatchObject({ code: 0 })
  other.exec('COMMIT')
  other.close()
  delayMs = 0
  expect(spilled()).toHaveLength(1)
}

const spilled = (): string[] => (existsSync(`${vault}-spill`) ? readdirSync(`${vault}-spill`) : [])

async function refreshToken(id: string): Promise<unknown> {
  const { stdout } = await home.run('show', id, '--reveal', '--json')
  return (JSON.parse(stdout) as Record<string, unknown>).refresh_token
}

test('renamed: the account is kept, without another request', async () => {
  const family = await logIn('ada', 'work')
  await spill('corp:work')
  expect(await home.run('rename', 'corp:work', 'office')).toMatchObject({ code: 0 })
  expect(await home.run('refresh', 'corp:office')).toMatchObject({ code: 0 })
  expect(family).toMatchObject({ renewals: 1, reuses: 0, revoked: false })
  expect(await refreshToken('corp:office')).toBe(family?.refreshToken)
  expect(spilled()).toEqual([])
}, 60_000)

test('rotated: the vault takes the tokens in first', async () => {
  const family = await logIn('eve', 'rotated')
  await spill('corp:rotated')
  expect(await home.run('vault', 'rotate')).toMatchObject({ code: 0 })
  expect(spilled()).toEqual([])
  expect(await refreshToken('corp:rotated')).toBe(family?.refreshToken)
  expect(await home.run('refresh', 'corp:rotated')).toMatchObject({ code: 0 })
  expect(family).toMatchObject({ renewals: 2, reuses: 0, revoked: false })
}, 60_000)

test('logged out: the tokens that live are revoked', async () => {
  const family = await logIn('bob', 'out')
  await spill('corp:out')
  const { stdout } = await home.run('logout', 'corp:out', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ revoked: true })
  expect(
    server.requests.filter(({ path }) => path === '/revoke').map(({ fields }) => fields.token),
  ).toContain(family?.refreshToken)
  expect(family?.revoked).toBe(true)
  expect(spilled()).toEqual([])
}, 60_000)

test('removed, and another account under its name: no trace of the old one', async () => {
  await logIn('cyd', 'both')
  await spill('corp:both')
  expect(await home.run('remove', 'corp:both', '--yes')).toMatchObject({ code: 0 })
  expect(spilled()).toEqual([])
  const family = await logIn('dee', 'both')
  expect(await home.run('refresh', 'corp:both')).toMatchObject({ code: 0 })
  expect(family).toMatchObject({ renewals: 1, reuses: 0 })
  expect(await refreshToken('corp:both')).toBe(family?.refreshToken)
}, 60_000)
