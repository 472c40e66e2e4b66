import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { failure, type Home, makeHomes } from './home.js'

const homes = makeHomes()
afterAll(() => homes.dispose())
let home: Home
beforeEach(async () => {
  home = homes.make()
  await home.run(['init'])
})

const vector = (...parts: string[]): string => path.resolve('test/vectors', ...parts)
const SAMPLE = vector('devclaw/sample.devclaw.vault')
const devclaw = (passphrase: string) => ({ env: { DEVCLAW_VAULT_PASSWORD: passphrase } })
const RIGHT = devclaw('correct horse battery staple')
const TRUST = '--trust-endpoints'
const exportKey = { env: { KEYMUX_EXPORT_PASSPHRASE: 'export me' } }

interface Imported {
  readonly imported: string[]
  readonly skipped: { id: string; reason: string }[]
  readonly failed: { id: string; reason: string }[]
  readonly notes?: string[]
}
const imported = async (args: readonly string[], options = {}, at = home): Promise<Imported> =>
  (await at.json(['import', ...args], options)) as Imported

/** All that a vault holds, in the clear and without the time of the export. */
async function everything(at: Home): Promise<Record<string, unknown>> {
  const { stdout } = await at.run(['export', '--format', 'json', '--reveal'])
  const { exported_at: _time, ...rest } = JSON.parse(stdout) as Record<string, unknown>
  return rest
}

/** Destroys the last byte of the first records with a secret, and with that the secret alone. */
function damageSecrets(table: string, count: number): void {
  const database = new DatabaseSync(home.vault)
  const rows = database.prepare('SELECT id, body FROM rows WHERE tbl = ? ORDER BY length(body) DESC LIMIT ?')
  for (const { id, body } of rows.all(table, count) as { id: Uint8Array; body: Uint8Array }[]) {
    const damaged = Uint8Array.from(body, (byte, at) => (at === body.length - 1 ? byte ^ 1 : byte))
    database.prepare('UPDATE rows SET body = ? WHERE tbl = ? AND id = ?').run(damaged, table, id)
  }
  database.close()
}

async function another(): Promise<Home> {
  const other = homes.make()
  await other.run(['init'])
  return other
}

describe('import devclaw', () => {
  test('brings profiles, secrets, use, windows and the last good ones', async () => {
    expect(await imported(['devclaw', SAMPLE], RIGHT)).toEqual({
      imported: [
        'vault://GROQ_API_KEY',
        'vault://OPENAI_API_KEY',
        'vault://unicode ключ 🔑',
        'anthropic:ci',
        'gemini:personal',
        'openai:default',
        'openai:old',
        'openai:work',
        'qwen:stale',
      ],
      skipped: [],
      failed: [],
      notes: [expect.stringContaining('not in both')],
    })
    const list = (await home.json(['list'])) as { profiles: Record<string, unknown>[] }
    const profiles = new Map(list.profiles.map((profile) => [profile.id, profile]))
    expect(profiles.get('openai:work')).toMatchObject({
      priority: 10,
      created_at: '2026-03-01T09:30:00.123Z',
    })
    expect(profiles.get('openai:old')).toMatchObject({ state: 'off', last_error: '401 unauthorized' })
    expect(profiles.get('gemini:personal')).toMatchObject({ mode: 'oauth', email: 'shared@example.com' })
    expect(profiles.get('openai:default')).toMatchObject({ reference: 'vault://OPENAI_API_KEY' })
    expect(await home.json(['status', 'openai'])).toMatchObject({
      providers: [
        {
          profiles: expect.arrayContaining([
            expect.objectContaining({
              id: 'openai:work',
              error_count: 2,
              failure_counts: { billing: 1, rate_limit: 1 },
            }),
            expect.objectContaining({ id: 'openai:default', last_good: true }),
          ]),
        },
      ],
    })
    const { stdout } = await home.run(['resolve', 'openai:default', '--strict'])
    expect(stdout).toBe('sk-shared-vault-openai-0123456789abcdef\n')
    expect((await home.run(['secret', 'get', 'unicode ключ 🔑'])).code).toBe(0)
  })

  test('twice changes nothing the second time', async () => {
    await imported(['devclaw', SAMPLE], RIGHT)
    const before = await everything(home)
    const again = await imported(['devclaw', SAMPLE], RIGHT)
    expect(again).toMatchObject({ imported: [], failed: [] })
    expect(new Set(again.skipped.map(({ reason }) => reason))).toEqual(new Set(['already there']))
    expect(await everything(home)).toEqual(before)
  })

  test('takes the passphrase from a descriptor or the terminal', async () => {
    const fd3 = 'correct horse battery staple\n'
    expect(
      (await imported(['devclaw', SAMPLE, '--source-passphrase-fd', '3'], { fd3 })).imported,
    ).toHaveLength(9)
    const session = home.terminal(['import', 'devclaw', SAMPLE])
    await session.waitFor('Passphrase of the DevClaw vault: ')
    session.type('correct horse battery staple\r')
    expect(await session.ended).toMatchObject({ code: 0, screen: expect.stringContaining('9 skipped') })
  })

  test('with a wrong passphrase, an empty one or none imports nothing', async () => {
    for (const [options, code] of [
      [devclaw('wrong'), 3],
      [devclaw(''), 2],
      [{}, 3],
    ] as const) {
      expect(await home.run(['import', 'devclaw', SAMPLE], options)).toMatchObject({ code, stdout: '' })
    }
    expect(await home.json(['list'])).toMatchObject({ total: 0 })
    expect(await home.json(['secret', 'list'])).toMatchObject({ total: 0 })
  })

  test('says that its logins are shared now', async () => {
    const { stderr } = await home.run(['import', 'devclaw', SAMPLE], RIGHT)
    expect(stderr).toMatch(/not in both\.\n$/)
  })

  test('comes back as a vault that opens with the same content', async () => {
    await imported(['devclaw', SAMPLE], RIGHT)
    const out = ['export', '--format', 'devclaw', '--out', 'back.vault']
    expect(await home.json(out, devclaw('another'))).toEqual({
      format: 'devclaw',
      path: home.at('back.vault'),
      profiles: 6,
      secrets: 3,
      providers: 0,
    })
    expect(statSync(home.at('back.vault')).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(home.at('back.vault'), 'utf8'))).toMatchObject({ version: 1 })
    const other = await another()
    expect(
      (await imported(['devclaw', home.at('back.vault')], devclaw('another'), other)).imported,
    ).toHaveLength(9)
    expect(await everything(other)).toEqual(await everything(home))
  })
})

describe('import from other tools', () => {
  test.each([
    ['claude-code', 'claude-code/.credentials.json', ['anthropic:claude-code']],
    ['codex', 'codex/auth.json', ['openai:codex@example.com']],
    ['codex', 'codex-apikey/auth.json', ['openai:codex']],
    ['copilot', 'copilot/apps.json', ['github-copilot:octo']],
    ['gemini-cli', 'gemini-cli/oauth_creds.json', ['gemini:gem@example.com']],
    ['llm', 'llm/keys.json', ['openai:llm', 'mistral:llm']],
    ['opencode', 'opencode/auth.json', ['anthropic:opencode', 'openai:opencode', 'groq:opencode']],
    ['qwen-code', 'qwen-code/oauth_creds.json', ['qwen:qwen-code']],
  ])('%s %s', async (source, file, ids) => {
    const before = readFileSync(vector('imports', file))
    // Qwen's tokens are good at another address than its provider's.
    const trust = source === 'qwen-code' ? [TRUST] : []
    expect((await imported([source, vector('imports', file), ...trust])).imported).toEqual(ids)
    expect(await imported([source, vector('imports', file)])).toMatchObject({
      imported: [],
      skipped: expect.arrayContaining(ids.map((id) => ({ id, reason: 'already there' }))),
    })
    expect(readFileSync(vector('imports', file))).toEqual(before)
  })

  test('finds the tool’s own file', async () => {
    mkdirSync(home.at('.claude'))
    copyFileSync(vector('imports/claude-code/.credentials.json'), home.at('.claude/.credentials.json'))
    expect((await imported(['claude-code'])).imported).toEqual(['anthropic:claude-code'])
    expect(await home.run(['import', 'codex'])).toEqual(
      failure(4, expect.stringContaining('.codex/auth.json')),
    )
  })

  test('a login becomes a token, and a login with --take-over', async () => {
    const file = vector('imports/gemini-cli/oauth_creds.json')
    const id = 'gemini:gem@example.com'
    expect(await imported(['gemini-cli', file])).toEqual({
      imported: [id],
      skipped: [],
      failed: [],
      notes: [
        `${id}: only the access token came along, good until it expires: Gemini CLI renews this login, and two programs that renew one login end it for each other; log in separately with keymux login, or take it over with --take-over --replace --client-id ID.`,
      ],
    })
    expect(await home.json(['list'])).toMatchObject({
      profiles: [{ mode: 'token', expires_at: expect.any(String), state: 'available' }],
    })
    const takeOver = ['gemini-cli', file, '--take-over', '--client-id', 'mine']
    expect((await imported(takeOver)).skipped).toEqual([{ id, reason: expect.stringContaining('--replace') }])
    const secret = ['--client-secret-ref', 'vault://GOOGLE', '--replace']
    expect((await imported([...takeOver, ...secret])).notes).toEqual([
      `${id}: taken over; do not renew it in Gemini CLI as well: log in there anew.`,
    ])
    expect(await home.json(['list'])).toMatchObject({
      profiles: [{ mode: 'oauth', renewable: true }],
      total: 1,
    })
    expect(await everything(home)).toMatchObject({
      profiles: [{ oauth: { client_id: 'mine', client_secret_ref: 'vault://GOOGLE' } }],
    })
  })

  test.each([
    ['claude-code', 'claude-code/.credentials.json', [], 'no token endpoint of anthropic'],
    ['claude-code', 'claude-code/.credentials.json', ['--client-id', 'x'], 'no token endpoint of anthropic'],
    ['codex', 'codex/auth.json', [], 'it cannot be taken over, for no '],
    ['gemini-cli', 'gemini-cli/oauth_creds.json', [], '--client-id'],
    ['qwen-code', 'qwen-code/oauth_creds.json', [], '--client-id'],
  ])('what nothing could renew is not taken over: %s', async (source, file, more, reason) => {
    const args = ['import', source, vector('imports', file), '--take-over', ...more]
    const { code, stdout } = await home.run([...args, '--json'])
    expect({ code, result: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 1,
      result: { imported: [], failed: [{ reason: expect.stringContaining(reason) }] },
    })
    expect(await home.json(['list'])).toMatchObject({ total: 0 })
  })

  test.each([
    ['claude-code', 'claude-code/.credentials.json', 'Claude Code'],
    ['qwen-code', 'qwen-code/oauth_creds.json', 'Qwen Code'],
  ])('says in one line why a login came as a token, on standard error: %s', async (source, file, tool) => {
    const { stdout, stderr } = await home.run(['import', source, vector('imports', file), TRUST])
    expect(stdout).toContain('1 imported')
    expect(stderr).toMatch(
      /^\S+: only the access token came along, .*; import it again when it has expired\.\n$/,
    )
    expect(stderr).toContain(`${tool} renews this login`)
  })

  test.each([
    ['without --take-over', ['gemini-cli', 'x', '--client-id', 'a'], '--take-over'],
    ['of another keymux', ['json', 'x', '--take-over', '--client-id', 'a'], 'this source'],
    ['with no reference', ['codex', 'x', '--take-over', '--client-secret-ref', 'gopher://x'], 'reference'],
  ])('refuses a client %s', async (_what, args, hint) => {
    expect(await home.run(['import', ...args])).toEqual(failure(2, expect.stringContaining(hint)))
  })

  test('--name names the one account', async () => {
    expect((await imported(['codex', vector('imports/codex/auth.json'), '--name', 'work'])).imported).toEqual(
      ['openai:work'],
    )
    const several = { openai: 'sk-1', anthropic: 'sk-ant-2' }
    writeFileSync(home.at('keys.json'), JSON.stringify(several))
    expect((await imported(['llm', 'keys.json', '--name', 'x'])).imported).toEqual([
      'openai:x',
      'anthropic:x',
    ])
  })

  test('the environment and .env files give the keys that are known', async () => {
    const env = { OPENAI_API_KEY: 'sk-env', GEMINI_API_KEY: 'AIzaX', HOME_SWEET_HOME: 'x', GROQ_API_KEY: '' }
    expect(await imported(['env'], { env })).toEqual({
      imported: ['gemini:default', 'openai:default'],
      skipped: [{ id: 'GROQ_API_KEY', reason: 'it is empty' }],
      failed: [],
    })
    writeFileSync(home.at('.env'), 'export OPENAI_API_KEY="sk-dotenv"\nANTHROPIC_AUTH_TOKEN=tok\nOTHER=1\n')
    expect(await imported(['dotenv', '--name', 'file'])).toEqual({
      imported: ['openai:file', 'anthropic:file'],
      skipped: [],
      failed: [],
    })
    expect((await home.run(['resolve', 'openai:file', '--strict'])).stdout).toBe('sk-dotenv\n')
    expect(await home.json(['list', 'anthropic'])).toMatchObject({ profiles: [{ mode: 'token' }] })
  })

  test('what exists with other contents stays, unless --replace', async () => {
    await home.run(['add', 'openai', '--stdin'], { stdin: 'mine' })
    const env = { OPENAI_API_KEY: 'theirs' }
    expect(await imported(['env'], { env })).toEqual({
      imported: [],
      skipped: [{ id: 'openai:default', reason: expect.stringContaining('--replace') }],
      failed: [],
    })
    expect((await home.run(['resolve', 'openai'])).stdout).toBe('mine\n')
    expect((await imported(['env', '--replace'], { env })).imported).toEqual(['openai:default'])
    expect((await home.run(['resolve', 'openai'])).stdout).toBe('theirs\n')
  })
})

test('two imports at once leave what one would', async () => {
  const profiles = Object.fromEntries(
    Array.from({ length: 60 }, (_, n) => {
      const id = `openai:${n}`
      const key = { api_key: { key: `sk-${n}` }, created_at: '2026-01-01T00:00:00Z' }
      return [id, { id, provider: 'openai', name: String(n), mode: 'api_key', enabled: true, ...key }]
    }),
  )
  writeFileSync(home.at('many.json'), JSON.stringify({ version: 1, profiles }))
  const both = await Promise.all([imported(['json', 'many.json']), imported(['json', 'many.json'])])
  expect(both.flatMap((one) => one.imported).sort()).toEqual(Object.keys(profiles).sort())
  expect(both.flatMap((one) => one.failed)).toEqual([])
  expect(await home.json(['vault', 'check'])).toEqual({ ok: true, problems: [] })
})

describe('an import that goes wrong', () => {
  test.each([
    ['an unknown source', ['nothing'], 2, 'claude-code'],
    ['no file', ['json'], 2, 'PATH'],
    ['a missing file', ['json', 'none.json'], 4, 'none.json'],
    ['a folder', ['json', '.'], 8, 'regular file'],
    ['a path for the environment', ['env', 'x'], 2, 'path'],
    ['a name for a whole vault', ['devclaw', SAMPLE, '--name', 'x'], 2, '--name'],
  ])('%s', async (_what, args, code, hint) => {
    expect(await home.run(['import', ...args])).toEqual(failure(code, expect.stringContaining(hint)))
  })

  test('a file of another kind is refused with its name and the field, and shows nothing of it', async () => {
    writeFileSync(home.at('bad.json'), '{"claudeAiOauth":{"accessToken":["sk-ant-secret"]}}')
    for (const source of ['claude-code', 'json', 'openclaw']) {
      const { code, stdout, stderr } = await home.run(['import', source, 'bad.json'])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(home.at('bad.json'))
      expect(stderr).not.toContain('sk-ant-secret')
    }
    writeFileSync(home.at('noise'), Buffer.from([0xff, 0xfe, 0x00, 0xd8]))
    for (const source of ['devclaw', 'age', 'dotenv', 'llm']) {
      expect((await home.run(['import', source, 'noise'], RIGHT)).code).toBe(2)
    }
    expect(await home.json(['list'])).toMatchObject({ total: 0 })
  })

  test('one bad piece is reported, the others arrive, and the exit status is 1', async () => {
    const time = '2026-01-01T00:00:00Z'
    const profile = (provider: string, mode: string, more: object) => ({
      id: `${provider}:a`,
      provider,
      name: 'a',
      mode,
      enabled: true,
      created_at: time,
      updated_at: time,
      ...more,
    })
    const store = {
      version: 1,
      profiles: {
        'openai:a': profile('openai', 'api_key', { api_key: { key: 'sk-good' } }),
        'openrouter:a': profile('openrouter', 'oauth', {}),
        'corp:a': profile('corp', 'api_key', { api_key: { key: 'sk-corp' } }),
      },
    }
    writeFileSync(home.at('mixed.json'), JSON.stringify(store))
    const { code, stdout } = await home.run(['import', 'json', 'mixed.json', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual({
      imported: ['openai:a'],
      skipped: [{ id: 'corp:a', reason: expect.stringContaining('keymux providers add') }],
      failed: [{ id: 'openrouter:a', reason: expect.stringContaining('does not support') }],
    })
    const text = await home.run(['import', 'json', 'mixed.json'])
    expect(text).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('0 imported, 2 skipped, 1 failed'),
    })
  })
})

describe('export', () => {
  beforeEach(async () => {
    await home.run(['add', 'openai:work', '--stdin', '--priority', '3'], { stdin: 'sk-work' })
    await home.run(['secret', 'set', 'DB'], { stdin: 'postgres://' })
    await home.run(['add', 'groq', '--ref', 'vault://DB'])
    writeFileSync(home.at('corp.yaml'), 'name: corp\nbase_url: https://llm.corp.example/v1\n')
    await home.run(['providers', 'add', 'corp.yaml'])
    await home.run(['add', 'corp:me', '--stdin'], { stdin: 'corp-key' })
  })

  test('seals a file that import age reads back, whole', async () => {
    expect(await home.json(['export', '--out', 'all.age'], exportKey)).toEqual({
      format: 'age',
      path: home.at('all.age'),
      profiles: 3,
      secrets: 1,
      providers: 1,
    })
    expect(statSync(home.at('all.age')).mode & 0o777).toBe(0o600)
    const sealed = readFileSync(home.at('all.age'), 'utf8')
    expect(sealed).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/)
    const other = await another()
    const unsaid = await other.run(['import', 'age', home.at('all.age'), '--json'], exportKey)
    expect([unsaid.code, JSON.parse(unsaid.stdout)]).toMatchObject([
      1,
      {
        imported: ['vault://DB', 'groq:default', 'openai:work'],
        skipped: [{ id: 'corp:me', reason: expect.stringContaining('unknown') }],
        failed: [{ id: 'provider/corp', reason: expect.stringContaining(TRUST) }],
      },
    ])
    const fresh = await another()
    expect(await imported(['age', home.at('all.age'), TRUST], exportKey, fresh)).toEqual({
      imported: ['provider/corp', 'vault://DB', 'corp:me', 'groq:default', 'openai:work'],
      skipped: [],
      failed: [],
    })
    expect(await everything(fresh)).toEqual(await everything(home))
    const wrong = { env: { KEYMUX_EXPORT_PASSPHRASE: 'wrong' } }
    expect((await fresh.run(['import', 'age', home.at('all.age')], wrong)).code).toBe(3)
    expect((await fresh.run(['import', 'age', '-'], { ...exportKey, stdin: sealed })).stdout).toContain(
      '5 skipped',
    )
  })

  test('is in the audit, each piece of it', async () => {
    await home.run(['export', '--format', 'json', '--reveal'])
    const { entries } = (await home.json(['audit'])) as { entries: { event: string; subject: string }[] }
    expect(entries.slice(-4).map(({ event, subject }) => `${event} ${subject}`)).toEqual([
      'exported corp:me',
      'exported groq:default',
      'exported openai:work',
      'secret_exported DB',
    ])
  })

  test('overwrites nothing without --force', async () => {
    writeFileSync(home.at('mine'), 'precious')
    const args = ['export', '--format', 'json', '--reveal', '--out', 'mine']
    expect(await home.run(args)).toEqual(failure(7, expect.stringContaining('--force')))
    expect(readFileSync(home.at('mine'), 'utf8')).toBe('precious')
    expect((await home.run([...args, '--force'])).code).toBe(0)
    expect(readFileSync(home.at('mine'), 'utf8')).toContain('sk-work')
    expect(statSync(home.at('mine')).mode & 0o777).toBe(0o600)
    expect(readdirSync(home.folder).filter((name) => /mine./.test(name))).toEqual([])
  })

  test('goes without what is damaged, names it and exits 6', async () => {
    damageSecrets('profile', 1)
    damageSecrets('secret', 1)
    const args = ['export', '--format', 'json', '--reveal']
    const { code, stdout } = await home.run([...args, '--out', 'rest.json', '--json'])
    expect(code).toBe(6)
    const { damaged, ...rest } = JSON.parse(stdout) as { damaged: string[] }
    expect(rest).toMatchObject({ profiles: 2, secrets: 0, providers: 1, path: home.at('rest.json') })
    expect(damaged).toEqual([expect.stringMatching(/^(openai:work|groq:default|corp:me)$/), 'vault://DB'])
    const told = await home.run(args)
    expect(told).toMatchObject({
      code: 6,
      stderr: damaged
        .map((id) => `keymux: ${id} is damaged and not in the export: see keymux vault check\n`)
        .join(''),
    })
    const { profiles } = JSON.parse(told.stdout) as { profiles: { id: string }[] }
    expect(profiles.map(({ id }) => id)).not.toContain(damaged[0])
    const other = await another()
    expect((await imported(['json', home.at('rest.json'), TRUST], {}, other)).imported).toHaveLength(3)
  })

  test('keeps references as references', async () => {
    expect(await everything(home)).toMatchObject({
      profiles: expect.arrayContaining([
        expect.objectContaining({ id: 'groq:default', api_key: { key_ref: 'vault://DB' } }),
      ]),
      secrets: [{ name: 'DB', value: 'postgres://' }],
    })
  })

  test.each([
    ['json without --reveal', ['--format', 'json'], 2, '--reveal'],
    ['devclaw without --out', ['--format', 'devclaw'], 2, '--out'],
    [
      'recipients of another format',
      ['--format', 'json', '--reveal', '--recipient', 'age1x'],
      2,
      '--format age',
    ],
    ['what is no recipient', ['--recipient', 'age1nonsense'], 2, 'recipient 1'],
    ['no passphrase and no terminal', ['--out', 'x'], 3, 'KEYMUX_EXPORT_PASSPHRASE'],
    ['a folder that is not there', ['--format', 'json', '--reveal', '--out', 'none/x'], 4, 'folder'],
  ])('refuses %s', async (_what, args, code, hint) => {
    expect(await home.run(['export', ...args])).toEqual(failure(code, expect.stringContaining(hint)))
    expect(existsSync(home.at('x'))).toBe(false)
  })

  test('an empty passphrase is refused, and the two descriptors must differ', async () => {
    expect((await home.run(['export'], { env: { KEYMUX_EXPORT_PASSPHRASE: '' } })).code).toBe(2)
    const same = ['export', '--passphrase-fd', '3', '--target-passphrase-fd', '3']
    expect((await home.run(same, { fd3: 'x' })).code).toBe(2)
  })

  test('asks for a passphrase twice on a terminal', async () => {
    const session = home.terminal(['export', '--out', 'asked.age'])
    await session.waitFor('Passphrase for the export')
    session.type('export me\r')
    await session.waitFor('The same again: ')
    session.type('export me\r')
    expect(await session.ended).toMatchObject({ code: 0, screen: expect.stringContaining('3 profile(s)') })
    const other = await another()
    expect((await imported(['age', home.at('asked.age'), TRUST], exportKey, other)).imported).toHaveLength(5)
  })
})
