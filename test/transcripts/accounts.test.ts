import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { badKey, ok, rateLimited, reply, startScriptedUpstream } from '../../src/entries/testing.js'
import { type CliVault, makeCliVault } from '../support/cli-vault.js'

let vault: CliVault

beforeEach(() => {
  vault = makeCliVault()
})
afterEach(() => vault.dispose())

async function add(id: string, secret: string, ...options: string[]): Promise<void> {
  const { code, stderr } = await vault.run(['add', id, '--stdin', ...options], { stdin: secret })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

const json = (text: string): unknown => JSON.parse(text) as unknown

describe('add', () => {
  test('prints the id alone, and with --json the profile_id', async () => {
    expect(await vault.run(['add', 'OpenAI:work', '--stdin'], { stdin: 'sk-a\n' })).toMatchObject({
      code: 0,
      stdout: 'openai:work\n',
    })
    const { stdout } = await vault.run(['add', 'groq', '--stdin', '--json'], { stdin: 'gsk' })
    expect(json(stdout)).toEqual({ profile_id: 'groq:default' })
  })

  test.each([
    ['sk-a', 'sk-a'],
    ['sk-a\n', 'sk-a'],
    ['sk-a\r\n', 'sk-a'],
    ['line one\nline two\n', 'line one\nline two'],
    ['ключ 🔑', 'ключ 🔑'],
    ['x'.repeat(1024 * 1024), 'x'.repeat(1024 * 1024)],
  ])('keeps what came on standard input but one final newline', async (given, kept) => {
    await add('openai:a', given)
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe(`${kept}\n`)
  })

  test.each([
    ['', 'empty'],
    ['\n', 'a newline alone'],
    ['x'.repeat(1024 * 1024 + 2), 'over 1 MiB'],
  ])('refuses a bad secret (%#: %s)', async (given) => {
    expect(await vault.run(['add', 'openai:a', '--stdin'], { stdin: given })).toMatchObject({
      code: 2,
      stdout: '',
    })
    expect(json((await vault.run(['list', '--json'])).stdout)).toEqual({ profiles: [], total: 0 })
  })

  test('an existing id is a conflict, told before the secret is asked for, unless it shall be replaced', async () => {
    await add('openai:work', 'sk-a')
    const again = await vault.run(['add', 'openai:work'], { answers: [] })
    expect(again).toMatchObject({ code: 7, asked: [], stderr: expect.stringContaining('--replace') })
    await add('openai:work', 'sk-b', '--replace')
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-b\n')
  })

  test('asks on the terminal, and says what to do where there is none', async () => {
    const asked = await vault.run(['add', 'openai:work'], { answers: ['sk-typed'] })
    expect(asked).toMatchObject({ code: 0, asked: ['API key for openai:work: '] })
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-typed\n')
    expect(await vault.run(['add', 'openai:other'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--stdin'),
    })
  })

  test('a key as an argument is refused and not repeated', async () => {
    const key = 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789'
    for (const argv of [
      ['add', 'openai', key],
      ['add', `openai:${key}`],
      ['add', 'openai', '--from-env', key],
    ]) {
      const { code, stdout, stderr } = await vault.run(argv)
      expect(code).toBe(2)
      expect(stdout + stderr).not.toContain(key)
    }
  })

  test('an OAuth profile without credentials succeeds and names the login', async () => {
    const { code, stdout, stderr } = await vault.run(['add', 'gemini:me', '--mode', 'oauth'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'gemini:me\n' })
    expect(stderr).toContain('keymux login gemini:me')
    const { stdout: listed } = await vault.run(['list', '--json'])
    expect(json(listed)).toMatchObject({ profiles: [{ id: 'gemini:me', state: 'invalid', valid: false }] })
    expect(await vault.run(['resolve', 'gemini'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('keymux login gemini:me'),
    })
  })

  test.each([
    [['add', 'nobody', '--stdin'], 'unknown_provider'],
    [['add', 'openai', '--stdin', '--from-env', 'X'], 'usage'],
    [['add', 'openai', '--stdin', '--mode', 'oauth'], 'usage'],
    [['add', 'groq', '--mode', 'oauth'], 'unsupported_mode'],
    [['add', 'openai', '--mode', 'nonsense'], 'usage'],
    [['add', 'openai', '--stdin', '--priority', '1.5'], 'invalid_value'],
    [['add', 'openai', '--stdin', '--expires-at', '2030-01-01'], 'usage'],
    [['add', 'openai', '--stdin', '--mode', 'token', '--expires-at', 'soon'], 'invalid_value'],
    [['add', 'openai', '--stdin', '--base-url', 'http://example.com'], 'invalid_value'],
    [['add', 'openai', '--ref', 'gopher://x'], 'invalid_reference'],
    [['add', 'openai', '--api-key', 'x'], 'usage'],
    [['add'], 'usage'],
  ])('%j is refused (%s)', async (argv, code) => {
    const {
      code: status,
      stdout,
      stderr,
    } = await vault.run([...argv, '--json'], { stdin: 'sk', env: { X: 'y' } })
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(json(stderr)).toMatchObject({ error: { code } })
  })
})

describe('list and show', () => {
  test('list is by provider, in the order of choice, and can be filtered', async () => {
    await add('openai:low', 'sk-1')
    await add('openai:high', 'sk-2', '--priority', '7', '--account', 'org-1', '--models', 'gpt-4*, o3')
    await add('anthropic:t', 'tok', '--mode', 'token', '--expires-at', '30d')
    await vault.run(['disable', 'openai:low'])
    const ids = async (...argv: string[]): Promise<string[]> => {
      const { stdout } = await vault.run(['list', '--json', ...argv])
      return (json(stdout) as { profiles: { id: string }[] }).profiles.map((profile) => profile.id)
    }
    expect(await ids()).toEqual(['anthropic:t', 'openai:high', 'openai:low'])
    expect(await ids('OPENAI')).toEqual(['openai:high', 'openai:low'])
    expect(await ids('--mode', 'token')).toEqual(['anthropic:t'])
    expect(await ids('--enabled')).toEqual(['anthropic:t', 'openai:high'])
    expect(await ids('--disabled')).toEqual(['openai:low'])
    expect((await vault.run(['list', '--enabled', '--disabled'])).code).toBe(2)
  })

  test('show prints the secret only when it is asked to, and the audit knows', async () => {
    await add('openai:work', 'sk-secret-1')
    const quiet = await vault.run(['show', 'openai:work'])
    expect(quiet.stdout + quiet.stderr).not.toContain('sk-secret-1')
    expect((await vault.run(['show', 'openai:work', '--json'])).stdout).not.toContain('sk-secret-1')
    const shown = await vault.run(['show', 'openai:work', '--reveal', '--json'])
    expect(json(shown.stdout)).toMatchObject({ id: 'openai:work', key: 'sk-secret-1' })
    const handle = await vault.open()
    expect((await handle.vault.audit()).at(-1)).toMatchObject({ event: 'revealed', subject: 'openai:work' })
    await handle.close()
  })

  test('show --reveal --json holds the refresh token too', async () => {
    const handle = await vault.open()
    await handle.profiles.add({
      provider: 'gemini',
      name: 'me',
      oauth: { accessToken: 'at', refreshToken: 'rt', expiresAt: new Date('2027-01-01'), email: 'me@x.com' },
    })
    await handle.close()
    const shown = await vault.run(['show', 'gemini:me', '--reveal', '--json'])
    expect(json(shown.stdout)).toMatchObject({ access_token: 'at', refresh_token: 'rt', email: 'me@x.com' })
  })
})

describe('changing', () => {
  test('every changing command prints the ids that it changed', async () => {
    await add('openai:a', 'sk-a')
    await add('openai:b', 'sk-b')
    await vault.run(['report', 'failure', 'openai:b', '--status', '429'])
    for (const [argv, ids] of [
      [
        ['disable', 'openai:a', 'openai:b', 'openai:a'],
        ['openai:a', 'openai:b'],
      ],
      [
        ['enable', 'openai:a', 'openai:b'],
        ['openai:a', 'openai:b'],
      ],
      [['priority', 'openai:a', '-3'], ['openai:a']],
      [['rename', 'openai:a', 'c'], ['openai:c']],
      [['reset', 'openai:b', 'openai:c'], ['openai:b']],
      [
        ['remove', 'openai:b', 'openai:c'],
        ['openai:b', 'openai:c'],
      ],
    ] as const) {
      const { code, stdout, stderr } = await vault.run([...argv, '--json'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(json(stdout)).toMatchObject({ changed: ids })
    }
  })

  test('a mistyped id among several changes nothing', async () => {
    await add('openai:a', 'sk-a')
    expect((await vault.run(['remove', 'openai:a', 'openai:typo'])).code).toBe(4)
    expect((await vault.run(['disable', 'openai:a', 'nonsense:'])).code).toBe(2)
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-a\n')
  })

  test('remove asks on a terminal, and not with --yes or without one', async () => {
    await add('openai:a', 'sk-a')
    expect(await vault.run(['remove', 'openai:a'], { stdinIsTTY: true, answers: [false] })).toMatchObject({
      code: 1,
    })
    expect((await vault.run(['resolve', 'openai'])).code).toBe(0)
    expect(await vault.run(['remove', 'openai:a', '--yes'], { stdinIsTTY: true, answers: [] })).toMatchObject(
      { code: 0 },
    )
    await add('openai:a', 'sk-a')
    expect(await vault.run(['remove', 'openai:a'])).toMatchObject({ code: 0, asked: [] })
  })
})

describe('resolve', () => {
  test('a cooling account gives way to the next, and when none is left says when one will be back', async () => {
    await add('openai:work', 'sk-work', '--priority', '5')
    await add('openai:home', 'sk-home')
    const reported = await vault.run([
      'report',
      'failure',
      'openai:work',
      '--status',
      '429',
      '--retry-after',
      '90',
      '--json',
    ])
    expect(json(reported.stdout)).toEqual({
      profile_id: 'openai:work',
      reason: 'rate_limit',
      scope: 'credential',
      certainty: 'presumed',
      state: 'cooling',
      unusable_until: '2026-01-31T12:01:30Z',
    })
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-home\n')
    await vault.run(['report', 'failure', 'openai:home', '--reason', 'billing'])
    const none = await vault.run(['resolve', 'openai', '--json'])
    expect(none).toMatchObject({ code: 5, stdout: '' })
    expect(json(none.stderr)).toMatchObject({
      error: {
        code: 'no_usable_profile',
        retry_at: '2026-01-31T12:01:30Z',
        reasons: [
          { profile_id: 'openai:work' },
          { profile_id: 'openai:home', state: 'disabled', reason: 'billing' },
        ],
      },
    })
    vault.clock.advance(90_000)
    expect((await vault.run(['resolve', 'openai'])).stdout).toBe('sk-work\n')
    await vault.run(['report', 'success', 'openai:home'])
    expect((await vault.run(['resolve', 'openai:home'])).stdout).toBe('sk-home\n')
  })

  test('chains, modes, models and strictness', async () => {
    await add('groq:g', 'gsk')
    await add('openai:t', 'tok', '--mode', 'token')
    await add('openai:k', 'sk', '--models', 'gpt-4*')
    expect((await vault.run(['resolve', 'anthropic,groq'])).stdout).toBe('gsk\n')
    expect((await vault.run(['resolve', 'anthropic,openai:k,groq'])).stdout).toBe('sk\n')
    expect((await vault.run(['resolve', 'groq,openai:ghost'])).code).toBe(4)
    expect((await vault.run(['resolve', 'openai', '--mode', 'token'])).stdout).toBe('tok\n')
    expect((await vault.run(['resolve', 'openai', '--model', 'o3'])).stdout).toBe('tok\n')
    expect((await vault.run(['resolve', 'openai:ghost'])).code).toBe(4)
    expect((await vault.run(['resolve', 'anthropic:ghost'])).code).toBe(4)
    expect((await vault.run(['env', 'openai:ghost'])).code).toBe(4)
    expect((await vault.run(['resolve', 'openai', '--only', 'openai:ghost'])).code).toBe(4)
    expect((await vault.run(['resolve', 'openai', '--only', 'openai:t'])).stdout).toBe('tok\n')
    expect((await vault.run(['resolve', 'openai:ghost', '--strict'])).code).toBe(4)
    expect((await vault.run(['resolve', 'openai', '--strict'])).code).toBe(2)
    expect((await vault.run(['resolve', 'mistral'])).code).toBe(5)
    expect((await vault.run(['resolve', 'nobody'])).code).toBe(2)
    expect((await vault.run(['resolve', 'nobody,groq'])).code).toBe(2)
    expect((await vault.run(['env', 'groq', 'nobody'])).code).toBe(2)
    const { stdout } = await vault.run(['resolve', 'openai:k', '--json'])
    expect(json(stdout)).toEqual({
      provider: 'openai',
      profile_id: 'openai:k',
      mode: 'api_key',
      credential: 'sk',
      attempted_profiles: ['openai:k'],
    })
  })

  test('a provider’s message that repeats the key is redacted before it is stored', async () => {
    await add('openai:work', 'my very own odd secret')
    await vault.run(['report', 'failure', 'openai:work', '--message', 'bad key my very own odd secret given'])
    const { stdout } = await vault.run(['list', '--json'])
    expect(stdout).toContain('[redacted]')
    expect(stdout).not.toContain('odd secret')
  })
})

describe('a profile that is named and cannot serve', () => {
  test('is told on standard error, with the one that serves instead', async () => {
    await add('openai:work', 'sk-work', '--priority', '2')
    await add('openai:client', 'sk-client')
    const said = async (args: readonly string[]): Promise<string> => {
      const { code, stderr } = await vault.run(args)
      expect(code).toBe(0)
      return stderr
    }
    for (const args of [
      ['resolve', 'openai:work'],
      ['env', 'openai:work'],
    ])
      expect(await said(args)).toBe('')
    await vault.run(['report', 'failure', 'openai:work', '--reason', 'rate_limit', '--retry-after', '7200'])
    for (const args of [
      ['resolve', 'openai:work'],
      ['env', 'openai:work'],
    ])
      expect(await said(args)).toMatch(/^openai:work is cooling until .*; using openai:client\n$/)
    const { stdout } = await vault.run(['resolve', 'openai:work', '--json'])
    expect(json(stdout)).toMatchObject({ profile_id: 'openai:client' })
    await vault.run(['disable', 'openai:work'])
    expect(await said(['resolve', 'openai:work'])).toContain(
      'openai:work is switched off; using openai:client',
    )
    expect((await vault.run(['resolve', 'openai:work', '--strict'])).code).toBe(5)
  })
})

describe('several words and commas', () => {
  test('env sets a variable for each word, and of a comma list that of the first that can serve', async () => {
    await add('openai:a', 'sk-a')
    await add('groq:g', 'gsk')
    expect((await vault.run(['env', 'openai', 'groq'])).stdout).toBe(
      "export OPENAI_API_KEY='sk-a'\nexport GROQ_API_KEY='gsk'\n",
    )
    expect((await vault.run(['env', 'openai,groq'])).stdout).toBe("export OPENAI_API_KEY='sk-a'\n")
    await vault.run(['report', 'failure', 'openai:a', '--reason', 'billing'])
    const chain = await vault.run(['env', 'openai:a,groq'])
    expect(chain.stdout).toBe("export GROQ_API_KEY='gsk'\n")
    expect(chain.stderr).toContain('openai:a is disabled until')
    expect((await vault.run(['env', 'openai', 'groq'])).code).toBe(5)
    expect((await vault.run(['exec', 'openai'])).code).toBe(2)
    expect((await vault.run(['exec', '--', 'true'])).code).toBe(2)
    expect((await vault.run(['exec', '--gateway', 'openai,groq', '--', 'true'])).code).toBe(2)
    const key = await vault.run(['exec', 'sk-proj-abcdefghijklmnopqrstuvwxyz123456', '--', 'true'])
    expect([key.code, key.stderr.includes('abcdefghij')]).toEqual([2, false])
    expect(key.stderr).toContain('looks like a')
  })

  test('add takes several headers, with commas in them', async () => {
    await add('openai:a', 'sk-a', '--header', 'OpenAI-Project=p-1', '--header', 'x-list=a,b')
    const { stdout } = await vault.run(['show', 'openai:a', '--json'])
    expect(json(stdout)).toMatchObject({ headers: { 'openai-project': 'p-1', 'x-list': 'a,b' } })
    const wrong = await vault.run(['add', 'openai:b', '--stdin', '--header', 'nothing'], { stdin: 'sk' })
    expect(wrong.code).toBe(2)
  })
})

describe('resolve --helper', () => {
  const runtime = mkdtempSync(path.join(tmpdir(), 'keymux-runtime-'))
  const env = { XDG_RUNTIME_DIR: runtime }
  afterAll(() => rmSync(runtime, { recursive: true }))

  const ask = async (caller: string, ...more: string[]): Promise<string> => {
    const { code, stdout } = await vault.run(['resolve', 'openai', '--helper', ...more], { caller, env })
    expect(code).toBe(0)
    return stdout.trim()
  }

  test('gives a program that asks again at once the next account, and reports no failure', async () => {
    await add('openai:a', 'sk-a', '--priority', '3')
    await add('openai:b', 'sk-b', '--priority', '2')
    await add('openai:c', 'sk-c', '--priority', '1')
    const given: string[] = []
    for (let times = 0; times < 4; times += 1) {
      given.push(await ask('1-100'))
      vault.clock.advance(4_000)
    }
    expect(given).toEqual(['sk-a', 'sk-b', 'sk-c', 'sk-a'])
    vault.clock.advance(6_000)
    expect([await ask('1-100'), await ask('2-200'), await ask('1-100')]).toEqual(['sk-a', 'sk-a', 'sk-b'])
    expect(await ask('1-100', '--only', 'openai:a')).toBe('sk-a')
    const { stdout } = await vault.run(['status', '--json'])
    expect(stdout).not.toMatch(/"error_count":[1-9]/)
    const [kept, ...others] = readdirSync(path.join(runtime, 'keymux'))
    expect(others.length).toBeLessThan(3)
    const file = path.join(runtime, 'keymux', kept ?? '')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain('sk-')
  })

  test('goes round when all were tried, also among equals', async () => {
    await add('openai:a', 'sk-a')
    await add('openai:b', 'sk-b')
    const given: string[] = []
    for (let times = 0; times < 6; times += 1) given.push(await ask('3-300'))
    for (let at = 1; at < given.length; at += 1) expect(given[at]).not.toBe(given[at - 1])
  })

  test('does so too where the folder of the session is not there', async () => {
    await add('openai:a', 'sk-a', '--priority', '2')
    await add('openai:b', 'sk-b', '--priority', '1')
    const absent = {
      XDG_RUNTIME_DIR: path.join(runtime, 'absent'),
      XDG_STATE_HOME: path.join(runtime, 'state'),
    }
    mkdirSync(absent.XDG_STATE_HOME)
    const options = { caller: '4-400', env: absent }
    const given: string[] = []
    for (let times = 0; times < 2; times += 1) {
      given.push((await vault.run(['resolve', 'openai', '--helper'], options)).stdout.trim())
    }
    expect(given).toEqual(['sk-a', 'sk-b'])
  })

  test('says like resolve when nobody can serve', async () => {
    await add('openai:a', 'sk-a')
    await vault.run(['report', 'failure', 'openai:a', '--reason', 'billing'])
    for (let times = 0; times < 2; times += 1) {
      expect(await vault.run(['resolve', 'openai', '--helper'], { caller: '1-1', env })).toMatchObject({
        code: 5,
      })
    }
  })
})

describe('an address that the environment names', () => {
  const env = {
    OPENAI_BASE_URL: 'http://foreign.example/v1',
    OPENAI_API_BASE: 'http://foreign.example/v1',
    OPENAI_ORG_ID: 'org-of-another',
    UNRELATED: 'x',
  }

  test.each([
    ['sh', 'unset OPENAI_BASE_URL\nunset OPENAI_API_BASE\nunset OPENAI_ORG_ID\n'],
    ['fish', 'set -e OPENAI_BASE_URL\nset -e OPENAI_API_BASE\nset -e OPENAI_ORG_ID\n'],
    ['dotenv', ''],
  ])('is unset by env (%s), so that no key meets it', async (format, lines) => {
    await add('openai:a', 'sk-a')
    const { stdout } = await vault.run(['env', 'openai', '--format', format], { env })
    expect(stdout.startsWith(lines)).toBe(true)
    expect(stdout.slice(lines.length).split('\n').filter(Boolean)).toHaveLength(1)
  })

  test('is set by env where it is the profile’s own', async () => {
    await add('openai:a', 'sk-a', '--base-url', 'https://proxy.example/v1')
    const { stdout } = await vault.run(['env', 'openai'], { env })
    expect(stdout).toContain("export OPENAI_BASE_URL='https://proxy.example/v1'")
    expect(stdout).toContain('unset OPENAI_API_BASE\n')
  })

  test('keeps a key for another address from programs that read none', async () => {
    await add('mistral:a', 'sk-a', '--base-url', 'https://proxy.example/v1')
    const refused = await vault.run(['env', 'mistral'])
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('https://proxy.example/v1')
  })

  test('comes along with the key that is imported, once a person trusts it', async () => {
    const keyed = { ...env, OPENAI_API_KEY: 'sk-of-the-proxy-123456' }
    const first = await vault.run(['import', 'env', '--json'], { env: keyed })
    expect(json(first.stdout)).toMatchObject({ imported: [], failed: [{ id: 'openai:default' }] })
    const second = await vault.run(['import', 'env', '--json', '--trust-endpoints'], {
      env: { ...keyed, OPENAI_BASE_URL: 'https://proxy.example/v1' },
    })
    expect(json(second.stdout)).toMatchObject({ imported: ['openai:default'] })
    const shown = await vault.run(['show', 'openai:default', '--json'])
    expect(json(shown.stdout)).toMatchObject({ base_url: 'https://proxy.example/v1' })
  })

  test('that is the provider’s own is no other', async () => {
    const own = { OPENAI_BASE_URL: 'https://api.openai.com', OPENAI_API_KEY: 'sk-own-1234567890' }
    const { stdout } = await vault.run(['import', 'env', '--json'], { env: own })
    expect(json(stdout)).toMatchObject({ imported: ['openai:default'] })
    const shown = await vault.run(['show', 'openai:default', '--json'])
    expect(json(shown.stdout)).not.toHaveProperty('base_url')
  })
})

describe('env', () => {
  test.each([
    ['sh', `export OPENAI_API_KEY='a'\\''b $(x)'\n`],
    ['fish', `set -gx OPENAI_API_KEY 'a\\'b $(x)'\n`],
    ['powershell', `$env:OPENAI_API_KEY = 'a''b $(x)'\n`],
    ['json', `{"OPENAI_API_KEY":"a'b $(x)"}\n`],
  ])('%s quotes everything', async (format, line) => {
    await add('openai', `a'b $(x)`)
    expect((await vault.run(['env', 'openai', '--format', format])).stdout).toBe(line)
  })

  test('the variable is the one the SDK reads for that mode', async () => {
    await add('anthropic:k', 'key', '--priority', '1')
    await add('anthropic:t', 'tok', '--mode', 'token')
    await add('gemini', 'AIza', '--base-url', 'http://127.0.0.1:9')
    expect((await vault.run(['env', 'anthropic:k'])).stdout).toBe(`export ANTHROPIC_API_KEY='key'\n`)
    expect((await vault.run(['env', 'anthropic:t'])).stdout).toBe(`export ANTHROPIC_AUTH_TOKEN='tok'\n`)
    const { stdout } = await vault.run(['env', 'gemini', '--json'])
    expect(json(stdout)).toEqual({
      GOOGLE_API_KEY: 'AIza',
      GEMINI_API_KEY: 'AIza',
      GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:9',
    })
  })
})

describe('test --live', () => {
  test('asks the provider at the profile’s own base URL, and remembers what it said', async () => {
    await using upstream = await startScriptedUpstream({ provider: 'openai' })
    upstream.respond(ok(), 'sk-good')
    upstream.respond(badKey(), 'sk-bad')
    upstream.respond(rateLimited({ retryAfter: 20 }), 'sk-slow')
    for (const name of ['good', 'bad', 'slow']) {
      await add(`openai:${name}`, `sk-${name}`, '--base-url', `${upstream.url}/v1`)
    }
    const live = await vault.run(['test', 'openai:good', 'openai:bad', 'openai:slow', '--live', '--json'])
    expect(live.code).toBe(1)
    expect(json(live.stdout)).toMatchObject({
      results: [
        { profile_id: 'openai:good', valid: true, live: { outcome: 'works', status: 200 } },
        { profile_id: 'openai:bad', live: { outcome: 'refused', reason: 'auth', status: 401 } },
        { profile_id: 'openai:slow', state: 'cooling', live: { outcome: 'limited', reason: 'rate_limit' } },
      ],
    })
    expect(upstream.requests.map((request) => `${request.method} ${request.path}`)).toEqual(
      Array(3).fill('GET /v1/models'),
    )
    expect((await vault.run(['test', 'openai:good'])).stdout).toContain('looks valid')
  })

  test('shows no key that the provider repeats, whatever it looks like', async () => {
    await using upstream = await startScriptedUpstream({ provider: 'openai' })
    const text = 'Incorrect credential provided, teamkey-marked (dGVhbWtleS1tYXJrZWQ=) is not known'
    upstream.respond(reply(401, { error: { message: text, code: 'invalid_api_key' } }), 'teamkey-marked')
    await add('openai:k', 'teamkey-marked', '--base-url', `${upstream.url}/v1`)
    for (const format of [[], ['--json']]) {
      const { stdout, stderr } = await vault.run(['test', 'openai:k', '--live', ...format])
      expect(stdout + stderr).toContain('Incorrect credential')
      expect(stdout + stderr).not.toMatch(/teamkey-marked|dGVhbWtleS1tYXJrZW/)
      await vault.run(['reset', 'openai:k'])
    }
  })

  test('a provider that cannot be reached is told apart from a bad key', async () => {
    await add('openai:a', 'sk-a', '--base-url', 'http://127.0.0.1:1/v1')
    const { code, stdout } = await vault.run(['test', 'openai:a', '--live', '--json'])
    expect(code).toBe(0)
    expect(json(stdout)).toMatchObject({ results: [{ live: { outcome: 'unreachable' } }] })
  })
})

describe('status', () => {
  test('counts down, shows models, and tells programs everything', async () => {
    await add('openai:work', 'sk-1')
    await vault.run([
      'report',
      'failure',
      'openai:work',
      '--status',
      '429',
      '--model',
      'gpt-4o',
      '--retry-after',
      '45',
    ])
    const { stdout } = await vault.run(['status', '--json'])
    expect(json(stdout)).toEqual({
      providers: [
        {
          provider: 'openai',
          profiles: [
            {
              id: 'openai:work',
              state: 'available',
              model_cooldowns: [
                {
                  model: 'gpt-4o',
                  until: '2026-01-31T12:00:45Z',
                  reason: 'rate_limit',
                  certainty: 'presumed',
                },
              ],
              quota: [],
              error_count: 1,
              failure_counts: { rate_limit: 1 },
              last_good: false,
            },
          ],
        },
      ],
    })
    expect((await vault.run(['status'], { columns: 80 })).stdout).toContain('gpt-4o')
  })
})
