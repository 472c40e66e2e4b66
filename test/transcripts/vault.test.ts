import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { composeKeymux } from '../../src/compose.js'
import { plainScreen } from './harness.js'
import { failure, type Home, makeHomes } from './home.js'

const homes = makeHomes()
afterAll(() => homes.dispose())
let home: Home
beforeEach(async () => {
  home = homes.make()
  await home.run(['init'])
})

const locked = { env: { KEYMUX_KEY_FILE: undefined } }
const passphrase = (text: string) => ({ env: { KEYMUX_KEY_FILE: undefined, KEYMUX_PASSPHRASE: text } })
const add = (id: string, ...more: string[]) =>
  home.run(['add', id, '--stdin', ...more], { stdin: `sk-${id}` })
const ids = async (): Promise<unknown> => {
  const { profiles } = (await home.json(['list'])) as { profiles: { id: string }[] }
  return profiles.map(({ id }) => id)
}

/** An OAuth login and a key, as another keymux exported them. */
async function importLogin(): Promise<void> {
  const profile = (id: string, mode: string, more: object) => {
    const [provider, name] = id.split(':')
    return { id, provider, name, mode, enabled: true, created_at: '2026-01-01T00:00:00Z', ...more }
  }
  const oauth = { access_token: 'at', refresh_token: 'rt', expires_at: '2031-01-01T00:00:00Z' }
  const profiles = { 'gemini:me': profile('gemini:me', 'oauth', { oauth }) }
  writeFileSync(home.at('login.json'), JSON.stringify({ version: 1, profiles }))
  expect((await home.run(['import', 'json', 'login.json'])).code).toBe(0)
}

/** Destroys the sealed body of one record. */
/** Overwrites a record but for its first bytes. A head has 29. */
function damageRecord(kept = 29): void {
  const database = new DatabaseSync(home.vault)
  database.exec(`UPDATE rows SET body = CAST(substr(body, 1, ${kept}) || randomblob(length(body) - ${kept}) AS BLOB)
    WHERE tbl = 'profile' AND id = (SELECT min(id) FROM rows WHERE tbl = 'profile')`)
  database.close()
}

/** The vault file as it is now, its log merged. */
function snapshot(): string {
  const database = new DatabaseSync(home.vault)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
  const path = home.at('snapshot.db')
  copyFileSync(home.vault, path)
  return path
}

function putBack(path: string): void {
  for (const suffix of ['-wal', '-shm']) rmSync(`${home.vault}${suffix}`, { force: true })
  copyFileSync(path, home.vault)
  chmodSync(home.vault, 0o600)
}

describe('vault status', () => {
  test('tells of a locked vault what its header says', async () => {
    const status = await home.json(['vault', 'status'], locked)
    expect(status).toEqual({
      location: home.vault,
      kind: 'sqlite',
      vault_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      format: 2,
      term: 1,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      unlocked: false,
      slots: [{ id: expect.any(String), type: 'key_file', created_at: expect.any(String) }],
    })
  })

  test('counts what is inside where the key is at hand', async () => {
    await add('openai:a')
    expect(await home.json(['vault'])).toMatchObject({
      unlocked: true,
      profiles: 1,
      secrets: 0,
      slots: [{ current: true }],
    })
    const { stdout } = await home.run(['vault'])
    expect(stdout).toContain(home.vault)
    expect(stdout).toContain('key file')
  })

  test('no vault is 4, a wrong key 3', async () => {
    expect((await home.run(['vault', '--vault', 'none.db'])).code).toBe(4)
    await home.run(['init', '--vault', 'other.db', '--key-file', 'other.key'])
    expect(await home.run(['vault'], { env: { KEYMUX_KEY_FILE: home.at('other.key') } })).toMatchObject({
      code: 3,
      stdout: '',
    })
  })
})

describe('slots', () => {
  test('are listed, added and removed; the last one stays', async () => {
    const added = await home.json(['vault', 'add-slot', '--key-file', 'ci.key', '--label', 'ci'])
    const slot = { id: expect.any(String), type: 'key_file', label: 'ci', created_at: expect.any(String) }
    expect(added).toEqual({ slot, key_file: home.at('ci.key') })
    expect(statSync(home.at('ci.key')).mode & 0o777).toBe(0o600)
    const { slots } = (await home.json(['vault', 'slots'])) as { slots: { id: string; current?: true }[] }
    expect(slots.map(({ current }) => current)).toEqual([true, undefined])
    const other = { env: { KEYMUX_KEY_FILE: home.at('ci.key') } }
    expect((await home.run(['list'], other)).code).toBe(0)
    const [first = { id: '' }, second = { id: '' }] = slots
    await add('openai:a')
    await home.run(['secret', 'set', 'NAMED'], { stdin: 'x' })
    expect(await home.json(['vault', 'remove-slot', first.id])).toEqual({
      changed: [first.id],
      term: 2,
      rows: expect.any(Number),
      seen: {
        profiles: [{ id: 'openai:a', renew_at: 'https://platform.openai.com/api-keys' }],
        secrets: ['NAMED'],
      },
    })
    expect((await home.run(['list'])).code).toBe(3)
    expect(await home.run(['vault', 'remove-slot', second.id], other)).toMatchObject({ code: 7, stdout: '' })
    expect((await home.run(['vault', 'remove-slot', 'ffff'], other)).code).toBe(4)
  })

  test('are removed without new keys where that is asked for', async () => {
    const { slot } = (await home.json(['vault', 'add-slot', '--key-file', 'ci.key'])) as {
      slot: { id: string }
    }
    const removed = await home.run(['vault', 'remove-slot', slot.id, '--no-rotate'])
    expect(removed).toMatchObject({ code: 0, stdout: `${slot.id}\n` })
    expect(removed.stderr).toContain('a copy of them still opens everything')
    expect(await home.json(['vault'])).toMatchObject({ term: 1 })
  })

  test('stay what they are through a rotation', async () => {
    await add('openai:a')
    await home.run(['vault', 'add-slot', '--key-file', 'ci.key'])
    expect(await home.json(['vault', 'rotate'])).toEqual({ term: 2, rows: expect.any(Number) })
    for (const options of [{}, { env: { KEYMUX_KEY_FILE: home.at('ci.key') } }]) {
      const status = await home.json(['vault'], options)
      expect(status).toMatchObject({ term: 2, unlocked: true, profiles: 1, slots: [{}, {}] })
    }
    const { stdout } = await home.run(['vault', 'rotate'])
    expect(stdout).toMatch(
      /^✓ The vault has new keys \(term 3\); \d+ records? (is|are) sealed under them\.\n$/,
    )
    expect((await home.run(['resolve', 'openai:a'])).code).toBe(0)
    expect((await home.run(['vault', 'check'])).code).toBe(0)
  })

  test('a further passphrase opens it too', async () => {
    const env = { KEYMUX_NEW_PASSPHRASE: 'second way' }
    expect((await home.run(['vault', 'add-slot', '--passphrase'], { env })).code).toBe(0)
    expect((await home.run(['list'], passphrase('second way'))).code).toBe(0)
    expect((await home.run(['list'])).code).toBe(0)
  })

  test.each([
    ['no kind', []],
    ['two kinds', ['--passphrase', '--key-file', 'k']],
    ['an unprintable label', ['--key-file', 'k', '--label', 'a\u202eb']],
  ])('%s is refused', async (_what, args) => {
    expect(await home.run(['vault', 'add-slot', ...args])).toMatchObject({ code: 2, stdout: '' })
    expect(existsSync(home.at('k'))).toBe(false)
    expect(await home.json(['vault', 'slots'])).toMatchObject({ slots: [{}] })
  })

  test('removing asks on a terminal', async () => {
    await home.run(['vault', 'add-slot', '--key-file', 'ci.key'])
    const { slots } = (await home.json(['vault', 'slots'])) as { slots: { id: string }[] }
    const session = home.terminal(['vault', 'remove-slot', slots[0]?.id ?? ''])
    await session.waitFor('with which you opened the vault? [y/N] ')
    session.type('n\r')
    expect(await session.ended).toMatchObject({
      code: 1,
      screen: expect.stringContaining('Nothing was removed'),
    })
    expect(await home.json(['vault', 'slots'])).toMatchObject({ slots: [{}, {}] })
  })
})

describe('vault passwd', () => {
  test('changes the passphrase from the environment, a descriptor or the terminal', async () => {
    home = homes.make()
    await home.run(['init'], passphrase('one'))
    await add('openai:a')
    const next = { env: { ...passphrase('one').env, KEYMUX_NEW_PASSPHRASE: 'two' } }
    expect((await home.run(['vault', 'passwd'], next)).code).toBe(0)
    expect((await home.run(['list'], passphrase('one'))).code).toBe(3)
    const fd = { ...passphrase('two'), fd3: 'three' }
    expect(await home.json(['vault', 'passwd', '--new-passphrase-fd', '3'], fd)).toMatchObject({
      slot: { type: 'passphrase', current: true },
    })
    const session = home.terminal(['vault', 'passwd'], locked)
    for (const [question, answer] of [
      [`Passphrase for ${home.vault}: `, 'three'],
      ['New passphrase', 'four'],
      ['The same again: ', 'four'],
    ] as const) {
      await session.waitFor(question)
      session.type(`${answer}\r`)
    }
    expect((await session.ended).code).toBe(0)
    expect((await home.run(['list'], passphrase('four'))).code).toBe(0)
    expect((await home.run(['list'], passphrase('three'))).code).toBe(3)
  })

  test('is refused where there is none to change, none given, or an empty one', async () => {
    const given = { env: { KEYMUX_NEW_PASSPHRASE: 'new' } }
    expect(await home.run(['vault', 'passwd'], given)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('keymux vault add-slot --passphrase'),
    })
    await home.run(['vault', 'add-slot', '--passphrase'], { env: { KEYMUX_NEW_PASSPHRASE: 'p' } })
    expect(await home.run(['vault', 'passwd'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('KEYMUX_NEW_PASSPHRASE'),
    })
    expect((await home.run(['vault', 'passwd'], { env: { KEYMUX_NEW_PASSPHRASE: '' } })).code).toBe(2)
    expect((await home.run(['list'], passphrase('p'))).code).toBe(0)
  })
})

describe('vault check', () => {
  test('finds nothing in a sound vault', async () => {
    await add('openai:a')
    expect(await home.json(['vault', 'check'])).toEqual({ ok: true, problems: [] })
    expect((await home.run(['vault', 'check'])).stdout).toContain('The vault is sound.')
  })

  test('reports a damaged record, leaves the others usable, and drops it when asked', async () => {
    await add('openai:a')
    await add('openai:b')
    damageRecord()
    const { code, stdout } = await home.run(['vault', 'check', '--json'])
    expect(code).toBe(6)
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      problems: [
        { code: 'vault_corrupt', message: expect.any(String), record: expect.stringMatching(/^profile\//) },
      ],
    })
    expect(await home.run(['list'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('keymux vault check'),
    })
    expect(await ids()).toHaveLength(1)
    expect(await home.json(['vault', 'check', '--drop-damaged'])).toEqual({
      ok: true,
      problems: [],
      dropped: [expect.stringMatching(/^profile\//)],
    })
    expect(await home.json(['vault', 'check'])).toEqual({ ok: true, problems: [] })
  })

  test('refuses a vault with a record whose head is damaged, and saves the others when asked', async () => {
    await add('openai:a')
    await add('openai:b')
    damageRecord(0)
    for (const args of [['list'], ['resolve', 'openai'], ['add', 'openai:c', '--stdin']]) {
      const { code, stderr } = await home.run(args, { stdin: 'sk-c' })
      expect(code).toBe(6)
      expect(stderr).toContain('keymux vault check')
    }
    expect((await home.run(['vault', 'check'])).stderr).toContain('--salvage')
    expect(await home.json(['vault', 'check', '--salvage'])).toEqual({
      ok: true,
      problems: [],
      accepted: true,
      login_needed: [],
      dropped: [expect.stringMatching(/^profile\//)],
    })
    expect(await ids()).toHaveLength(1)
    expect((await add('openai:c')).code).toBe(0)
  })

  test('refuses an older copy until its owner accepts it, and then wants new logins', async () => {
    await importLogin()
    const old = snapshot()
    await add('openai:later')
    putBack(old)
    for (const args of [['list'], ['resolve', 'gemini'], ['vault', 'check']]) {
      expect((await home.run(args)).code).toBe(6)
    }
    expect((await home.run(['list'])).stderr).toContain('--accept-rollback')
    const { stdout } = await home.run(['vault', 'check', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problems: [{ code: 'vault_rolled_back' }] })
    expect(await home.json(['vault', 'check', '--accept-rollback'])).toEqual({
      ok: true,
      problems: [],
      accepted: true,
      login_needed: ['gemini:me'],
    })
    expect(await home.json(['list'])).toMatchObject({
      profiles: [{ id: 'gemini:me', state: 'invalid', login_needed: true }],
    })
    expect(await home.run(['vault', 'check', '--accept-rollback', '--json'])).toMatchObject({
      stdout: '{"ok":true,"problems":[]}\n',
    })
  })
})

describe('an audit whose end was cut off', () => {
  test('is found, and writing goes on once its owner accepts it', async () => {
    await add('openai:a')
    await add('openai:b')
    const database = new DatabaseSync(home.vault)
    database.exec('DELETE FROM log WHERE sequence = (SELECT max(sequence) FROM log)')
    database.close()
    const { code, stdout } = await home.run(['audit', '--verify', '--json'])
    expect(code).toBe(6)
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problems: [{ code: 'audit_cut' }] })
    expect((await home.run(['audit', '--verify'])).stdout).toContain('(audit_cut)')
    expect((await add('openai:c')).code).toBe(6)
    expect((await home.run(['vault', 'check', '--accept-rollback'])).code).toBe(0)
    expect((await add('openai:c')).code).toBe(0)
    expect(await home.json(['audit', '--verify'])).toMatchObject({ ok: true })
  })
})

describe('vault backup', () => {
  test('copies the vault, for its owner alone, and overwrites nothing', async () => {
    await add('openai:a')
    expect(await home.json(['vault', 'backup', 'copy.db'])).toEqual({ path: home.at('copy.db') })
    expect(statSync(home.at('copy.db')).mode & 0o777).toBe(0o600)
    // Another machine: this one remembers that the vault has moved on since.
    const elsewhere = { env: { XDG_STATE_HOME: home.at('elsewhere') } }
    expect(await home.json(['list', '--vault', 'copy.db'], elsewhere)).toMatchObject({ total: 1 })
    const before = readFileSync(home.at('copy.db'))
    expect(await home.run(['vault', 'backup', 'copy.db'])).toEqual(
      failure(7, expect.stringMatching(/exists/)),
    )
    expect(readFileSync(home.at('copy.db'))).toEqual(before)
    expect((await home.run(['vault', 'backup', 'none/copy.db'])).code).toBe(4)
    expect((await home.run(['vault', 'backup'])).code).toBe(2)
  })
})

describe('vault restore', () => {
  beforeEach(async () => {
    await importLogin()
    await home.run(['vault', 'backup', 'copy.db'])
    await add('openai:later')
  })

  test('puts an older copy in place, keeps the present vault, and wants new logins', async () => {
    expect(await home.json(['vault', 'restore', 'copy.db'])).toEqual({
      vault: home.vault,
      vault_id: expect.any(String),
      profiles: 1,
      secrets: 0,
      kept: `${home.vault}.before-restore-1`,
      rollback_accepted: true,
      login_needed: ['gemini:me'],
    })
    expect(await ids()).toEqual(['gemini:me'])
    expect(await home.json(['vault', 'check'])).toEqual({ ok: true, problems: [] })
    expect((await home.run(['show', 'gemini:me'])).stdout).toContain('login needed')
    expect(readdirSync(home.at('.local/share/keymux')).filter((name) => name.startsWith('.'))).toEqual([])
    const kept = ['--vault', `${home.vault}.before-restore-1`]
    expect(await home.json(['vault', 'restore', 'copy.db'])).toMatchObject({
      kept: `${home.vault}.before-restore-2`,
    })
    expect((await home.run(['vault', 'status', ...kept])).code).toBe(6)
    expect((await home.run(['vault', 'check', '--accept-rollback', ...kept])).code).toBe(0)
    expect(await home.json(['list', ...kept])).toMatchObject({ total: 2 })
  })

  test('makes a vault on a machine that has none', async () => {
    const other = homes.make()
    mkdirSync(other.at('from'))
    copyFileSync(home.at('copy.db'), other.at('from/copy.db'))
    chmodSync(other.at('from/copy.db'), 0o600)
    copyFileSync(home.keyFile, other.keyFile)
    chmodSync(other.keyFile, 0o600)
    const restored = await other.json(['vault', 'restore', 'from/copy.db'])
    expect(restored).toMatchObject({ vault: other.vault, rollback_accepted: false })
    expect(restored).not.toHaveProperty('kept')
    expect(await other.json(['resolve', 'gemini'])).toMatchObject({ credential: 'at' })
    expect(readdirSync(other.at('from'))).toEqual(['copy.db'])
  })

  test('mends a vault that is damaged beyond opening', async () => {
    for (const suffix of ['-wal', '-shm']) rmSync(`${home.vault}${suffix}`, { force: true })
    writeFileSync(home.vault, 'noise')
    expect((await home.run(['list'])).code).toBe(6)
    expect((await home.run(['vault', 'restore', 'copy.db'])).code).toBe(0)
    expect(await ids()).toEqual(['gemini:me'])
    expect(readFileSync(`${home.vault}.before-restore-1`, 'utf8')).toBe('noise')
  })

  test('is noticed by a handle that is open elsewhere', async () => {
    const env = { XDG_STATE_HOME: home.at('.local/state') }
    const handle = await composeKeymux({ vault: home.vault, unlock: { keyFile: home.keyFile }, env })
    const seen = async () => (await handle.profiles.list()).map(({ id }) => id)
    try {
      expect(await seen()).toEqual(['gemini:me', 'openai:later'])
      expect((await home.run(['vault', 'restore', 'copy.db'])).code).toBe(0)
      await expect.poll(seen).toEqual(['gemini:me'])
      await handle.profiles.add({ provider: 'openai', name: 'after', secret: 'sk' })
    } finally {
      await handle.close()
    }
    expect(await ids()).toEqual(['gemini:me', 'openai:after'])
    expect(await home.json(['vault', 'check'])).toEqual({ ok: true, problems: [] })
  })

  test('asks on a terminal, and a no changes nothing', async () => {
    const session = home.terminal(['vault', 'restore', 'copy.db'])
    await session.waitFor('[y/N] ')
    session.type('n\r')
    const { code, screen } = await session.ended
    expect(code).toBe(1)
    expect(plainScreen(screen)).toContain(`Put ${home.at('copy.db')} (1 profile, 0 secrets) in the place of`)
    expect(await ids()).toEqual(['gemini:me', 'openai:later'])
    expect((await home.terminal(['vault', 'restore', 'copy.db', '--yes']).ended).code).toBe(0)
    expect(await ids()).toEqual(['gemini:me'])
  })

  describe('refuses', () => {
    const refused = async (code: number, args: readonly string[], env: Record<string, string> = {}) => {
      const before = readdirSync(home.at('.local/share/keymux')).sort()
      expect(await home.run(['vault', 'restore', ...args], { env })).toMatchObject({ code, stdout: '' })
      expect(readdirSync(home.at('.local/share/keymux')).sort()).toEqual(before)
      expect(await ids()).toEqual(['gemini:me', 'openai:later'])
    }

    test('what is not there, the vault itself, and what is no vault', async () => {
      await refused(4, ['none.db'])
      await refused(2, [home.vault])
      writeFileSync(home.at('noise.db'), 'noise', { mode: 0o600 })
      await refused(6, ['noise.db'])
      chmodSync(home.at('copy.db'), 0o644)
      await refused(8, ['copy.db'])
    })

    test('a copy that the key at hand does not open', async () => {
      await home.run(['init', '--vault', 'other.db', '--key-file', 'other.key'])
      await refused(3, ['copy.db'], { KEYMUX_KEY_FILE: home.at('other.key') })
    })

    test('a copy that is not sound', async () => {
      const database = new DatabaseSync(home.at('copy.db'))
      database.exec(`UPDATE rows SET body = randomblob(length(body)) WHERE tbl = 'profile'`)
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      database.close()
      for (const suffix of ['-wal', '-shm']) rmSync(`${home.at('copy.db')}${suffix}`, { force: true })
      await refused(6, ['copy.db'])
    })
  })
})
