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
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileStore } from '../contract.js'
import { openSqliteStore } from './index.js'
import { stageRestore } from './restore.js'

let folder: string
let vault: string
let copy: string
const opened: FileStore[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-restore-'))
  vault = join(folder, 'vault.db')
  copy = join(folder, 'copies', 'copy.db')
  mkdirSync(join(folder, 'copies'))
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  rmSync(folder, { recursive: true })
})

async function open(path: string): Promise<FileStore> {
  const store = await openSqliteStore(path, { create: true })
  opened.push(store)
  return store
}

const id = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** Writes `count` rows that say `text`, one in a transaction. */
async function fill(store: FileStore, text: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await store.write(async (tx) => {
      await tx.putRow('t', id(n), bytes(`${text} ${n}`))
      await tx.putBlob('header', bytes(text))
      await tx.appendLog(bytes(`${text} ${n}`))
    })
  }
}

interface Contents {
  readonly header: string
  readonly rows: readonly string[]
  readonly log: readonly string[]
}

function contents(store: FileStore): Promise<Contents> {
  const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString()
  return store.read(async (reader) => ({
    header: text(await reader.getBlob('header')),
    rows: (await reader.scan()).map((row) => text(row.body)).sort(),
    log: (await reader.readLog(1, 1_000)).map((row) => text(row.body)),
  }))
}

const lines = (text: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${text} ${n}`)
const whole = (text: string, count: number): Contents => ({
  header: text,
  rows: lines(text, count),
  log: lines(text, count),
})

/** A vault that says `then` three times, copied, and that says `now` five times since. */
async function madeAndChanged(): Promise<FileStore> {
  const store = await open(vault)
  await fill(store, 'then', 3)
  await store.backup(copy)
  await store.write(async (tx) => {
    for (let n = 0; n < 3; n += 1) await tx.deleteRow('t', id(n))
  })
  await fill(store, 'now', 5)
  return store
}

async function restore(source: string = copy): Promise<string | undefined> {
  const staged = await stageRestore(source, vault)
  try {
    return await staged.replace()
  } finally {
    staged.discard()
  }
}

describe('restoring', () => {
  it('puts the copy in place and keeps what was there', async () => {
    await (await madeAndChanged()).close()
    const kept = await restore()
    expect(kept).toBe(`${vault}.before-restore-1`)
    const store = await open(vault)
    expect(await contents(store)).toEqual(whole('then', 3))
    expect(await store.integrityProblems()).toEqual([])
    const before = await open(kept ?? '')
    expect((await contents(before)).header).toBe('now')
    expect((await contents(before)).rows).toEqual(lines('now', 5))
    expect(statSync(kept ?? '').mode & 0o777).toBe(0o600)
  })

  it('puts back the lane of state: rows with their revisions, chains and term', async () => {
    const store = await open(vault)
    const writeState = (n: number, expected: number, text?: string, sequence = 1): Promise<unknown> =>
      store.writeState({
        term: 0,
        writes: [{ id: id(n), expected, body: text === undefined ? undefined : bytes(text) }],
        line: () => ({ writer: id(8), sequence, body: bytes(`line ${sequence}`) }),
      })
    await writeState(1, 0, 'then', 1)
    await writeState(1, 1, 'then too', 2)
    await writeState(2, 0, 'gone by then', 3)
    await writeState(2, 1, undefined, 4)
    await store.backup(copy)
    const cursor = await store.read((reader) => reader.cursor())
    await writeState(1, 2, 'now', 5)
    await writeState(3, 0, 'now', 6)
    await store.write((tx) => tx.setTerm(3))
    await restore()
    await store.read(async (reader) => {
      const state = [{ id: id(1), revision: 2, body: bytes('then too') }]
      expect(await reader.scanState()).toEqual(state)
      expect(await reader.changesSince(cursor)).toMatchObject({ full: true, state })
      expect(await reader.chains()).toEqual([{ writer: id(8), last: 4 }])
      expect((await reader.readChain(id(8), 4, 1))[0]?.body).toEqual(bytes('line 4'))
      expect(await reader.term()).toBe(0)
    })
    await writeState(1, 2, 'later', 5)
    expect(await store.integrityProblems()).toEqual([])
  })

  it('takes another name for each vault that it keeps', async () => {
    await (await madeAndChanged()).close()
    expect([await restore(), await restore()]).toEqual([1, 2].map((n) => `${vault}.before-restore-${n}`))
  })

  it('leaves nothing but the vault and the kept one', async () => {
    await (await madeAndChanged()).close()
    await restore()
    expect(
      readdirSync(folder)
        .filter((name) => !/^vault[.]db(-wal|-shm)?$/.test(name))
        .sort(),
    ).toEqual(['copies', 'vault.db.before-restore-1'])
    expect(readdirSync(join(folder, 'copies'))).toEqual(['copy.db'])
  })

  it('makes a vault where there is none, folder included', async () => {
    await (await madeAndChanged()).close()
    vault = join(folder, 'new', 'vault.db')
    expect(await restore()).toBeUndefined()
    expect(await contents(await open(vault))).toEqual(whole('then', 3))
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700)
  })

  it('changes nothing when it is discarded', async () => {
    const store = await madeAndChanged()
    const before = await contents(store)
    const staged = await stageRestore(copy, vault)
    staged.discard()
    expect(existsSync(staged.path)).toBe(false)
    expect(await contents(store)).toEqual(before)
  })

  it('reads a copy on a medium that cannot be written, and leaves it untouched', async () => {
    await (await madeAndChanged()).close()
    const before = readFileSync(copy)
    chmodSync(copy, 0o400)
    await restore()
    expect(readFileSync(copy)).toEqual(before)
    expect(await contents(await open(vault))).toEqual(whole('then', 3))
  })

  it('takes along what a vault in use has not merged yet', async () => {
    const live = await open(copy)
    await fill(live, 'live', 4)
    expect(statSync(`${copy}-wal`).size).toBeGreaterThan(0)
    await restore()
    expect(await contents(await open(vault))).toEqual(whole('live', 4))
  })
})

describe('a handle that is open meanwhile', () => {
  it('sees the restored vault as a change, all of it, and can go on', async () => {
    const store = await madeAndChanged()
    const cursor = await store.read((reader) => reader.cursor())
    await restore()
    const change = await store.read((reader) => reader.changesSince(cursor))
    expect(change.full).toBe(true)
    expect(change.cursor).toBeGreaterThan(cursor)
    expect(await contents(store)).toEqual(whole('then', 3))
    await store.write((tx) => tx.putRow('t', id(9), bytes('later')))
    const next = await store.read((reader) => reader.changesSince(change.cursor))
    expect(next).toMatchObject({ full: false, cursor: change.cursor + 1 })
  })

  it('in a transaction is waited for, and loses nothing', async () => {
    const store = await madeAndChanged()
    let writing = (): void => {}
    const started = new Promise<void>((resolve) => {
      writing = resolve
    })
    const slow = store.write(async (tx) => {
      await tx.putRow('t', id(7), bytes('last moment'))
      writing()
      await new Promise((resolve) => setTimeout(resolve, 50))
    })
    await started
    const kept = await restore()
    await slow
    expect((await contents(await open(kept ?? ''))).rows).toContain('last moment')
    expect(await contents(store)).toEqual(whole('then', 3))
  })
})

describe('a present vault that cannot be read', () => {
  it.each([
    ['noise', () => writeFileSync(vault, 'no vault at all', { mode: 0o600 })],
    ['an empty file', () => truncateSync(vault, 0)],
    ['half a vault', () => truncateSync(vault, statSync(vault).size >> 1)],
    [
      'damaged pages',
      () => {
        const file = readFileSync(vault)
        file.fill(0x5a, 4096, file.length)
        writeFileSync(vault, file)
      },
    ],
  ])('%s is moved aside as it is', async (_what, damage) => {
    await (await madeAndChanged()).close()
    for (const suffix of ['-wal', '-shm']) rmSync(`${vault}${suffix}`, { force: true })
    damage()
    const damaged = readFileSync(vault)
    const kept = await restore()
    const store = await open(vault)
    expect(await contents(store)).toEqual(whole('then', 3))
    expect(await store.integrityProblems()).toEqual([])
    expect(readFileSync(kept ?? '')).toEqual(damaged)
  })

  it('leaves no log behind that the restored one would read', async () => {
    const store = await madeAndChanged()
    const [log, foreign] = [`${vault}-wal`, join(folder, 'foreign')]
    expect(statSync(log).size).toBeGreaterThan(0)
    copyFileSync(log, foreign)
    await store.close()
    for (const size of [5, 8_192]) {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${vault}${suffix}`, { force: true })
      writeFileSync(vault, Buffer.alloc(size, 'noise'), { mode: 0o600 })
      copyFileSync(foreign, log)
      chmodSync(log, 0o600)
      await restore()
      const restored = await openSqliteStore(vault)
      expect(await contents(restored)).toEqual(whole('then', 3))
      expect(await restored.integrityProblems()).toEqual([])
      await restored.close()
    }
  })
})

describe('a copy that cannot serve', () => {
  const refused = async (code: string, source: string = copy): Promise<void> => {
    const before = readdirSync(folder)
    await expect(stageRestore(source, vault)).rejects.toMatchObject({ code })
    expect(readdirSync(folder)).toEqual(before)
  }

  it('is refused before anything is touched', async () => {
    await refused('vault_not_found')
    writeFileSync(copy, 'noise', { mode: 0o600 })
    await refused('vault_corrupt')
    chmodSync(copy, 0o644)
    await refused('unsafe_permissions')
    await refused('storage_unavailable', folder)
    symlinkSync(copy, join(folder, 'copies', 'link'))
    const link = join(folder, 'copies', 'link')
    await refused('unsafe_permissions', link)
  })

  it('a newer keymux’s vault is not overwritten', async () => {
    await (await madeAndChanged()).close()
    const { DatabaseSync } = await import('@photostructure/sqlite')
    const database = new DatabaseSync(vault)
    database.exec('PRAGMA user_version = 99')
    database.close()
    const staged = await stageRestore(copy, vault)
    await expect(staged.replace()).rejects.toMatchObject({ code: 'vault_too_new' })
    staged.discard()
    expect(readdirSync(folder).filter((name) => name.includes('before'))).toEqual([])
  })
})
