import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLab, privateMounts, type RemoteStore, startRemote } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

const mounts = privateMounts()
const title = 'missing' in mounts ? `a full disk (skipped: ${mounts.missing})` : 'a full disk'

describe.skipIf('missing' in mounts)(title, () => {
  let disk: string
  let remote: RemoteStore
  let round = 0

  /** A store whose process sees a disk of 2 MB at `disk`. */
  beforeEach(async () => {
    disk = join(lab.folder, `disk-${round++}`)
    mkdirSync(disk)
    const command = 'missing' in mounts ? [] : mounts.command
    const script = 'mount -t tmpfs -o size=2m,mode=700 none "$1" && shift && exec "$@"'
    remote = await startRemote(lab, [...command, 'sh', '-c', script, 'sh', disk])
  })
  afterEach(async () => {
    expect(await remote.end()).toMatchObject({ code: 0 })
  })

  const run = (command: string): Promise<string> => remote.run(command)
  const numbers = (answer: string): number => Number(answer.split(' ')[1])

  it('refuses a write, keeps all before it, and goes on once there is room', async () => {
    await run(`ballast ${disk}/ballast 400000`)
    await run(`open ${disk}/vault.db create`)
    await run('put 1')
    let acknowledged = 0
    for (let again = 0; again < 5; again++) {
      const answer = await run('fill 10000')
      expect(answer).toMatch(/^ok \d+ storage_full$/)
      acknowledged = numbers(answer)
    }
    expect(acknowledged).toBeGreaterThan(20)
    expect(await run('get 1')).toBe('ok 1')
    expect(await run('count fill')).toBe(`ok ${acknowledged}`)
    expect(await run('problems')).toBe('ok ')

    await run(`remove ${disk}/ballast`)
    expect(await run('put 2')).toBe('ok ')
    expect(await run('get 2')).toBe('ok 2')
    expect(await run('problems')).toBe('ok ')
    await run('close')
    expect(await run(`open ${disk}/vault.db`)).toBe('ok ')
    expect(await run('count fill')).toBe(`ok ${acknowledged}`)
    expect(await run('put 3')).toBe('ok ')
  })

  it('refuses a change of state, keeps all before it, and goes on once there is room', async () => {
    await run(`ballast ${disk}/ballast 400000`)
    await run(`open ${disk}/vault.db create`)
    expect(await run('state 1 0')).toBe('ok 0')
    let acknowledged = 0
    for (let again = 0; again < 5; again++) {
      const answer = await run('fillState 10000')
      expect(answer).toMatch(/^ok \d+ storage_full$/)
      acknowledged = numbers(answer)
    }
    expect(acknowledged).toBeGreaterThan(20)
    expect(await run('countState')).toBe(`ok ${acknowledged + 1}`)
    expect(await run('state 1 7')).toBe('ok 1')
    expect(await run('problems')).toBe('ok ')

    await run(`remove ${disk}/ballast`)
    expect(await run('state 1 1')).toBe('ok 0')
    await run('close')
    expect(await run(`open ${disk}/vault.db`)).toBe('ok ')
    expect(await run('countState')).toBe(`ok ${acknowledged + 1}`)
    expect(await run('state 1 2')).toBe('ok 0')
    expect(await run('problems')).toBe('ok ')
  })

  it('makes no half vault, and a whole one once there is room', async () => {
    expect(await run(`ballast ${disk}/ballast 3000000`)).toContain('ENOSPC')
    expect(await run(`open ${disk}/vault.db create`)).toBe('error storage_full')
    expect(await run(`files ${disk}`)).toBe('ok ballast')
    await run(`remove ${disk}/ballast`)
    expect(await run(`open ${disk}/vault.db mustNotExist`)).toBe('ok ')
    expect(await run('put 1')).toBe('ok ')
  })

  it('makes no half backup', async () => {
    await run(`open ${disk}/vault.db create`)
    expect(await run('fill 40')).toBe('ok 40')
    await run(`ballast ${disk}/ballast 900000`)
    expect(await run(`backup ${disk}/backup.db`)).toBe('error storage_full')
    expect(await run(`files ${disk}`)).toBe('ok ballast vault.db vault.db-shm vault.db-wal')
    await run(`remove ${disk}/ballast`)
    expect(await run('put 1')).toBe('ok ')
  })

  it('says so when there is no room to open the vault in', async () => {
    await run(`open ${disk}/vault.db create`)
    await run('put 1')
    expect(await run(`backup ${disk}/copy.db`)).toBe('ok ')
    expect(await run(`ballast ${disk}/ballast 3000000`)).toContain('ENOSPC')
    expect(await run(`open ${disk}/copy.db`)).toBe('error storage_full')
    await run(`remove ${disk}/ballast`)
    expect(await run(`open ${disk}/copy.db`)).toBe('ok ')
    expect(await run('get 1')).toBe('ok 1')
  })
})
