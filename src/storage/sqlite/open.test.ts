import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FileStore } from '../contract.js'
import { openSqliteStore, type SqliteStoreOptions } from './index.js'

const posix = process.platform !== 'win32'
let folder: string
let path: string
const opened: FileStore[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-open-'))
  path = join(folder, 'vault.db')
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  rmSync(folder, { recursive: true })
})

async function open(at: string, options?: SqliteStoreOptions): Promise<FileStore> {
  const store = await openSqliteStore(at, options)
  opened.push(store)
  return store
}

/** A vault with one blob, closed. */
async function makeVault(at: string = path): Promise<void> {
  const store = await openSqliteStore(at, { create: true })
  await store.write((tx) => tx.putBlob('header', Uint8Array.of(1)))
  await store.close()
}

const header = (store: FileStore): Promise<Uint8Array | undefined> =>
  store.read((reader) => reader.getBlob('header'))
const mode = (at: string): string => (statSync(at).mode & 0o777).toString(8)

describe('creating', () => {
  it('makes the file 0600 and its folders 0700, whatever the umask', async () => {
    for (const mask of [0o000, 0o022, 0o177]) {
      const previous = process.umask(mask)
      try {
        const place = join(folder, `m${mask}`, 'deep', 'vault.db')
        const store = await open(place, { create: true })
        await store.write((tx) => tx.putBlob('header', Uint8Array.of(1)))
        expect(store.location).toBe(place)
        if (!posix) continue
        for (const suffix of ['', '-wal', '-shm']) expect(mode(`${place}${suffix}`)).toBe('600')
        expect(mode(join(folder, `m${mask}`, 'deep'))).toBe('700')
      } finally {
        process.umask(previous)
      }
    }
  })

  it('leaves nothing but the vault and its companions', async () => {
    await open(path, { create: true })
    expect(readdirSync(folder).sort()).toEqual(['vault.db', 'vault.db-shm', 'vault.db-wal'])
  })

  it('keeps the mode of a folder that was there', async () => {
    chmodSync(folder, 0o755)
    await open(path, { create: true })
    if (posix) expect(mode(folder)).toBe('755')
  })

  it('opens what is there with create, and refuses it with mustNotExist', async () => {
    await makeVault()
    expect(await header(await open(path, { create: true }))).toEqual(Uint8Array.of(1))
    await expect(open(path, { mustNotExist: true })).rejects.toMatchObject({ code: 'vault_exists' })
    await expect(open(path, { create: true, mustNotExist: true })).rejects.toMatchObject({
      code: 'vault_exists',
    })
  })

  it.each([
    ['garbage', (at: string) => writeFileSync(at, 'not a vault', { mode: 0o600 })],
    ['an empty file', (at: string) => writeFileSync(at, '', { mode: 0o600 })],
    ['a readable file', (at: string) => writeFileSync(at, '', { mode: 0o644 })],
    ['a folder', (at: string) => mkdirSync(at)],
    ['a symbolic link', (at: string) => symlinkSync('/nowhere', at)],
  ])('says that %s exists with mustNotExist, and leaves it alone', async (_, make) => {
    make(path)
    await expect(open(path, { mustNotExist: true })).rejects.toMatchObject({ code: 'vault_exists' })
    expect(readdirSync(folder)).toEqual(['vault.db'])
  })

  it('takes over a vault that was made and never written to', async () => {
    await (await openSqliteStore(path, { mustNotExist: true })).close()
    const store = await open(path, { mustNotExist: true })
    await store.write((tx) => tx.putBlob('header', Uint8Array.of(2)))
    await expect(open(path, { mustNotExist: true })).rejects.toMatchObject({ code: 'vault_exists' })
  })

  it('lets one of several take over, and refuses the first write of the others', async () => {
    const both = [await open(path, { mustNotExist: true }), await open(path, { mustNotExist: true })]
    const fill = (store: FileStore): Promise<void> =>
      store.write((tx) => tx.putBlob('header', Uint8Array.of(2)))
    const outcomes = await Promise.allSettled(both.map(fill))
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
    const winner = outcomes[0]?.status === 'fulfilled' ? 0 : 1
    const late = both[1 - winner]
    await expect(late?.write(async () => undefined)).rejects.toMatchObject({ code: 'vault_exists' })
    await both[winner]?.write((tx) => tx.putBlob('header', Uint8Array.of(3)))
    expect(late && (await header(late))).toEqual(Uint8Array.of(3))
  })

  it('is not hindered by what a killed creation left, and sweeps it away after an hour', async () => {
    const [young, old] = [join(folder, '.vault.db.new-young'), join(folder, '.vault.db.new-old')]
    const other = join(folder, '.other.db.new-old')
    for (const left of [young, old, other]) writeFileSync(left, 'half')
    const hoursAgo = new Date(statSync(young).mtimeMs - 2 * 60 * 60 * 1000)
    for (const left of [old, other]) utimesSync(left, hoursAgo, hoursAgo)
    await open(path, { mustNotExist: true })
    expect([young, old, other].map((left) => existsSync(left))).toEqual([true, false, true])
  })

  it('lets one of many makers win and the others open the same vault', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => open(path, { create: true })))
    await Promise.all(stores.map((store) => store.write((tx) => tx.appendLog(Uint8Array.of(1)))))
    expect((await stores[0]?.read((reader) => reader.lastLog()))?.sequence).toBe(8)
  })

  it('takes any name a file can have', async () => {
    for (const name of [
      'a b?#%41&mode=ro.db',
      "it's; rm -rf.db",
      'ключ.db',
      'file:x.db',
      '-rf',
      ':memory:',
      'a\\b',
    ]) {
      const place = join(folder, name)
      await makeVault(place)
      expect(existsSync(place)).toBe(true)
      expect(await header(await open(place))).toEqual(Uint8Array.of(1))
    }
  })
})

describe('opening', () => {
  it('says when there is none, and makes nothing', async () => {
    for (const missing of [path, join(folder, 'no', 'such', 'vault.db')]) {
      const error = { code: 'vault_not_found', hint: 'keymux init' }
      await expect(open(missing)).rejects.toMatchObject(error)
    }
    expect(readdirSync(folder)).toEqual([])
  })

  it.each(['', 'a\0b'])('refuses %j as a path', async (impossible) => {
    await expect(open(impossible, { create: true })).rejects.toMatchObject({ code: 'invalid_value' })
  })

  it('refuses a folder, and a path that leads through a file', async () => {
    await expect(open(folder)).rejects.toMatchObject({ code: 'storage_unavailable' })
    writeFileSync(path, '')
    await expect(open(join(path, 'vault.db'))).rejects.toMatchObject({ code: 'vault_not_found' })
    await expect(open(join(path, 'vault.db'), { create: true })).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
  })

  it.each([
    ['text', (at: string) => writeFileSync(at, 'hello')],
    ['nothing', (at: string) => writeFileSync(at, '')],
    ['zeros', (at: string) => writeFileSync(at, new Uint8Array(8192))],
    [
      'noise',
      (at: string) => writeFileSync(at, Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i) % 255))),
    ],
    ['10 MB', (at: string) => writeFileSync(at, Buffer.alloc(10 * 1024 * 1024, 'SQLite format 3\0'))],
    ['half a vault', (at: string) => truncateSync(at, statSync(at).size / 2)],
    ['a page less', (at: string) => truncateSync(at, statSync(at).size - 4096)],
    ['the header alone', (at: string) => truncateSync(at, 100)],
  ])('tells %s from a vault', async (_, damage) => {
    await makeVault(join(folder, 'sound.db'))
    copyFileSync(join(folder, 'sound.db'), path)
    chmodSync(path, 0o600)
    damage(path)
    const before = readFileSync(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'vault_corrupt' })
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it("refuses another program's database and does not write to it", async () => {
    const foreign = new DatabaseSync(path)
    foreign.exec('CREATE TABLE rows (x); PRAGMA user_version = 1')
    foreign.close()
    chmodSync(path, 0o600)
    const before = readFileSync(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'vault_corrupt' })
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(readdirSync(folder)).toEqual(['vault.db'])
  })

  it.each([
    'CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END',
    'CREATE VIEW v AS SELECT * FROM rows',
    'DROP TABLE log',
    'DROP TABLE state',
    'DELETE FROM state',
    'UPDATE state SET change = 9223372036854775807',
  ])('refuses a vault after %s', async (sql) => {
    await makeVault()
    edit(path, sql)
    const reading = open(path).then((store) => store.read((reader) => reader.cursor()))
    await expect(reading).rejects.toMatchObject({ code: 'vault_corrupt' })
  })

  it('refuses a vault of the format before the first release, and leaves it as it is', async () => {
    for (const journal of ['wal', 'delete']) {
      const [made, old] = [join(folder, `${journal}.made`), join(folder, journal)]
      await makeVault(made)
      copyFileSync(made, old)
      chmodSync(old, 0o600)
      edit(old, `PRAGMA user_version = 1; PRAGMA journal_mode = ${journal}`)
      const before = readFileSync(old)
      await expect(open(old)).rejects.toMatchObject({
        code: 'vault_too_old',
        message: `${old} was written by an older keymux, in a format of its own`,
        hint: 'export it with that keymux (keymux export --out FILE), and import the file into a new vault',
      })
      await expect(open(old, { create: true })).rejects.toMatchObject({ code: 'vault_too_old' })
      expect(readFileSync(old).equals(before)).toBe(true)
    }
    expect(existsSync(join(folder, 'delete-wal'))).toBe(false)
  })

  it('refuses a newer schema, also one that appears while it is open', async () => {
    await makeVault()
    const store = await open(path)
    edit(path, 'PRAGMA user_version = 99; UPDATE state SET change = change + 1')
    await expect(header(store)).rejects.toMatchObject({ code: 'vault_too_new' })
    await expect(store.write(async () => undefined)).rejects.toMatchObject({ code: 'vault_too_new' })
    await expect(open(path)).rejects.toMatchObject({ code: 'vault_too_new', hint: 'upgrade keymux' })
  })

  it('gives up when it is told to', async () => {
    await makeVault()
    await expect(open(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
  })
})

describe.skipIf(!posix)('permissions', () => {
  it.each([0o644, 0o660, 0o602, 0o610])('refuses mode %o with the command that mends it', async (bits) => {
    const quoted = join(folder, "my vault's.db")
    await makeVault(quoted)
    chmodSync(quoted, bits)
    const hint = `chmod 600 '${folder}/my vault'\\''s.db'`
    await expect(open(quoted)).rejects.toMatchObject({ code: 'unsafe_permissions', hint })
    chmodSync(quoted, 0o600)
    expect(await header(await open(quoted))).toEqual(Uint8Array.of(1))
  })

  it('refuses a readable log beside the vault', async () => {
    await makeVault()
    writeFileSync(`${path}-wal`, '')
    chmodSync(`${path}-wal`, 0o644)
    const hint = `chmod 600 ${path}-wal`
    await expect(open(path)).rejects.toMatchObject({ code: 'unsafe_permissions', hint })
  })

  it('refuses a symbolic link and names its target', async () => {
    await makeVault()
    const link = join(folder, 'link.db')
    symlinkSync(path, link)
    const hint = `use its target: --vault ${path}`
    await expect(open(link)).rejects.toMatchObject({ code: 'unsafe_permissions', hint })
    await expect(open(link, { create: true })).rejects.toMatchObject({ code: 'unsafe_permissions' })
  })

  it('refuses a link to nowhere instead of following it', async () => {
    symlinkSync(join(folder, 'elsewhere.db'), path)
    await expect(open(path, { create: true })).rejects.toMatchObject({
      code: 'unsafe_permissions',
      hint: `rm ${path}`,
    })
    expect(readdirSync(folder)).toEqual(['vault.db'])
  })

  it("refuses somebody else's file", async () => {
    await makeVault()
    const user = (process.geteuid?.() ?? 0) + 1
    const spy = vi.spyOn(process, 'geteuid').mockReturnValue(user)
    try {
      const hint = `sudo chown ${user} ${path}`
      await expect(open(path)).rejects.toMatchObject({ code: 'unsafe_permissions', hint })
    } finally {
      spy.mockRestore()
    }
  })

  it('looks through links in the path to the folder', async () => {
    await makeVault()
    symlinkSync(folder, `${folder}-link`)
    try {
      expect(await header(await open(join(`${folder}-link`, 'vault.db')))).toEqual(Uint8Array.of(1))
    } finally {
      rmSync(`${folder}-link`)
    }
  })
})

describe('closing', () => {
  it('leaves a file that is the whole vault by itself', async () => {
    await makeVault()
    const copy = join(folder, 'copy.db')
    copyFileSync(path, copy)
    chmodSync(copy, 0o600)
    expect(await header(await open(copy))).toEqual(Uint8Array.of(1))
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  })
})

function edit(at: string, sql: string): void {
  const database = new DatabaseSync(at)
  database.exec(sql)
  database.close()
}
