import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { composeKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import { createFakeClock } from '../../src/testing/fake-clock.js'

/*
 * A vault that was made once (see make.mjs) and is opened for as long as keymux reads its format, by keymux and by
 * reader.py, which was written from docs/storage-schema.md alone. When this fails, what is on users' disks cannot be
 * read any more, or the page is not true any more. The files are never made anew for the sake of a test.
 */
const GOLDEN = import.meta.dirname
const EXPECTED = JSON.parse(readFileSync(join(GOLDEN, 'expected.json'), 'utf8'))

const folder = mkdtempSync(join(tmpdir(), 'keymux-golden-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let copies = 0

interface Copy {
  readonly vault: string
  readonly key: string
  readonly pin: string
}

type State = Record<'XDG_STATE_HOME', string>

/** A copy that may be opened and damaged. Git keeps no modes. */
function copy(): Copy {
  const at = join(folder, `${++copies}`)
  mkdirSync(at, { mode: 0o700 })
  const take = (name: string): string => {
    const to = join(at, name)
    copyFileSync(join(GOLDEN, name), to)
    chmodSync(to, 0o600)
    return to
  }
  return { vault: take('vault.db'), key: take('vault.key'), pin: take('pin') }
}

/** An environment in which nothing is remembered yet. */
const env = (): State => ({ XDG_STATE_HOME: join(folder, `state-${++copies}`) })

function open({ vault, key }: Copy, state = env()): Promise<Keymux> {
  // Later than everything in it. What keymux makes of the past is not what is tested here.
  const clock = createFakeClock('2027-06-01T00:00:00Z')
  return composeKeymux({ vault, unlock: { keyFile: key }, config: {}, clock, env: state })
}

describe('keymux opens the golden vault', () => {
  it('with everything that is in it', async () => {
    await using handle = await open(copy())
    const { profiles, vault } = handle
    expect(await vault.check()).toEqual([])
    expect(await vault.verifyAudit()).toEqual([])

    const found = Object.fromEntries((await profiles.list()).map((profile) => [profile.id, profile]))
    expect(Object.keys(found).sort()).toEqual(Object.keys(EXPECTED.profiles).sort())
    for (const [id, { metadata, secret }] of Object.entries<StoredProfile>(EXPECTED.profiles)) {
      const { apiKey, token, oauth, ...profile } = found[id] ?? {}
      expect(profile).toMatchObject({
        mode: metadata.m,
        priority: metadata.p ?? 0,
        enabled: metadata.off !== 1,
      })
      expect(apiKey?.key ?? token?.token).toBe(secret?.key ?? secret?.token)
      expect(apiKey?.keyRef).toBe(metadata.ref)
      expect(oauth?.accessToken || undefined).toBe(secret?.accessToken)
      expect(oauth?.refreshToken || undefined).toBe(secret?.refreshToken)
    }
    expect(found['corp:ada@example.com']?.oauth).toMatchObject({
      email: 'ada@example.com',
      clientId: 'corp-client',
      scopes: ['openid', 'email'],
      metadata: { project_id: 'invented-project', ключ: 'значение' },
      expiresAt: new Date('2031-01-02T03:04:05Z'),
    })
    expect(found['corp:left']?.oauth).toMatchObject({
      loginNeeded: true,
      clientSecretRef: 'env://CORP_CLIENT_SECRET',
    })
    expect(found['openai:kept']).toMatchObject({ account: 'org-invented', priority: -5 })
    expect(found['openai:models']).toMatchObject({ models: ['gpt-4*', 'o*'] })
    expect(found['mistral:off']).toMatchObject({ enabled: false, baseUrl: 'https://eu.mistral.example/v1' })

    expect(await vault.list()).toEqual(Object.keys(EXPECTED.secrets).sort())
    for (const [name, { value }] of Object.entries<{ value: string }>(EXPECTED.secrets)) {
      expect(await vault.get(name)).toBe(value)
    }
    expect(handle.providers.get('corp')).toMatchObject({
      label: 'Corp é',
      baseUrl: 'https://corp.example/v1',
    })
  })

  it('with what is remembered of their use', async () => {
    await using handle = await open(copy())
    const state = (id: string): StoredState => stateOf(EXPECTED.profiles[id].metadata.uid)
    expect(await handle.profiles.stats('openai:work')).toMatchObject({
      cooldownReason: 'rate_limit',
      cooldownStated: true,
      cooldownUntil: new Date(state('openai:work').st.cooldown_until ?? 0),
      failureCounts: { rate_limit: 1 },
    })
    expect(await handle.profiles.stats('anthropic:ci')).toMatchObject({
      disabledReason: 'billing',
      disabledUntil: new Date(state('anthropic:ci').st.disabled_until ?? 0),
      failureCounts: { billing: 1 },
    })
    expect(await handle.profiles.get('anthropic:ci')).toMatchObject({ lastError: 'no credit ✗' })
    expect(await handle.profiles.stats('openai:models')).toMatchObject({
      epoch: 1,
      failureCounts: { model_not_found: 1 },
    })
    expect(await handle.profiles.stats('openai:kept')).toMatchObject({ failureCounts: { server_error: 1 } })
    expect(await handle.profiles.stats('groq:вторая')).toMatchObject({
      failureCounts: { auth: 1, timeout: 1 },
    })
  })

  it('with its audit and its slots', async () => {
    await using handle = await open(copy())
    const lines = await handle.vault.audit()
    expect(lines.map(({ sequence, event, subject }) => ({ sequence, event, subject }))).toEqual(
      EXPECTED.audit.map(({ sequence, line }: StoredLine) => ({
        sequence,
        event: line.ev,
        subject: line.sub,
      })),
    )
    expect(await handle.vault.status()).toMatchObject({
      vaultId: Buffer.from(EXPECTED.header.vault_id, 'base64url').toString('hex'),
      term: EXPECTED.manifest.term,
      format: 2,
    })
    expect((await handle.vault.slots()).map(({ type, label }) => ({ type, label }))).toEqual([
      { type: 'key_file', label: undefined },
      { type: 'passphrase', label: 'Süden' },
    ])
  })

  it('and its passphrase, however the accents are typed, and can be rotated', async () => {
    const golden = copy()
    const passphrase = 'Grüße aus dem Süden'.normalize('NFD')
    const options = { vault: golden.vault, unlock: { passphrase }, config: {}, env: env() }
    const handle = await composeKeymux(options)
    expect(await handle.vault.rotate()).toMatchObject({ term: EXPECTED.manifest.term + 1 })
    await handle.close()
    await using again = await open(golden)
    expect(await again.vault.check()).toEqual([])
    expect((await again.profiles.get('openai:work'))?.apiKey?.key).toBe('sk-invented-work')
  })
})

// Windows has it under another name, and no file modes for keymux to insist on.
const python = process.platform !== 'win32' && spawnSync('python3', ['--version']).status === 0
const REASON = python ? '' : ' (skipped: there is no python3)'

describe.skipIf(!python)(`reader.py reads it from the page alone${REASON}`, () => {
  it('gives known answers', () => {
    expect(run('ciphers.py')).toMatchObject({ status: 0, stdout: 'ok\n' })
  })

  it('finds in the golden vault what was found before', () => {
    expect(readGolden(copy())).toEqual(EXPECTED)
  })

  it('reads a vault that is made now', async () => {
    const at = join(folder, 'fresh')
    mkdirSync(at, { mode: 0o700 })
    const fresh = { vault: join(at, 'vault.db'), key: join(at, 'vault.key'), state: env() }
    await makeVault(fresh)
    const found = readGolden({ ...fresh, pin: pinOf(fresh.vault, fresh.state) })
    expect(found).toMatchObject({
      header: { format: 2, mac_verified: true },
      profiles: {
        'openai:work': { metadata: { m: 'api_key', acc: 'org', gen: 2 }, secret: { key: 'sk-invented-2' } },
        'gemini:me': {
          metadata: { m: 'oauth', sc: ['a'] },
          secret: { accessToken: 'at', refreshToken: 'rt' },
        },
        'anthropic:t': { metadata: { m: 'token', ref: 'env://T' }, secret: null },
      },
      secrets: { 'ключ 🔑': { value: '✓'.repeat(1000) } },
      providers: { corp: { value: { base_url: 'https://corp.example/v1' } } },
      manifest: { sum_of_marks_equal: true, term: 2 },
      pin: { verified: true, current: true },
    })
    expect(found.terms).toHaveLength(2)
    expect(Object.values(found.chains)).toEqual([expect.any(Number)])
    expect(found.states.map(({ name }: { name: string }) => name.split('/')[0])).toEqual(
      expect.arrayContaining(['account', 'last_good', 'profile']),
    )
  })

  it('tells an older vault by its pin', async () => {
    const [older, newer] = [copy(), copy()]
    const state = env()
    const handle = await open(newer, state)
    await handle.vault.set('later', 'invented')
    await handle.close()
    const later = pinOf(newer.vault, state)
    expect(readGolden({ ...newer, pin: later }).pin).toMatchObject({ verified: true, current: true })
    expect(readGolden({ ...newer, pin: older.pin }).pin).toMatchObject({ verified: true, current: false })
    expect(run('reader.py', older.vault, older.key, later)).toMatchObject({
      status: 1,
      stderr: 'Refused: pin: the vault is older than it\n',
    })
  })
})

const ROW = "SELECT tbl, id, body FROM rows WHERE tbl = 'profile' ORDER BY id LIMIT 1"
const STATE = 'SELECT id, body FROM states WHERE body NOTNULL ORDER BY id LIMIT 1'
const LINE = 'SELECT sequence, body FROM log WHERE sequence = 5'
const LAST = 'SELECT sequence, body FROM log ORDER BY sequence DESC LIMIT 1'
const blob = (name: string): string => `SELECT name, value AS body FROM blobs WHERE name = '${name}'`

describe.skipIf(!python)(`reader.py refuses a byte that is another${REASON}`, () => {
  it.each<[string, string, number, string]>([
    ['the format of a row', ROW, 0, 'format'],
    ['the term of a row', ROW, 4, 'of another term'],
    ['the revision of a row', ROW, 12, 'the tag is wrong'],
    ['the salt of a row', ROW, 20, 'the tag is wrong'],
    ['the length of its metadata', ROW, 44, 'metadata'],
    ['the metadata of a row', ROW, 60, 'metadata: the tag is wrong'],
    ['the secret of a row', ROW, -20, 'secret: the tag is wrong'],
    ['a row of state', STATE, 60, 'metadata: the tag is wrong'],
    ['the term of the manifest', blob('manifest'), 3, 'manifest: of another term'],
    ['the manifest', blob('manifest'), 60, 'manifest: the tag is wrong'],
    ['the head of a line of the audit', LINE, 12, 'numbers have a gap'],
    ['the box of a line of the audit', LINE, 60, 'audit line 5: the MAC is wrong'],
    ['the MAC of a line of the audit', LINE, -1, 'audit line 5: the MAC is wrong'],
    ['the last line of the audit', LAST, -1, 'the MAC is wrong'],
  ])('%s', (_what, query, at, word) => {
    const { vault, key } = copy()
    flip(vault, query, at)
    const { status, stdout, stderr } = run('reader.py', vault, key)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(word)
  })

  it.each([
    ['the time in the header', 'created_at":"20', 'the MAC is wrong'],
    ['a label in the header', 'label":"S', 'the MAC is wrong'],
    ['the keyset', 'keyset":"A', 'the MAC is wrong'],
    ['the MAC of the header', 'mac":"', 'header: '],
    ['a public key', 'public_key":"', 'public_key'],
  ])('%s', (_what, before, word) => {
    const { vault, key } = copy()
    const header = Buffer.from(readBlob(vault, 'header'))
    flip(vault, blob('header'), header.indexOf(before) + Buffer.byteLength(before))
    const { status, stderr } = run('reader.py', vault, key)
    expect(status).toBe(1)
    expect(stderr).toContain(word)
  })

  it.each([
    [
      'a row that is gone',
      `DELETE FROM rows WHERE id = (SELECT id FROM rows WHERE body NOTNULL LIMIT 1)`,
      'number of rows',
    ],
    [
      'a line that is gone',
      'DELETE FROM log WHERE sequence = (SELECT max(sequence) FROM log)',
      'length of the',
    ],
    ['another revision of state', 'UPDATE states SET revision = revision + 1', 'of another revision'],
    ['another term', 'UPDATE state SET term = term - 1', 'of another term'],
  ])('%s', (_what, sql, word) => {
    const { vault, key } = copy()
    change(vault, sql)
    const { status, stderr } = run('reader.py', vault, key)
    expect(status).toBe(1)
    expect(stderr).toContain(word)
  })
})

interface StoredProfile {
  readonly metadata: { readonly m: string; readonly p?: number; readonly off?: 1; readonly ref?: string }
  readonly secret: {
    readonly key?: string
    readonly token?: string
    readonly accessToken?: string
    readonly refreshToken?: string
  } | null
}

interface StoredState {
  readonly uid: string
  readonly st: { readonly cooldown_until?: string; readonly disabled_until?: string }
}

interface StoredLine {
  readonly sequence: number
  readonly line: { readonly ev: string; readonly sub?: string }
}

function stateOf(uid: string): StoredState {
  return EXPECTED.states.find(({ name }: { name: string }) => name === `profile/${uid}`).state
}

function run(program: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const argv = ['-B', join(GOLDEN, program), ...args]
  return spawnSync('python3', argv, { encoding: 'utf8', env: { ...process.env, PYTHONIOENCODING: 'utf-8' } })
}

function readGolden({ vault, key, pin }: Copy): typeof EXPECTED {
  const { status, stdout, stderr } = run('reader.py', vault, key, pin)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout)
}

async function makeVault(at: { vault: string; key: string; state: State }): Promise<void> {
  const options = { vault: at.vault, unlock: { keyFile: at.key }, create: true, config: {}, env: at.state }
  await using handle = await composeKeymux(options)
  const { profiles, vault, providerShelf } = handle
  await vault.set('ключ 🔑', '✓'.repeat(1000))
  await providerShelf.add('corp', { base_url: 'https://corp.example/v1' })
  await profiles.add({ provider: 'openai', name: 'work', account: 'org', secret: 'sk-invented-1' })
  await profiles.add(
    { provider: 'openai', name: 'work', account: 'org', secret: 'sk-invented-2' },
    { replace: true },
  )
  await profiles.add({
    provider: 'gemini',
    name: 'me',
    mode: 'oauth',
    oauth: {
      accessToken: 'at',
      refreshToken: 'rt',
      expiresAt: new Date('2031-01-02T03:04:05Z'),
      scopes: ['a'],
    },
  })
  await profiles.add({ provider: 'anthropic', name: 't', mode: 'token', reference: 'env://T' })
  await profiles.markSuccess('openai:work')
  await profiles.markFailure('openai:work', 'rate_limit')
  await vault.rotate()
  await profiles.markFailure('gemini:me', 'overloaded')
}

/** The file of the pin, where Linux has it; macOS has another state folder only where the variable is not set. */
function pinOf(vault: string, state: State): string {
  const id = Buffer.from(JSON.parse(readBlob(vault, 'header')).vault_id, 'base64url')
  return join(state.XDG_STATE_HOME, 'keymux', 'pins', id.toString('hex'))
}

function readBlob(vault: string, name: string): string {
  const database = new DatabaseSync(vault)
  const row = database.prepare('SELECT value FROM blobs WHERE name = ?').get(name) as { value: Uint8Array }
  database.close()
  return Buffer.from(row.value).toString()
}

function change(vault: string, sql: string): void {
  const database = new DatabaseSync(vault)
  database.exec(sql)
  merge(database)
}

/** Changes one byte of what the query finds; counted from the end where `at` is negative. */
function flip(vault: string, query: string, at: number): void {
  const database = new DatabaseSync(vault)
  const { body, ...where } = database.prepare(query).get() as { body: Uint8Array } & Record<string, never>
  const bytes = Buffer.from(body)
  const index = at < 0 ? bytes.length + at : at
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index)
  const [table, column] = query.includes('FROM blobs')
    ? ['blobs', 'value']
    : [query.replace(/.* FROM (\w+).*/, '$1'), 'body']
  const keys = Object.keys(where)
  database
    .prepare(`UPDATE ${table} SET ${column} = ? WHERE ${keys.map((key) => `${key} = ?`).join(' AND ')}`)
    .run(bytes, ...Object.values(where))
  merge(database)
}

/** SQLite's own closing leaves the WAL where the library keeps it. */
function merge(database: InstanceType<typeof DatabaseSync>): void {
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}
