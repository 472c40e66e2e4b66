import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { type CliVault, makeCliVault } from '../support/cli-vault.js'
import { corpProvider } from '../support/logins.js'
import { plainScreen } from './harness.js'
import { type Homes, makeHomes } from './home.js'

const ID = 'corp:ada@example.com'
const MINUTE = 60_000
const ADVICE = 'check providers.corp.oauth.client_id and the other settings of its logins'

let server: StubAuthorizationServer
beforeAll(async () => {
  server = await startStubAuthorizationServer()
})
afterAll(() => server.close())

const json = (text: string): unknown => JSON.parse(text) as unknown

/** Puts a login into the vault whose token expires in `leftMs`. */
async function logIn(handle: Keymux, now: Date, leftMs: number, more: object = {}): Promise<void> {
  const expiresAt = new Date(now.getTime() + leftMs)
  const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt, email: 'ada@example.com', ...more }
  await handle.profiles.add({ provider: 'corp', name: 'ada@example.com', mode: 'oauth', oauth })
  await handle.close()
}

/** The next renewal is refused: the client is unknown. */
function refuseClient(): void {
  server.fail({ status: 401, body: { error: 'invalid_client' } })
}

describe('a login', () => {
  let vault: CliVault
  beforeEach(() => {
    vault = makeCliVault({ providers: { corp: corpProvider(server.url) } })
  })
  afterEach(() => vault.dispose())

  const own = async (leftMs: number, more: object = {}): Promise<void> =>
    logIn(await vault.open(), vault.clock.now(), leftMs, more)
  const run = async (...argv: string[]) => vault.run(argv, { columns: 80, env: { NO_COLOR: '1' } })
  const shown = async (...argv: string[]): Promise<string> => (await run(...argv)).stdout

  test('tells when its token expires, and that it is renewed then', async () => {
    await own(4 * MINUTE)
    const facts = { expires_at: '2026-01-31T12:04:00Z', renewable: true, generation: 1, expired: true }
    expect(json(await shown('list', '--json'))).toMatchObject({ profiles: [facts] })
    expect(json(await shown('status', '--json'))).toMatchObject({
      providers: [{ profiles: [{ id: ID, state: 'available', ...facts }] }],
    })
    const { code, stdout } = await run('test', ID, '--json')
    expect({ code, result: json(stdout) }).toMatchObject({
      code: 0,
      result: { results: [{ valid: true, ...facts }] },
    })
    expect(await shown('list')).toMatch(/STATE +EXPIRES +E-MAIL\n✓ .* available +in 4m +ada@/)
    expect(await shown('test', ID)).toBe(`✓ ${ID}: looks valid (available, its token is renewed in 4m)\n`)
    vault.clock.advance(6 * MINUTE)
    expect(await shown('list')).toMatch(/✓ .* available +2m ago +ada@/)
    expect(await shown('show', ID)).toMatch(/^ {2}expired +2m ago$/m)
    expect(await shown('test', ID)).toContain('(available, its token is renewed with its next use)')
  })

  test('that cannot be renewed is told the same by every command, with the setting to look at', async () => {
    await own(-MINUTE)
    refuseClient()
    const refused = await run('resolve', 'corp', '--json')
    const retryAt = '2026-01-31T12:00:05Z'
    expect({ code: refused.code, error: json(refused.stderr) }).toMatchObject({
      code: 5,
      error: {
        error: {
          retry_at: retryAt,
          hint: ADVICE,
          reasons: [{ profile_id: ID, state: 'cooling', reason: 'auth_permanent', until: retryAt }],
        },
      },
    })
    expect((await run('resolve', 'corp', '--json')).stderr).toBe(refused.stderr)
    expect(json(await shown('status', '--json'))).toMatchObject({
      providers: [
        {
          profiles: [
            {
              state: 'cooling',
              expired: true,
              unusable_until: retryAt,
              reason: 'auth_permanent',
              renewal_retry_at: retryAt,
              renewal_reason: 'auth_permanent',
              renewal_hint: ADVICE,
            },
          ],
        },
      ],
    })
    expect(await shown('status')).toContain('0 of 1 profile usable now')
    expect(await shown('list')).toMatch(/⚠ .* cooling, back in 5s/)
    expect(await shown('show', ID)).toContain(`  to do           ${ADVICE}\n`)
    const problem = `${ID} has expired, and its renewal failed (auth_permanent)`
    const { code, stdout } = await run('test', ID)
    expect({ code, stdout }).toEqual({ code: 1, stdout: `✗ ${problem}: ${ADVICE}\n` })
    expect(json(await shown('test', ID, '--json'))).toMatchObject({
      results: [{ valid: false, error: problem, hint: ADVICE }],
    })
    const live = await run('test', ID, '--live', '--json')
    expect({ code: live.code, result: json(live.stdout) }).toMatchObject({
      code: 1,
      result: { results: [{ valid: false, live: { outcome: 'unrenewable', reason: 'auth_permanent' } }] },
    })
    expect(await shown('test', ID, '--live')).toBe(`✗ ${problem}: ${ADVICE}\n`)
  })

  test('that is tried again with its next use does not look as good as others', async () => {
    await own(-MINUTE)
    refuseClient()
    await run('resolve', 'corp')
    vault.clock.advance(MINUTE)
    const status = await shown('status')
    expect(status).toMatch(/⚠ .* available .* renewal failed: auth_permanent/)
    expect(status).toContain('0 of 1 profile usable now, 1 more if it can be renewed')
    expect(await shown('show', ID)).toContain('failed (auth_permanent), tried again with its next use')
    expect((await run('test', ID)).code).toBe(1)
  })

  test('that has ended names the way back everywhere', async () => {
    await own(-MINUTE)
    server.fail({ status: 400, body: { error: 'invalid_grant' } })
    expect((await run('resolve', 'corp')).stderr).toContain(`keymux login ${ID}`)
    const { code, stdout } = await run('test', ID)
    expect({ code, stdout }).toEqual({ code: 1, stdout: `✗ ${ID} needs a login: run keymux login ${ID}\n` })
    expect(json(await shown('status', '--json'))).toMatchObject({
      providers: [{ profiles: [{ state: 'invalid', login_needed: true, renewable: false }] }],
    })
  })

  test('that is over by a logout expires no more', async () => {
    await own(60 * MINUTE)
    expect((await run('logout', ID)).code).toBe(0)
    expect(await shown('show', ID)).not.toContain('expire')
    expect(json(await shown('list', '--json'))).not.toMatchObject({
      profiles: [{ expires_at: expect.anything() }],
    })
  })

  test('whose token never expires says nothing of it', async () => {
    await own(60 * MINUTE, { refreshToken: '', expiresAt: new Date('9999-12-31T23:59:59Z') })
    expect(await shown('list')).not.toContain('EXPIRES')
    expect(await shown('show', ID)).not.toContain('expire')
  })
})

test('a profile that is set aside is not said to be known to the provider', async () => {
  const vault = makeCliVault()
  await vault.run(['add', 'openai:a', '--stdin'], { stdin: 'sk-a' })
  await vault.run(['report', 'failure', 'openai:a', '--reason', 'rate_limit'])
  expect(await vault.run(['test', 'openai:a', '--live'])).toMatchObject({
    code: 0,
    stdout:
      '✓ openai:a: the provider was not asked (rate_limit): openai:a is set aside: reset it to ask the provider\n',
  })
  vault.dispose()
})

describe('on a terminal of 80 columns', () => {
  let homes: Homes
  beforeAll(() => {
    homes = makeHomes()
  }, 120_000)
  afterAll(() => homes.dispose())

  test('an expired login that could not be renewed is seen to be unusable', async () => {
    const home = homes.make()
    mkdirSync(path.join(home.folder, '.config/keymux'), { recursive: true })
    writeFileSync(
      path.join(home.folder, '.config/keymux/config.yaml'),
      JSON.stringify({ providers: { corp: corpProvider(server.url) } }),
    )
    expect(await home.run(['init', '--key-file', home.keyFile])).toMatchObject({ code: 0 })
    const handle = await openKeymux({
      vault: home.vault,
      unlock: { keyFile: home.keyFile },
      config: { providers: { corp: corpProvider(server.url) } },
    })
    await logIn(handle, new Date(), -MINUTE)
    // An hour's wait: however slow this machine is, it is not over when the commands below look.
    server.fail({ status: 429, headers: { 'retry-after': '3600' }, body: {} })
    const lines = async (...args: string[]): Promise<string[]> => {
      const { screen } = await home.terminal(args).ended
      return plainScreen(screen).trimEnd().split('\n')
    }
    expect((await home.terminal(['resolve', 'corp']).ended).code).toBe(5)
    const status = await lines('status')
    expect(status[1]).toMatch(/^⚠ {2}corp:ada@example\.com {2}cooling {2,}(in|at) .* renewal failed/)
    expect(status.at(-1)).toBe('0 of 1 profile usable now')
    const list = await lines('list')
    expect(list[1]).toMatch(/^⚠ {2}corp:ada@example\.com {2}oauth {2}cooling, back .* 1m ago/)
    for (const line of [...status, ...list]) expect(line.length).toBeLessThanOrEqual(80)
  })
})
