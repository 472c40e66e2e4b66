import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLab, type RemoteStore, startRemote } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

let round = 0
let folder: string
let path: string
let store: RemoteStore

beforeEach(async () => {
  folder = join(lab.folder, `replaced-${round++}`)
  path = join(folder, 'vault.db')
  mkdirSync(folder, { mode: 0o700 })
  store = await startRemote(lab)
  expect(await store.run(`open ${path} create`)).toBe('ok ')
  expect(await store.run('put 1')).toBe('ok ')
})
afterEach(async () => {
  expect(await store.end()).toMatchObject({ code: 0 })
})

/** Nothing may be read from or written to files that have lost their names. */
async function expectRefusal(): Promise<void> {
  for (const command of [
    'put 2',
    'delete 1',
    'get 1',
    'count',
    'problems',
    `backup ${join(folder, 'copy.db')}`,
  ]) {
    expect(await store.run(command), command).toBe('error storage_unavailable')
  }
  await sleep(25)
  expect(await store.run('foreign')).toBe('ok true')
}

describe.skipIf(process.platform === 'win32')('an open vault', () => {
  it.each(['', '-wal', '-shm'])('whose file vault.db%s is deleted is noticed', async (suffix) => {
    rmSync(`${path}${suffix}`)
    await expectRefusal()
  })

  it('that is moved away is noticed, and works again once it is back', async () => {
    renameSync(path, join(folder, 'elsewhere.db'))
    await expectRefusal()
    expect(await store.run(`open ${path}`)).toBe('error vault_not_found')
    renameSync(join(folder, 'elsewhere.db'), path)
    expect(await store.run('put 2')).toBe('ok ')
    expect(await store.run('count')).toBe('ok 2')
  })

  it('that is replaced by another is noticed, and the other is left alone', async () => {
    const other = await startRemote(lab)
    const place = join(folder, 'other.db')
    await other.run(`open ${place} create`)
    for (const n of [10, 11, 12]) await other.run(`put ${n}`)
    await other.end()
    // As a careful restore does it: the log of the old file goes with it.
    renameSync(`${path}-wal`, join(folder, 'old-wal'))
    renameSync(`${path}-shm`, join(folder, 'old-shm'))
    renameSync(place, path)
    await expectRefusal()

    const next = await startRemote(lab)
    expect(await next.run(`open ${path}`)).toBe('ok ')
    expect(await next.run('put 13')).toBe('ok ')
    const log = statSync(`${path}-wal`).ino
    expect(await store.run('close')).toBe('ok ')
    expect(await store.end()).toMatchObject({ code: 0 })
    expect(statSync(`${path}-wal`).ino).toBe(log)
    next.child.kill('SIGKILL')
    await next.end()

    const last = await startRemote(lab)
    expect(await last.run(`open ${path}`)).toBe('ok ')
    expect(await last.run('count')).toBe('ok 4')
    expect(await last.run('get 13')).toBe('ok 13')
    expect(await last.run('problems')).toBe('ok ')
    expect(await last.end()).toMatchObject({ code: 0 })
  })

  it('that is deleted can be opened anew', async () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`)
    expect(await store.run('put 2')).toBe('error storage_unavailable')
    expect(await store.run(`open ${path}`)).toBe('error vault_not_found')
    expect(await store.run(`open ${path} create`)).toBe('ok ')
    expect(await store.run('count')).toBe('ok 0')
    expect(await store.run('put 3')).toBe('ok ')
    expect(await store.run('count')).toBe('ok 1')
  })

  it('that is copied while in use gives the state of its last checkpoint, and stays sound', async () => {
    expect(existsSync(`${path}-wal`)).toBe(true)
    const copy = join(folder, 'copy.db')
    copyFileSync(path, copy)
    const other = await startRemote(lab)
    expect(await other.run(`open ${copy}`)).toBe('ok ')
    expect(await other.run('problems')).toBe('ok ')
    expect(await other.end()).toMatchObject({ code: 0 })
    expect(await store.run('put 2')).toBe('ok ')
    expect(await store.run('problems')).toBe('ok ')
  })
})
