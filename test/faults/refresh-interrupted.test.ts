import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { CliHome } from '../e2e/oauth-cli.js'
import { event, makeHome } from '../e2e/oauth-cli.js'
import { browse, corpProvider } from '../support/logins.js'
import type { Running } from './storage-lab.js'

const ID = 'corp:ada@example.com'
const NOTE = 'keymux: storing renewed tokens; Ctrl-C again gives them up\n'
/** Longer than the second that a command has to end in. */
const SLOW_MS = 3_000

/** How the server behaves from now on: what it was started with is read anew for each request. */
const how = { delayMs: 0, accessTokenSeconds: 3_600 }
let server: StubAuthorizationServer
let home: CliHome

beforeAll(async () => {
  server = await startStubAuthorizationServer({
    account: { subject: 'ada', email: 'ada@example.com' },
    get delayMs() {
      return how.delayMs
    },
  })
  home = await makeHome(corpProvider(server.url))
}, 120_000)
afterAll(async () => {
  home.dispose()
  await server.close()
})
beforeEach(async () => {
  how.delayMs = 0
  const login = home.start(['login', 'corp', '--no-browser', '--json'])
  await browse(String((await event(login, 'open')).url))
  expect((await login.ended).code).toBe(0)
})

/** Starts a renewal at a slow server, and sends signals as soon as that has been asked. */
async function interrupted(args: readonly string[], ...signals: readonly NodeJS.Signals[]): Promise<Running> {
  how.delayMs = SLOW_MS
  const asked = server.renewals.length
  const command = home.start(args)
  command.child.stdin.end()
  await server.renewalsAsked(asked + 1)
  for (const signal of signals) command.child.kill(signal)
  return command
}

async function stored(): Promise<unknown> {
  const { stdout } = await home.run('show', ID, '--reveal', '--json')
  return (JSON.parse(stdout) as { refresh_token: string }).refresh_token
}

describe('a command that is ended while the server thinks', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s: it stores the new tokens first, and says so', async (signal, status) => {
    const command = await interrupted(['refresh', ID], signal)
    expect(await command.ended).toMatchObject({
      code: status,
      errors: `${NOTE}keymux: interrupted\n`,
      lines: [],
    })
    how.delayMs = 0
    expect(await stored()).toBe(server.families.at(-1)?.refreshToken)
    expect((await home.run('refresh', ID)).code).toBe(0)
    expect(server.families.at(-1)).toMatchObject({ reuses: 0, revoked: false, renewals: 2 })
  })

  test('with --json the error is alone on standard error', async () => {
    const command = await interrupted(['refresh', ID, '--json'], 'SIGINT')
    const { code, errors } = await command.ended
    expect(code).toBe(130)
    expect(JSON.parse(errors)).toEqual({ error: { code: 'interrupted', message: 'interrupted' } })
    expect(await stored()).toBe(server.families.at(-1)?.refreshToken)
  })

  test('twice: it ends at once', async () => {
    const command = await interrupted(['refresh', ID])
    command.child.stderr.once('data', () => command.child.kill('SIGINT'))
    command.child.kill('SIGINT')
    const { code, errors } = await command.ended
    expect({ code, errors }).toEqual({ code: 130, errors: `${NOTE}keymux: interrupted\n` })
    expect(server.families.at(-1)?.refreshToken).not.toBe(await stored())
  })
})
