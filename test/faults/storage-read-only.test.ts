import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { makeLab, privateMounts, type RemoteStore, startRemote } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

let round = 0

/** A vault with one row, made by a process that has ended, in a folder of its own. */
async function makeVault(): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = join(lab.folder, `vault-${round++}`)
  const path = join(folder, 'vault.db')
  const maker = await startRemote(lab)
  expect(await maker.run(`open ${path} create`)).toBe('ok ')
  expect(await maker.run('put 1')).toBe('ok ')
  expect(await maker.end()).toMatchObject({ code: 0 })
  expect(readdirSync(folder)).toEqual(['vault.db'])
  return { folder, path }
}

const mounts = privateMounts()
const title = 'missing' in mounts ? `a read-only medium (skipped: ${mounts.missing})` : 'a read-only medium'

describe.skipIf('missing' in mounts)(title, () => {
  /** A store whose process cannot write to `place`, while this one can. */
  function startReader(place: string): Promise<RemoteStore> {
    const command = 'missing' in mounts ? [] : mounts.command
    const script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    return startRemote(lab, [...command, 'sh', '-c', script, 'sh', place])
  }

  it('can be read, copied and checked, but not written to', async () => {
    const { folder, path } = await makeVault()
    const reader = await startReader(folder)
    expect(await reader.run(`open ${path}`)).toBe('ok ')
    expect(await reader.run('get 1')).toBe('ok 1')
    expect(await reader.run('count')).toBe('ok 1')
    expect(await reader.run('put 2')).toBe('error storage_read_only')
    expect(await reader.run('delete 1')).toBe('error storage_read_only')
    expect(await reader.run('problems')).toBe('ok ')
    expect(await reader.run(`backup ${folder}/copy.db`)).toBe('error storage_read_only')
    expect(await reader.run(`backup ${lab.folder}/copy.db`)).toBe('ok ')
    expect(await reader.run('foreign')).toBe('ok false')
    expect(await reader.run(`open ${folder}/new.db create`)).toBe('error storage_read_only')
    expect(await reader.run(`open ${lab.folder}/copy.db`)).toBe('ok ')
    expect(await reader.run('get 1')).toBe('ok 1')
    expect(await reader.run('put 2')).toBe('ok ')
    expect(await reader.end()).toMatchObject({ code: 0 })
    expect(readdirSync(folder)).toEqual(['vault.db'])
  })

  it('shows what is written to it from elsewhere', async () => {
    const { folder, path } = await makeVault()
    const reader = await startReader(folder)
    expect(await reader.run(`open ${path}`)).toBe('ok ')
    expect(await reader.run('get 2')).toBe('ok ')
    const writer = await startRemote(lab)
    await writer.run(`open ${path}`)
    for (const n of [2, 3, 4]) {
      expect(await writer.run(`put ${n}`)).toBe('ok ')
      await sleep(50)
      expect(await reader.run('foreign')).toBe('ok true')
      expect(await reader.run(`get ${n}`)).toBe(`ok ${n}`)
      await sleep(50)
      expect(await reader.run('foreign')).toBe('ok false')
    }
    expect(await reader.run('put 5')).toBe('error storage_read_only')
    // The last writer leaves, and another comes: the reader follows.
    expect(await writer.end()).toMatchObject({ code: 0 })
    expect(await reader.run('count')).toBe('ok 4')
    const next = await startRemote(lab)
    await next.run(`open ${path}`)
    expect(await next.run('put 6')).toBe('ok ')
    await sleep(50)
    expect(await reader.run('foreign')).toBe('ok true')
    expect(await reader.run('get 6')).toBe('ok 6')
    expect(await next.end()).toMatchObject({ code: 0 })
    expect(await reader.run('count')).toBe('ok 5')
    expect(await reader.end()).toMatchObject({ code: 0 })
  })

  it('does not pass off what changed during a read as one instant', async () => {
    const { folder, path } = await makeVault()
    const reader = await startReader(folder)
    expect(await reader.run(`open ${path}`)).toBe('ok ')
    const reading = reader.run(`readUntil ${lab.folder}/written`)
    await once(reader.child.stderr, 'data')
    const writer = await startRemote(lab)
    expect(await writer.run(`open ${path}`)).toBe('ok ')
    expect(await writer.run('put 2')).toBe('ok ')
    writeFileSync(join(lab.folder, 'written'), '')
    expect(await reading).toBe('error storage_busy')
    expect(await reader.run('count')).toBe('ok 2')
    expect(await writer.end()).toMatchObject({ code: 0 })
    expect(await reader.end()).toMatchObject({ code: 0 })
  })

  it('can be read with a writer at work from the start', async () => {
    const { folder, path } = await makeVault()
    const writer = await startRemote(lab)
    await writer.run(`open ${path}`)
    await writer.run('put 2')
    const reader = await startReader(folder)
    expect(await reader.run(`open ${path}`)).toBe('ok ')
    expect(await reader.run('get 2')).toBe('ok 2')
    await writer.run('put 3')
    await sleep(50)
    expect(await reader.run('foreign')).toBe('ok true')
    expect(await reader.run('get 3')).toBe('ok 3')
    expect(await writer.end()).toMatchObject({ code: 0 })
    expect(await reader.end()).toMatchObject({ code: 0 })
  })

  it('can be read after a writer was killed, or says why not', async () => {
    const { folder, path } = await makeVault()
    const writer = await startRemote(lab)
    await writer.run(`open ${path}`)
    await writer.run('put 2')
    writer.child.kill('SIGKILL')
    await writer.end()
    expect(existsSync(`${path}-wal`)).toBe(true)
    const reader = await startReader(folder)
    expect(await reader.run(`open ${path}`)).toBe('ok ')
    expect(await reader.run('get 2')).toBe('ok 2')
    expect(await reader.end()).toMatchObject({ code: 0 })
  })
})

// Root may write to anything, so as root the store runs as the user `nobody`, who must reach the packages of this clone.
const asRoot = process.geteuid?.() === 0
const user = asRoot ? { uid: 65534, gid: 65534 } : {}
const unreachable =
  asRoot &&
  spawnSync('test', ['-r', fileURLToPath(new URL('../../package.json', import.meta.url))], user).status !== 0
const modes = unreachable ? 'modes (skipped: as root, in a folder that no other user can enter)' : 'modes'

describe.skipIf(process.platform === 'win32' || unreachable)(modes, () => {
  async function startAsUser(folder: string, path: string): Promise<RemoteStore> {
    if (asRoot) for (const file of [folder, path]) chownSync(file, 65534, 65534)
    return startRemote(lab, [], user)
  }

  it('of a read-only file leave it readable', async () => {
    const { folder, path } = await makeVault()
    chmodSync(path, 0o400)
    const store = await startAsUser(folder, path)
    expect(await store.run(`open ${path}`)).toBe('ok ')
    expect(await store.run('get 1')).toBe('ok 1')
    expect(await store.run('put 2')).toBe('error storage_read_only')
    expect(await store.end()).toMatchObject({ code: 0 })
    chmodSync(path, 0o600)
    const again = await startRemote(lab, [], user)
    expect(await again.run(`open ${path}`)).toBe('ok ')
    expect(await again.run('put 2')).toBe('ok ')
    expect(await again.end()).toMatchObject({ code: 0 })
  })

  it('of a read-only folder leave the file readable', async () => {
    const { folder, path } = await makeVault()
    const store = await startAsUser(folder, path)
    chmodSync(folder, 0o500)
    expect(await store.run(`open ${path}`)).toBe('ok ')
    expect(await store.run('get 1')).toBe('ok 1')
    expect(await store.run('put 2')).toBe('error storage_read_only')
    expect(await store.run(`open ${folder}/new.db create`)).toBe('error storage_read_only')
    expect(await store.run(`open ${folder}/deep/new.db create`)).toBe('error storage_read_only')
    expect(await store.end()).toMatchObject({ code: 0 })
    chmodSync(folder, 0o700)
  })

  it('of a closed folder hide the file', async () => {
    const { folder, path } = await makeVault()
    const store = await startAsUser(folder, path)
    chmodSync(folder, 0)
    expect(await store.run(`open ${path}`)).toBe('error storage_unavailable')
    expect(await store.run(`open ${path} create`)).toBe('error storage_unavailable')
    chmodSync(folder, 0o700)
    expect(await store.run(`open ${path}`)).toBe('ok ')
    expect(await store.end()).toMatchObject({ code: 0 })
  })
})
