import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { browse, corpProvider, redirectOf } from '../support/logins.js'
import { plainScreen } from '../transcripts/harness.js'
import type { CliHome } from './oauth-cli.js'
import { event, makeHome } from './oauth-cli.js'

let server: StubAuthorizationServer
let home: CliHome

beforeAll(async () => {
  server = await startStubAuthorizationServer({ deviceIntervalSeconds: 1 })
  home = await makeHome(corpProvider(server.url))
}, 120_000)
afterAll(async () => {
  home.dispose()
  await server.close()
})

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
const as = (name: string): void => server.logInAs({ subject: name, email: `${name}@example.com` })

describe('keymux login', () => {
  test('--json tells the address and the end as events', async () => {
    as('ada')
    const login = home.start(['login', 'corp', '--no-browser', '--json'])
    const { url } = await event(login, 'open')
    const { page } = await browse(String(url))
    expect(page).toContain('corp:ada@example.com')
    expect(await event(login, 'done')).toEqual({
      event: 'done',
      profile_id: 'corp:ada@example.com',
      email: 'ada@example.com',
    })
    expect(await login.ended).toMatchObject({ code: 0, errors: '' })
  })

  test('--no-browser prints the address alone on a line of standard error, and takes a pasted one', async () => {
    as('bob')
    const login = home.start(['login', 'corp:bob', '--no-browser'])
    let errors = ''
    login.child.stderr.on('data', (text: string) => {
      errors += text
    })
    while (!/^http\S+$/m.test(errors)) await new Promise((resolve) => setTimeout(resolve, 10))
    const [address = ''] = /^http\S+$/m.exec(errors) ?? []
    const back = await redirectOf(address)
    login.child.stdin.end(`${back.href}\n`)
    expect(await login.ended).toMatchObject({ code: 0, lines: ['corp:bob'] })
  })

  test('a line that is pasted through a pipe counts at once, wrong ones before it or not', async () => {
    as('pia')
    const login = home.start(['login', 'corp:pia', '--no-browser', '--json'])
    const { url } = await event(login, 'open')
    // The pipe stays open.
    login.child.stdin.write(`nonsense\n${(await redirectOf(String(url))).href}\n`)
    expect(await event(login, 'done')).toMatchObject({ profile_id: 'corp:pia' })
    expect((await login.ended).code).toBe(0)
  })

  test.each(['/bin/false', '/bin/true'])(
    'with the browser %s a pasted address counts too',
    async (BROWSER) => {
      as('pat')
      const login = home.start(['login', 'corp:pat'], { BROWSER })
      let errors = ''
      login.child.stderr.on('data', (text: string) => {
        errors += text
      })
      while (!/http\S+\n/.test(errors)) await new Promise((resolve) => setTimeout(resolve, 10))
      const [address = ''] = /http\S+/.exec(errors) ?? []
      login.child.stdin.write(`${(await redirectOf(address)).href}\n`)
      expect(await login.ended).toMatchObject({ code: 0, lines: ['corp:pat'] })
      expect(errors.includes('browser window that has opened')).toBe(BROWSER === '/bin/true')
    },
  )

  test('--scope asks for other scopes, and a client named on the command line never gets the configured secret', async () => {
    const own = await makeHome(corpProvider(server.url, { client_secret_ref: 'env://CORP_SECRET' }))
    try {
      as('sam')
      const login = own.start(
        [
          'login',
          'corp:sam',
          '--no-browser',
          '--json',
          '--client-id',
          'other',
          '--scope',
          'openid,email,x:y',
        ],
        { CORP_SECRET: 'of-the-configured-client' },
      )
      const { url } = await event(login, 'open')
      expect(new URL(String(url)).searchParams.get('scope')).toBe('openid email x:y')
      await browse(String(url))
      expect((await login.ended).code).toBe(0)
      const { fields } = server.requests.filter(({ path }) => path === '/token').at(-1) ?? { fields: {} }
      expect(fields).toMatchObject({ client_id: 'other' })
      expect(fields).not.toHaveProperty('client_secret')
    } finally {
      own.dispose()
    }
  })

  test('starts the browser with an argument list and without secrets', async () => {
    as('cyd')
    const program = join(home.folder, 'browser.mjs')
    const log = join(home.folder, 'opened.txt')
    writeFileSync(
      program,
      `#!${process.execPath}\nimport { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(log)}, JSON.stringify([process.argv.slice(2), Object.keys(process.env)]))\nawait (await fetch(process.argv[2])).text()\n`,
    )
    chmodSync(program, 0o755)
    const login = home.start(['login', 'corp', '--name', 'cyd work'], {
      BROWSER: program,
      OPENAI_API_KEY: 'sk-secret',
    })
    expect(await login.ended).toMatchObject({ code: 0, lines: ['corp:cyd work'] })
    const [opened, variables] = JSON.parse(readFileSync(log, 'utf8')) as [string[], string[]]
    expect(opened).toEqual([expect.stringContaining(`${server.url}/authorize?`)])
    expect(variables).toContain('HOME')
    expect(variables.filter((name) => /KEYMUX|OPENAI/.test(name))).toEqual([])
  })

  test('on a terminal the address is asked for beside the listener, wrong ones again', async () => {
    as('gil')
    const session = home.terminal(['login', 'corp:gil', '--no-browser'])
    await session.waitFor(/paste its address here: /)
    const [address = ''] = /http:\S+authorize\S+/.exec(plainScreen(session.screen())) ?? []
    session.type('https://example.com/\r')
    await session.waitFor('that is not the address this login ends at')
    await session.waitFor(/paste its address here: /)
    session.type(`${(await redirectOf(address)).href}\r`)
    const { code, screen } = await session.ended
    expect(code).toBe(0)
    expect(plainScreen(screen)).toContain('✓ Logged in as gil@example.com: corp:gil.')
  })

  test('on a terminal the listener may be faster, and Ctrl-C ends it', async () => {
    as('hal')
    const session = home.terminal(['login', 'corp:hal', '--no-browser'])
    await session.waitFor(/paste its address here: /)
    await browse(/http:\S+authorize\S+/.exec(plainScreen(session.screen()))?.[0] ?? '')
    const { code, screen } = await session.ended
    expect(code).toBe(0)
    expect(plainScreen(screen)).toMatch(/\n✓ Logged in as hal@example.com: corp:hal\./)
    server.logInAs(undefined)
    const denied = home.terminal(['login', 'corp:ivy', '--no-browser'])
    await denied.waitFor(/paste its address here: /)
    await browse(/http:\S+authorize\S+/.exec(plainScreen(denied.screen()))?.[0] ?? '')
    expect((await denied.ended).code).toBe(1)
    expect(plainScreen((await denied.ended).screen)).toMatch(/\nkeymux: the login was denied/)
    const stopped = home.terminal(['login', 'corp:ian', '--no-browser'])
    await stopped.waitFor(/paste its address here: /)
    stopped.type('\u0003')
    expect((await stopped.ended).code).toBe(130)
    expect((await home.run('show', 'corp:ian')).code).toBe(4)
  })

  test('--device shows the code and waits', async () => {
    const login = home.start(['login', 'corp', '--device', '--json'])
    const shown = await event(login, 'device')
    expect(shown).toEqual({
      event: 'device',
      verification_uri: `${server.url}/device`,
      verification_uri_complete: expect.any(String),
      user_code: expect.any(String),
      expires_in: 600,
    })
    server.decideDevice(String(shown.user_code), { subject: 'dee', email: 'dee@example.com' })
    expect(await event(login, 'done')).toMatchObject({ profile_id: 'corp:dee@example.com' })
    expect((await login.ended).code).toBe(0)
  })

  test('Ctrl-C in the middle: 130, and nothing half-saved', async () => {
    const before = (await home.run('list', '--json')).stdout
    for (const args of [
      ['login', 'corp:gone', '--no-browser', '--json'],
      ['login', 'corp:gone', '--device', '--json'],
    ]) {
      const login = home.start(args)
      await event(login, args.includes('--device') ? 'device' : 'open')
      login.child.kill('SIGINT')
      const { code, errors } = await login.ended
      expect(code).toBe(130)
      expect(json(errors)).toMatchObject({ error: { code: 'interrupted' } })
    }
    expect((await home.run('list', '--json')).stdout).toBe(before)
  })

  test('Ctrl-C while the server thinks: 130, and nothing half-saved', async () => {
    as('eve')
    server.fail('stall')
    const login = home.start(['login', 'corp:gone', '--no-browser', '--json'])
    const { url } = await event(login, 'open')
    const asked = server.requests.length
    const browsing = browse(String(url)).catch(() => undefined)
    while (!server.requests.slice(asked).some(({ path }) => path === '/token'))
      await new Promise((resolve) => setTimeout(resolve, 10))
    login.child.kill('SIGINT')
    expect((await login.ended).code).toBe(130)
    await browsing
    expect((await home.run('show', 'corp:gone')).code).toBe(4)
  })

  test('no terminal and closed standard input: the listener still waits', async () => {
    as('fay')
    const login = home.start(['login', 'corp', '--no-browser', '--json'])
    login.child.stdin.end()
    const { url } = await event(login, 'open')
    await browse(String(url))
    expect((await login.ended).code).toBe(0)
  })

  test.each([
    [['login', 'nobody'], 2, 'unknown_provider'],
    [['login', 'gemini'], 2, 'usage'],
    [['login', 'anthropic'], 2, 'unsupported_mode'],
    [['login', 'corp:a', '--name', 'b'], 2, 'usage'],
    [['login', 'corp', '--port', '70000'], 2, 'invalid_value'],
    [['login', 'corp', '--device', '--port', '1'], 2, 'usage'],
    [['logout', 'corp:nobody'], 4, 'profile_not_found'],
    [['refresh', 'corp:nobody'], 4, 'profile_not_found'],
  ] as const)('%j ends with %i', async (args, code, name) => {
    const result = await home.run(...args, '--json')
    expect(result).toMatchObject({ code, stdout: '' })
    expect(json(result.stderr)).toMatchObject({ error: { code: name } })
  })
})

test('keymux providers show tells who may log in', async () => {
  for (const [name, status, words] of [
    ['openrouter', 'official', 'open to any program'],
    ['gemini', 'own-client', 'with an OAuth client of your own'],
    ['anthropic', 'first-party-only', "for the provider's own programs"],
    ['qwen', 'discontinued', 'no more'],
    ['corp', 'configured', 'with the configured client'],
  ] as const) {
    const shown = json((await home.run('providers', 'show', name, '--json')).stdout)
    expect(shown.login).toEqual({ status, note: expect.any(String) })
    expect((await home.run('providers', 'show', name)).stdout).toContain(words)
  }
  expect(json((await home.run('providers', 'show', 'groq', '--json')).stdout)).not.toHaveProperty('login')
})

describe('a profile that was logged in', () => {
  test('list, show, status and test speak of its expiry, and never of its tokens', async () => {
    const id = 'corp:ada@example.com'
    const shown = json((await home.run('show', id, '--json')).stdout)
    expect(shown).toMatchObject({
      id,
      mode: 'oauth',
      state: 'available',
      renewable: true,
      generation: 1,
      email: 'ada@example.com',
      expires_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    for (const args of [
      ['list'],
      ['show', id],
      ['status'],
      ['test', id],
      ['list', '--json'],
      ['show', id, '--json'],
    ]) {
      const { code, stdout, stderr } = await home.run(...args)
      expect(code).toBe(0)
      expect(stdout + stderr).not.toMatch(/stub-[ar]t-/)
    }
    expect((await home.run('show', id)).stdout).toMatch(/expires\s+.*\n(.*\n)*.*generation\s+1/)
  })

  test('keymux refresh gives new tokens, and says when they end', async () => {
    const result = json((await home.run('refresh', 'corp:ada@example.com', '--json')).stdout)
    expect(result).toEqual({
      profile_id: 'corp:ada@example.com',
      expires_at: expect.any(String),
      generation: 2,
    })
    const family = server.families.find(({ account }) => account.subject === 'ada')
    expect((await home.run('resolve', 'corp:ada@example.com')).stdout).toBe(`${family?.accessToken}\n`)
  })

  test('a login that the provider has ended: said with a hint, in every command', async () => {
    const family = server.families.find(({ account }) => account.subject === 'dee')
    if (family !== undefined) family.revoked = true
    const refused = await home.run('refresh', 'corp:dee@example.com', '--json')
    expect(refused.code).toBe(1)
    expect(json(refused.stderr)).toMatchObject({
      error: { code: 'refresh_failed', hint: 'run keymux login corp:dee@example.com' },
    })
    expect((await home.run('show', 'corp:dee@example.com')).stdout).toContain(
      'needed: keymux login corp:dee@example.com',
    )
    const list = json((await home.run('list', '--json')).stdout).profiles as Record<string, unknown>[]
    expect(list.find(({ id }) => id === 'corp:dee@example.com')).toMatchObject({
      state: 'invalid',
      login_needed: true,
    })
    expect((await home.run('test', 'corp:dee@example.com')).code).toBe(1)
  })

  test('keymux logout revokes and keeps the profile; --remove removes it', async () => {
    expect(json((await home.run('logout', 'corp:bob', '--json')).stdout)).toEqual({
      profile_id: 'corp:bob',
      revoked: true,
      removed: false,
    })
    expect(server.families.find(({ account }) => account.subject === 'bob')?.revoked).toBe(true)
    expect((await home.run('show', 'corp:bob')).stdout).toContain('needed: keymux login corp:bob')
    expect(await home.run('logout', 'corp:bob', '--remove')).toMatchObject({ code: 0, stdout: 'corp:bob\n' })
    expect((await home.run('show', 'corp:bob')).code).toBe(4)
  })
})
