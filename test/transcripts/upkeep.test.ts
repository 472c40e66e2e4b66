import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CliVault, makeCliVault } from '../support/cli-vault.js'
import { failure, type Home, makeHomes } from './home.js'

let vault: CliVault
beforeEach(() => {
  vault = makeCliVault()
})
afterEach(() => vault.dispose())

const folder = mkdtempSync(join(tmpdir(), 'keymux-upkeep-'))
afterAll(() => rmSync(folder, { recursive: true }))
const corp = 'name: Corp\nlabel: Corp gateway\nbase_url: https://llm.corp.example/v1\n'
function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await vault.run([...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as unknown
}

const keep = (name: string, value: string) => vault.run(['secret', 'set', name], { stdin: value })
const events = async (): Promise<string[]> => {
  const { entries } = (await json('audit')) as { entries: { event: string; subject?: string }[] }
  return entries.map(({ event, subject }) => `${event} ${subject ?? ''}`.trim())
}

describe('secret', () => {
  test('set reads standard input, --stdin, --from-env or the hidden prompt', async () => {
    expect(await keep('A', 'from a pipe\n')).toMatchObject({ code: 0, stdout: 'A\n' })
    await vault.run(['secret', 'set', 'B', '--stdin'], { stdin: 'two\nlines\r\n' })
    await vault.run(['secret', 'set', 'C', '--from-env', 'SOURCE'], { env: { SOURCE: 'env' } })
    const asked = await vault.run(['secret', 'set', 'D'], { stdinIsTTY: true, answers: ['typed'] })
    expect(asked.asked).toEqual(['Secret D: '])
    const values = ['A', 'B', 'C', 'D'].map(async (name) => (await vault.run(['secret', 'get', name])).stdout)
    expect(await Promise.all(values)).toEqual(['from a pipe\n', 'two\nlines\n', 'env\n', 'typed\n'])
  })

  test('get prints it raw, notes it in the audit, and with --json gives name and value', async () => {
    await keep('unicode ключ 🔑', 'значение')
    expect(await json('secret', 'get', 'unicode ключ 🔑')).toEqual({
      name: 'unicode ключ 🔑',
      value: 'значение',
    })
    expect(await events()).toContain('secret_revealed unicode ключ 🔑')
  })

  test('list gives names alone, sorted', async () => {
    expect((await vault.run(['secret', 'list'])).stdout).toContain('keymux secret set NAME')
    await keep('b', 'hidden')
    await keep('a', 'hidden')
    expect((await vault.run(['secret', 'list'])).stdout).toBe('a\nb\n')
    expect(await json('secret', 'list')).toEqual({ secrets: [{ name: 'a' }, { name: 'b' }], total: 2 })
  })

  test('an account can refer to it', async () => {
    await keep('OPENAI', 'sk-by-reference')
    await vault.run(['add', 'openai', '--ref', 'vault://OPENAI'])
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-by-reference\n')
  })

  test('set overwrites, remove forgets, asking on a terminal', async () => {
    await keep('A', 'one')
    await keep('A', 'two')
    expect((await vault.run(['secret', 'get', 'A'])).stdout).toBe('two\n')
    const no = await vault.run(['secret', 'remove', 'A'], { stdinIsTTY: true, answers: [false] })
    expect(no).toMatchObject({ code: 1, stdout: '' })
    expect(await json('secret', 'remove', 'A')).toEqual({ changed: ['A'] })
    expect((await vault.run(['secret', 'get', 'A'])).code).toBe(4)
    expect((await vault.run(['secret', 'remove', 'A'])).code).toBe(4)
  })

  test.each([
    ['an empty secret', ['A'], '', 2],
    ['a newline alone', ['A'], '\n', 2],
    ['over 1 MiB', ['A'], 'x'.repeat(1024 * 1024 + 2), 2],
    ['two sources', ['A', '--stdin', '--from-env', 'B'], 'x', 2],
    ['an empty name', [''], 'x', 2],
    ['a name with a control character', ['a\u0007b'], 'x', 2],
    ['the secret itself in the name', ['sk-ant-api03-0123456789abcdefABCDEF'], 'x', 2],
    ['the secret as another argument', ['A', 'sk-ant-api03-0123456789abcdefABCDEF'], 'x', 2],
  ])('refuses %s', async (_what, args, stdin, code) => {
    const outcome = await vault.run(['secret', 'set', ...args], { stdin })
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).not.toContain('0123456789abcdef')
    expect(await json('secret', 'list')).toMatchObject({ total: 0 })
  })
})

describe('audit', () => {
  test('tells who did what, and never a value', async () => {
    await vault.run(['add', 'openai:a', '--stdin'], { stdin: 'sk-marker-value' })
    await vault.run(['report', 'failure', 'openai:a', '--status', '401'])
    await vault.run(['show', 'openai:a', '--reveal'])
    expect(await events()).toEqual(
      expect.arrayContaining(['created openai:a', 'failure openai:a', 'revealed openai:a']),
    )
    const { stdout } = await vault.run(['audit'])
    expect(stdout).toMatch(/^TIME +WHAT +ON +DETAIL +BY\n/)
    expect(stdout + (await vault.run(['audit', '--json'])).stdout).not.toContain('sk-marker-value')
    expect(await json('audit')).toMatchObject({
      entries: [
        { sequence: 1, at: '2026-01-31T12:00:00Z', event: 'vault_created', surface: 'cli', pid: process.pid },
        {},
        {},
        {},
      ],
      total: 4,
    })
  })

  test('--since leaves out what was before', async () => {
    await keep('A', 'x')
    vault.clock.advance(3 * 86_400_000)
    await keep('B', 'x')
    for (const since of ['1d', '2026-02-02', '2026-02-03T12:00:00Z']) {
      expect(await json('audit', '--since', since)).toMatchObject({ total: 1, entries: [{ subject: 'B' }] })
    }
    expect((await vault.run(['audit', '--since', '1s'])).stdout).toContain('secret created')
    vault.clock.advance(86_400_000)
    expect((await vault.run(['audit', '--since', '1h'])).stdout).toBe('Nothing happened.\n')
    expect((await vault.run(['audit', '--since', 'yesterday'])).code).toBe(2)
  })

  test('--verify gives the verdict alone, and the lines too with --since', async () => {
    await keep('A', 'x')
    expect((await vault.run(['audit', '--verify'])).stdout).toBe('✓ The audit is whole.\n')
    expect(await json('audit', '--verify')).toEqual({ ok: true, problems: [], total: 2 })
    expect(await json('audit', '--verify', '--since', '1d')).toMatchObject({ ok: true, entries: [{}, {}] })
  })
})

describe('providers', () => {
  test('lists the built-in ones, and with --json their fields', async () => {
    const { providers } = (await json('providers')) as { providers: { name: string }[] }
    expect(providers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['anthropic', 'gemini', 'openai']),
    )
    expect(providers.find(({ name }) => name === 'openai')).toEqual({
      name: 'openai',
      label: 'OpenAI',
      description: expect.any(String),
      modes: ['api_key'],
      env_key: 'OPENAI_API_KEY',
      website: expect.stringMatching(/^https:/),
      base_url: 'https://api.openai.com/v1',
      custom: false,
    })
  })

  test('one of your own is added, used, shown, replaced and removed', async () => {
    expect(await json('providers', 'add', file('corp.yaml', corp))).toEqual({ changed: ['corp'] })
    await vault.run(['add', 'corp:me', '--stdin'], { stdin: 'corp-key' })
    expect((await vault.run(['env', 'corp'])).stdout).toContain('CORP_API_KEY')
    expect(await json('providers', 'show', 'corp')).toMatchObject({ label: 'Corp gateway', custom: true })
    expect((await vault.run(['providers'])).stdout).toMatch(
      /corp +Corp gateway +api_key +CORP_API_KEY +vault/,
    )
    const again = file(
      'corp2.json',
      JSON.stringify({ corp: { base_url: 'https://other.example', label: 'Two' } }),
    )
    expect((await vault.run(['providers', 'add', again])).code).toBe(7)
    expect((await vault.run(['providers', 'add', again, '--replace'])).code).toBe(0)
    expect(await json('providers', 'show', 'CORP')).toMatchObject({ label: 'Two' })
    const asked = await vault.run(['providers', 'remove', 'corp'], { stdinIsTTY: true, answers: [true] })
    expect(asked.asked[0]).toContain('Its 1 account(s) cannot be used then.')
    expect((await vault.run(['resolve', 'corp'])).code).not.toBe(0)
    expect((await vault.run(['providers', 'remove', 'corp'])).code).toBe(4)
  })

  test('several in one file are all added, or none', async () => {
    const both = file(
      'two.yaml',
      'one: {base_url: "https://one.example"}\ntwo: {base_url: "https://two.example"}\n',
    )
    expect(await json('providers', 'add', both)).toEqual({ changed: ['one', 'two'] })
    const half = file(
      'half.yaml',
      'three: {base_url: "https://3.example"}\nfour: {base_url: "http://4.example"}\n',
    )
    expect((await vault.run(['providers', 'add', half])).code).toBe(2)
    expect((await vault.run(['providers', 'show', 'three'])).code).toBe(4)
  })

  test.each([
    ['no file', 'missing', undefined, 4],
    ['no YAML', 'a.yaml', 'a: [b', 2],
    ['a list', 'b.yaml', '- a', 2],
    ['nothing', 'c.yaml', '', 2],
    ['no base URL', 'd.yaml', 'name: x', 2],
    [
      'a literal secret',
      'e.yaml',
      `${corp}oauth: {client_id: a, client_secret: hush, issuer: "https://a.b"}\n`,
      2,
    ],
    ['plain HTTP elsewhere', 'f.yaml', 'name: x\nbase_url: http://x.example\n', 2],
    ['a built-in name', 'g.yaml', 'name: openai\nbase_url: https://evil.example\n', 7],
  ])('refuses %s', async (_what, name, text, code) => {
    const path = text === undefined ? join(folder, name) : file(name, text)
    const outcome = await vault.run(['providers', 'add', path])
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).not.toContain('hush')
  })

  test('what is built in stays', async () => {
    expect((await vault.run(['providers', 'remove', 'openai'])).code).toBe(4)
    expect((await vault.run(['providers', 'show', 'nobody'])).code).toBe(4)
  })
})

describe('at the real command line', () => {
  const homes = makeHomes()
  afterAll(() => homes.dispose())
  let home: Home
  beforeEach(() => {
    home = homes.make()
  })
  const locked = { env: { KEYMUX_KEY_FILE: undefined } }
  const checks = async (options = {}): Promise<Record<string, string>> => {
    const { stdout } = await home.run(['doctor', '--json'], options)
    const report = JSON.parse(stdout) as { checks: { check: string; status: string }[] }
    return Object.fromEntries(report.checks.map(({ check, status }) => [check, status]))
  }

  test('providers needs no vault, and says when those of a locked one are missing', async () => {
    expect(await home.run(['providers'], locked)).toMatchObject({ code: 0, stderr: '' })
    await home.run(['init'])
    writeFileSync(home.at('corp.yaml'), corp)
    await home.run(['providers', 'add', 'corp.yaml'])
    expect((await home.run(['providers'])).stdout).toContain('corp')
    const { code, stdout, stderr } = await home.run(['providers'], locked)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('locked') })
    expect(stdout).not.toContain('corp')
  })

  test('the config’s providers are listed, show and validate work without a vault', async () => {
    writeFileSync(
      home.at('keymux.yaml'),
      `default_preference: recent\ncooldown: {rate_limit_seconds: 7}\nproviders:\n  corp: {base_url: "https://c.example"}\n`,
    )
    const env = { KEYMUX_KEY_FILE: undefined, KEYMUX_CONFIG: home.at('keymux.yaml') }
    expect(await home.json(['providers', 'show', 'corp'], { env })).toMatchObject({ custom: true })
    const { settings } = (await home.json(['config', 'show'], { env })) as {
      settings: { key: string; value: unknown; source: string }[]
    }
    const setting = (key: string) => settings.find((each) => each.key === key)
    expect(setting('config')).toMatchObject({ value: home.at('keymux.yaml'), source: 'env' })
    expect(setting('vault')).toMatchObject({ value: home.vault, source: 'default' })
    expect(setting('default_preference')).toMatchObject({ value: 'recent', source: 'config' })
    expect(setting('cooldown.rate_limit_seconds')).toMatchObject({ value: 7, source: 'config' })
    expect(setting('cooldown.billing_max_hours')).toMatchObject({ value: 24, source: 'default' })
    expect(setting('gateway.port')).toMatchObject({ value: 7878, source: 'default' })
    expect(await home.json(['config', 'validate'], { env })).toEqual({
      path: home.at('keymux.yaml'),
      exists: true,
      valid: true,
    })
  })

  test('config validate names line and key, and every problem', async () => {
    writeFileSync(home.at('bad.yaml'), 'cooldown:\n  rate_limit_seconds: soon\ngateway: {prot: 1}\n')
    const { code, stdout, stderr } = await home.run(['config', 'validate', '--config', 'bad.yaml'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('bad.yaml:2:23: cooldown.rate_limit_seconds')
    expect(stderr).toContain('bad.yaml:3:11: gateway.prot')
    expect((await home.run(['config', 'validate', '--config', 'none.yaml'])).code).toBe(4)
    expect((await home.run(['config', 'validate'])).code).toBe(0)
    writeFileSync(home.at('provider.yaml'), 'providers:\n  corp: {label: x}\n')
    expect(await home.run(['config', 'validate', '--config', 'provider.yaml'])).toEqual(
      failure(2, expect.stringContaining('provider.yaml:2:3: providers.corp')),
    )
  })

  test('doctor is content where nothing is wrong, vault or none, locked or open', async () => {
    expect(await home.run(['doctor'], locked)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('keymux init'),
    })
    await home.run(['init'])
    expect(await checks(locked)).toEqual({
      node: 'ok',
      sqlite: 'ok',
      config: 'ok',
      vault: 'ok',
      unlocking: 'ok',
      contents: 'warning',
      memory: 'ok',
      clock: 'ok',
    })
    expect(await checks()).toMatchObject({ 'key file': 'ok', contents: 'ok' })
    expect((await home.run(['doctor'])).stdout).toContain('Nothing is wrong.')
  })

  test('doctor names what is wrong, how to mend it, and ends with its status', async () => {
    await home.run(['init'])
    chmodSync(home.keyFile, 0o644)
    expect(await home.run(['doctor'])).toMatchObject({
      code: 8,
      stdout: expect.stringContaining(`chmod 600 ${home.keyFile}`),
    })
    chmodSync(home.keyFile, 0o600)
    chmodSync(home.vault, 0o666)
    expect(await home.run(['doctor'])).toMatchObject({
      code: 8,
      stdout: expect.stringContaining(`chmod 600 ${home.vault}`),
    })
    chmodSync(home.vault, 0o600)
    writeFileSync(home.at('bad.yaml'), 'nonsense: 1\n')
    expect(await home.run(['doctor', '--config', 'bad.yaml'])).toMatchObject({ code: 2 })
    chmodSync(home.at('.local/share/keymux'), 0o777)
    expect(await checks()).toMatchObject({ vault: 'warning', contents: 'ok' })
    expect((await home.run(['doctor'])).code).toBe(0)
  })

  test('nothing hangs or asks when standard input is closed and there is no terminal', async () => {
    await home.run(['init'])
    for (const args of [
      ['secret', 'list'],
      ['audit'],
      ['vault', 'slots'],
      ['vault', 'check'],
      ['vault', 'passwd'],
      ['providers', 'add', 'x.yaml'],
      ['export'],
    ]) {
      const started = Date.now()
      const { code, stdout } = await home.run(args, { ...locked, timeout: 10_000 })
      expect([args, code, stdout]).toEqual([args, args[0] === 'providers' ? 4 : 3, ''])
      expect(Date.now() - started).toBeLessThan(8_000)
    }
  })
})
