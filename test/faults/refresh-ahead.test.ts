import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { CliHome } from '../e2e/oauth-cli.js'
import { makeHome } from '../e2e/oauth-cli.js'
import { corpProvider } from '../support/logins.js'

/** Due by its 5 minutes, and good for a while. */
const LEFT_MS = 120_000

let delayMs = 0
let made = 0
let server: StubAuthorizationServer
let home: CliHome
/** The login of this test. */
let id: string

beforeAll(async () => {
  server = await startStubAuthorizationServer({
    get delayMs() {
      return delayMs
    },
  })
  home = await makeHome({ ...corpProvider(server.url), env_key: 'CORP_API_KEY' })
}, 120_000)
afterAll(async () => {
  home.dispose()
  await server.close()
})
beforeEach(async () => {
  delayMs = 0
  made += 1
  id = `corp:n${made}`
  const { accessToken, refreshToken } = server.issue({ subject: id, email: `n${made}@example.com` })
  const expires_at = new Date(Date.now() + LEFT_MS).toISOString()
  const oauth = { access_token: accessToken, refresh_token: refreshToken, expires_at }
  const created_at = '2026-01-01T00:00:00Z'
  const profile = { id, provider: 'corp', name: `n${made}`, mode: 'oauth', enabled: true, created_at, oauth }
  const file = join(home.folder, 'login.json')
  writeFileSync(file, JSON.stringify({ version: 1, profiles: { [id]: profile } }))
  expect(await home.run('import', 'json', file)).toMatchObject({ code: 0 })
})

const family = () => server.families.at(-1)

test.each([
  ['resolve', () => ['resolve', id], (token: string) => `${token}\n`],
  ['env', () => ['env', id, '--format', 'dotenv'], (token: string) => `CORP_API_KEY=${token}\n`],
  [
    'exec',
    () => ['exec', id, '--', process.execPath, '-p', 'process.env.CORP_API_KEY'],
    (token: string) => `${token}\n`,
  ],
])('%s renews a token that is due before it hands it out', async (_command, args, printed) => {
  const result = await home.run(...args())
  expect(family()?.renewals).toBe(1)
  expect(result).toEqual({ code: 0, stdout: printed(family()?.accessToken ?? ''), stderr: '' })
})

test('the old one is handed out when that takes long, and the new one is stored all the same', async () => {
  const before = family()?.accessToken
  delayMs = 5_000
  expect(await home.run('resolve', id)).toEqual({ code: 0, stdout: `${before}\n`, stderr: '' })
  expect(family()?.renewals).toBe(1)
  delayMs = 0
  expect((await home.run('resolve', id)).stdout).toBe(`${family()?.accessToken}\n`)
  expect(family()).toMatchObject({ renewals: 1, reuses: 0 })
})

test('and when it fails', async () => {
  const before = family()?.accessToken
  server.fail({ status: 503, body: 'x' })
  expect(await home.run('resolve', id)).toEqual({ code: 0, stdout: `${before}\n`, stderr: '' })
  expect(await home.run('resolve', id)).toEqual({ code: 0, stdout: `${before}\n`, stderr: '' })
  expect(family()?.renewals).toBe(0)
})
