import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileStore } from '../contract.js'
import { ROTATION_LOCK } from '../locks.js'
import { connect } from './connection.js'
import { loadDriver } from './driver.js'
import { openSqliteStore, type SqliteStoreOptions } from './index.js'
import { SqliteStore } from './store.js'

let folder: string
let path: string
let store: FileStore
let raw: DatabaseSyncInstance
const opened: FileStore[] = []

async function open(options?: SqliteStoreOptions, at: string = path): Promise<FileStore> {
  const another = await openSqliteStore(at, options)
  opened.push(another)
  return another
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-sqlite-'))
  path = join(folder, 'vault.db')
  store = await open({ create: true, busyTimeoutMs: 60 })
  raw = new DatabaseSync(path)
})
afterEach(async () => {
  raw.close()
  await Promise.all(opened.splice(0).map((each) => each.close()))
  rmSync(folder, { recursive: true })
})

const id = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const put = (n: number, to: FileStore = store): Promise<void> =>
  to.write((tx) => tx.putRow('t', id(n), Uint8Array.of(n)))
const count = async (of: FileStore = store): Promise<number> =>
  (await of.read((reader) => reader.scan())).length

describe('waiting for a lock', () => {
  it('gives up after the timeout without blocking the process', async () => {
    raw.exec('BEGIN IMMEDIATE')
    let ticks = 0
    const ticking = setInterval(() => ticks++, 1)
    await expect(put(1)).rejects.toMatchObject({ code: 'storage_busy' })
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(0)
    raw.exec('ROLLBACK')
    await put(1)
    expect(await count()).toBe(1)
  })

  it('of a rotation lasts longer, unless the process is about to end', async () => {
    const rotation = await store.locks.acquire(ROTATION_LOCK, { timeoutMs: 0 })
    raw.exec('BEGIN IMMEDIATE')
    const writing = put(1)
    const ended = writing.then(
      () => 'written',
      (error: unknown) => error,
    )
    expect(await Promise.race([ended, sleep(500).then(() => 'waits')])).toBe('waits')
    store.hurry?.()
    await expect(writing).rejects.toMatchObject({ code: 'storage_busy' })
    raw.exec('ROLLBACK')
    await rotation?.release()
    await put(1)
  })

  it('goes on as soon as the lock is free', async () => {
    const patient = await open({ busyTimeoutMs: 30_000 })
    raw.exec('BEGIN IMMEDIATE')
    const writing = put(1, patient)
    await sleep(5)
    raw.exec('COMMIT')
    await writing
    expect(await count()).toBe(1)
  })

  it('waits for another store of the same process that is held up itself', async () => {
    const other = await open({ busyTimeoutMs: 30_000 })
    let writing: Promise<void> | undefined
    await store.write(async (tx) => {
      writing = put(2, other)
      await sleep(5)
      await tx.putRow('t', id(1), Uint8Array.of(1))
    })
    await writing
    expect(await count()).toBe(2)
  })

  it('reads while another process writes', async () => {
    raw.exec('BEGIN IMMEDIATE')
    expect(await count()).toBe(0)
    raw.exec('ROLLBACK')
  })
})

describe('a failing operation', () => {
  it.each(['ABORT', 'ROLLBACK', 'FAIL'])(
    'fails the transaction even if its body carries on (%s)',
    async (how) => {
      const driver = await loadDriver()
      const connection = connect(driver, path)
      // A temporary one is of this connection alone.
      connection.database.exec(
        `CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.log BEGIN SELECT RAISE(${how}, 'planned'); END`,
      )
      const parts = { driver, path, connection, busyTimeoutMs: 60, mustBeFirst: false, now: () => 0 }
      const failing = new SqliteStore(parts)
      opened.push(failing)
      const writing = failing.write(async (tx) => {
        await tx.putRow('t', id(1), Uint8Array.of(1))
        await tx.appendLog(Uint8Array.of(1)).catch(() => undefined)
        await tx.putRow('t', id(2), Uint8Array.of(1)).catch(() => undefined)
      })
      await expect(writing).rejects.toMatchObject({ code: 'vault_corrupt' })
      expect(await count(failing)).toBe(0)
      connection.database.exec('DROP TRIGGER refuse')
      await put(3, failing)
      expect(await count()).toBe(1)
    },
  )

  it('leaves reads of other rows possible', async () => {
    await put(1)
    const attempt = store.read(async (reader) => {
      await expect(reader.getRow('', id(1))).rejects.toMatchObject({ code: 'internal_error' })
      return reader.getRow('t', id(1))
    })
    expect(await attempt).toEqual(Uint8Array.of(1))
  })
})

describe('foreign changes', () => {
  it('asks SQLite at most every 20 ms, and tells the truth when it does', async () => {
    let now = 1000
    const watching = await open({ now: () => now })
    await put(1)
    expect(watching.hasForeignChanges()).toBe(false)
    now += 19
    expect(watching.hasForeignChanges()).toBe(false)
    now += 1
    expect(watching.hasForeignChanges()).toBe(true)
    await count(watching)
    expect(watching.hasForeignChanges()).toBe(false)
    now += 20
    expect(watching.hasForeignChanges()).toBe(false)
    await put(2, watching)
    now += 20
    expect(watching.hasForeignChanges()).toBe(false)
  })

  it('does not vouch for anything during a long read', async () => {
    let now = 1000
    const watching = await open({ now: () => now })
    await watching.read(async (reader) => {
      await reader.cursor()
      await put(1)
      now += 50
      expect(watching.hasForeignChanges()).toBe(true)
    })
    now += 50
    expect(watching.hasForeignChanges()).toBe(true)
    await count(watching)
    now += 50
    expect(watching.hasForeignChanges()).toBe(false)
  })
})

describe('the connection', () => {
  it('keeps the log bounded', async () => {
    const body = new Uint8Array(64 * 1024)
    for (let n = 0; n < 300; n++) await store.write((tx) => tx.putRow('t', id(n % 200), body))
    expect(statSync(`${path}-wal`).size).toBeLessThan(12 * 1024 * 1024)
  })

  it('overwrites what is deleted', async () => {
    const marker = Buffer.from('marker-to-be-deleted-'.repeat(100))
    await store.write((tx) => tx.putRow('t', id(1), marker))
    await store.write((tx) => tx.deleteRow('t', id(1)))
    await store.close()
    const copy = join(folder, 'copy.db')
    await (await open()).backup(copy)
    for (const file of [path, copy]) {
      expect(readFileSync(file).includes('marker-to-be-deleted')).toBe(false)
    }
  })
})

describe('backup', () => {
  const target = (): string => join(folder, 'backup.db')

  it('makes a private copy that opens as a vault', async () => {
    await put(1)
    await store.backup(target())
    if (process.platform !== 'win32') expect(statSync(target()).mode & 0o777).toBe(0o600)
    await put(2)
    const copy = await open({}, target())
    expect(await count(copy)).toBe(1)
    expect(await copy.integrityProblems()).toEqual([])
    await put(3, copy)
    expect(await count()).toBe(2)
  })

  it('is one instant, however much is written meanwhile', async () => {
    const filler = new Uint8Array(20_000)
    const pair = (value: number): Promise<void> =>
      store.write(async (tx) => {
        await tx.putRow('a', id(value), filler)
        await tx.putRow('b', id(value), filler)
      })
    for (let n = 0; n < 100; n++) await pair(n)
    let copied = false
    const copying = store.backup(target()).finally(() => {
      copied = true
    })
    let written = 0
    while (!copied) {
      await pair(100 + (written++ % 100))
      await sleep(0)
    }
    await copying
    const copy = await open({}, target())
    expect(await copy.integrityProblems()).toEqual([])
    const sides = await copy.read(async (reader) => [await reader.scan('a'), await reader.scan('b')])
    expect(sides[0]?.length).toBe(sides[1]?.length)
    expect(sides[0]?.length).toBeGreaterThanOrEqual(100)
  })

  it('never replaces anything', async () => {
    writeFileSync(target(), 'precious')
    symlinkSync('/nowhere', join(folder, 'link'))
    mkdirSync(join(folder, 'folder'))
    for (const taken of [target(), join(folder, 'link'), join(folder, 'folder'), path]) {
      await expect(store.backup(taken)).rejects.toMatchObject({ code: 'file_exists' })
    }
    await expect(store.backup(join(folder, 'no', 'where'))).rejects.toMatchObject({ code: 'file_not_found' })
    await expect(store.backup(join(target(), 'below'))).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(readdirSync(folder).filter((name) => name.includes('.new-'))).toEqual([])
    expect(statSync(target()).size).toBe(8)
  })

  it('lets one of two with the same name win', async () => {
    const outcomes = await Promise.allSettled([store.backup(target()), store.backup(target())])
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await (await open({}, target())).integrityProblems()).toEqual([])
  })

  it('is waited for by close', async () => {
    await put(1)
    const copying = store.backup(target())
    await store.close()
    expect(existsSync(target())).toBe(true)
    await copying
  })
})

describe('integrity', () => {
  it.each([
    ['DELETE FROM log WHERE sequence = 2', /log has gaps/],
    ['UPDATE rows SET change = 999', /newer than the last change/],
    [
      'UPDATE rows SET body = NULL; UPDATE state SET horizon = change',
      /deleted row should have been forgotten/,
    ],
    ['UPDATE states SET change = 999', /state row is newer than the last change/],
    [
      'UPDATE states SET body = NULL; UPDATE state SET horizon = change',
      /deleted state row should have been/,
    ],
    ['DELETE FROM chains WHERE sequence = 1', /chain has gaps/],
  ])('notices %s', async (sql, problem) => {
    await store.write(async (tx) => {
      await tx.putRow('t', id(1), Uint8Array.of(1))
      for (let n = 0; n < 3; n++) await tx.appendLog(Uint8Array.of(n))
    })
    for (const expected of [0, 1]) {
      await store.writeState({
        term: 0,
        writes: [{ id: id(1), expected, body: Uint8Array.of(1) }],
        line: () => ({ writer: id(9), sequence: expected + 1, body: Uint8Array.of(1) }),
      })
    }
    expect(await store.integrityProblems()).toEqual([])
    raw.exec(sql)
    expect((await store.integrityProblems()).join('\n')).toMatch(problem)
  })

  it('reports a broken index instead of throwing', async () => {
    await put(1)
    raw.enableDefensive(false)
    raw.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (
      SELECT rootpage FROM sqlite_schema WHERE name = 'log') WHERE name = 'rows_by_change'`)
    const problems = await (await open())
      .integrityProblems()
      .catch((error: unknown) => [`threw ${String(error)}`])
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.join()).not.toContain('threw')
  })
})
