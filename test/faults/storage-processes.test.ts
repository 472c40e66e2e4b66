import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import { makeLab, start, startRemote } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

describe('several processes on one vault', () => {
  it('lose none of 4 × 500 writes', { timeout: 120_000 }, async () => {
    const path = join(lab.folder, 'shared.db')
    const program = await lab.program('storage-counter')
    const writers = [0, 1, 2, 3].map((name) => start(process.execPath, [program, path, '500', String(name)]))
    for (const writer of writers) expect(await writer.ended).toMatchObject({ code: 0, errors: '' })
    const store = await openSqliteStore(path)
    await store.read(async (reader) => {
      expect(Buffer.from((await reader.getBlob('counter')) ?? []).toString()).toBe('2000')
      expect(await reader.cursor()).toBe(2000)
      expect(await reader.scan()).toHaveLength(2000)
      const log = await reader.readLog(1, 5000)
      for (const name of [0, 1, 2, 3]) expect(log.filter((line) => line.body[0] === name)).toHaveLength(500)
    })
    expect(await store.integrityProblems()).toEqual([])
    await store.close()
  })

  it('lose none of 4 × 500 changes of one row of state', { timeout: 120_000 }, async () => {
    const path = join(lab.folder, 'state.db')
    const program = await lab.program('storage-state-counter')
    const writers = [0, 1, 2, 3].map((name) => start(process.execPath, [program, path, '500', String(name)]))
    for (const writer of writers) expect(await writer.ended).toMatchObject({ code: 0, errors: '' })
    const store = await openSqliteStore(path)
    await store.read(async (reader) => {
      const rows = await reader.scanState()
      expect(rows.map(({ revision, body }) => [revision, Buffer.from(body).toString()])).toEqual([
        [2000, '2000'],
      ])
      expect(await reader.cursor()).toBe(2000)
      const heads = await reader.chains()
      expect(heads.map(({ last }) => last)).toEqual([500, 500, 500, 500])
      const lines = await Promise.all(heads.map(({ writer }) => reader.readChain(writer, 1, 1000)))
      // Every revision is told of by the one process that wrote it.
      const told = lines.flat().map(({ body }) => Number(Buffer.from(body).toString()))
      expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: 2000 }, (_, n) => n + 1))
    })
    expect(await store.integrityProblems()).toEqual([])
    await store.close()
  })

  it('see each other within 50 ms', async () => {
    const path = join(lab.folder, 'seen.db')
    const store = await openSqliteStore(path, { create: true })
    const other = await startRemote(lab)
    expect(await other.run(`open ${path}`)).toBe('ok ')
    for (let round = 0; round < 10; round++) {
      expect(store.hasForeignChanges()).toBe(false)
      expect(await other.run(`put ${round}`)).toBe('ok ')
      await sleep(50)
      expect(store.hasForeignChanges()).toBe(true)
      const count = await store.read(async (reader) => (await reader.scan('t')).length)
      expect(count).toBe(round + 1)
      expect(await other.run(`state ${round} 0`)).toBe('ok 0')
      await sleep(50)
      expect(store.hasForeignChanges()).toBe(true)
      expect(await store.read(async (reader) => (await reader.scanState()).length)).toBe(round + 1)
    }
    expect(await other.end()).toMatchObject({ code: 0 })
    await store.close()
  })

  it('are not held up by one that was stopped while it had nothing to do', async () => {
    const path = join(lab.folder, 'stopped.db')
    const store = await openSqliteStore(path, { create: true })
    const other = await startRemote(lab)
    await other.run(`open ${path}`)
    await other.run('put 1')
    other.child.kill('SIGSTOP')
    await store.write((tx) => tx.putBlob('b', Uint8Array.of(1)))
    await store.close()
    other.child.kill('SIGCONT')
    expect(await other.run('put 2')).toBe('ok ')
    expect(await other.end()).toMatchObject({ code: 0 })
  })
})
