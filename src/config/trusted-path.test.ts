import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mistrustOf } from './trusted-path.js'

const windows = process.platform === 'win32'
const root = process.getuid?.() === 0
const user = process.getuid?.() ?? 0
const OTHER = 65_534

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keymux-trust-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A file, in folders of its own. */
async function file(...parts: string[]): Promise<string> {
  const path = join(folder, ...parts)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, 'x', { mode: 0o600 })
  return path
}

async function look(path: string): Promise<{ problem: string; hint: string } | undefined> {
  const handle = await open(path)
  try {
    return await mistrustOf(path, await handle.stat({ bigint: true }))
  } finally {
    await handle.close()
  }
}

const others = (path: string) => ({ problem: `anybody may write "${path}"`, hint: `run: chmod o-w ${path}` })
const foreign = (path: string, flag = '') => ({
  problem: `"${path}" belongs to another user`,
  hint: `run: chown ${flag}${user} ${path}`,
})

describe.skipIf(windows)('what nobody else can write', () => {
  test('is trusted, also through links of ours and in a folder with the sticky bit', async () => {
    const path = await file('a', 'b')
    expect(await look(path)).toBeUndefined()
    await symlink('a/../a/b', join(folder, 'link'))
    await symlink(join(folder, 'link'), join(folder, 'second'))
    expect(await look(join(folder, 'second'))).toBeUndefined()
    await chmod(folder, 0o1777)
    expect(await look(join(folder, 'second'))).toBeUndefined()
    expect(await look(`${folder}/./a//b`)).toBeUndefined()
  })

  test('is trusted when the process was handed it open', async () => {
    const path = await file('a')
    await chmod(folder, 0o777)
    const handle = await open(path)
    const stats = await handle.stat({ bigint: true })
    await handle.close()
    expect(await mistrustOf('/dev/fd/7', stats)).toBeUndefined()
    expect(await mistrustOf('/proc/self/fd/7', stats)).toBeUndefined()
    expect(await mistrustOf('/dev/fd/../../etc', stats)).toBeDefined()
  })
})

describe.skipIf(windows)('what anybody may write', () => {
  test('is told with the command that mends it', async () => {
    const path = await file('it is', 'b')
    await chmod(path, 0o602)
    const problem = `anybody may write "${path}"`
    expect(await look(path)).toEqual({ problem, hint: `run: chmod o-w '${path}'` })
  })

  test.each([0o702, 0o703])('is told of a folder on the way: %o', async (mode) => {
    const path = await file('a', 'b', 'c')
    await chmod(join(folder, 'a'), mode)
    expect(await look(path)).toEqual(others(join(folder, 'a')))
  })

  test('is told of the way to a link, and of the way to its target', async () => {
    const path = await file('target', 'file')
    await mkdir(join(folder, 'links'))
    await symlink('../target/file', join(folder, 'links', 'link'))
    expect(await look(join(folder, 'links', 'link'))).toBeUndefined()
    await chmod(join(folder, 'links'), 0o707)
    expect(await look(join(folder, 'links', 'link'))).toEqual(others(join(folder, 'links')))
    await chmod(join(folder, 'links'), 0o700)
    await chmod(join(folder, 'target'), 0o707)
    expect(await look(join(folder, 'links', 'link'))).toEqual(others(join(folder, 'target')))
    expect(await look(path)).toEqual(others(join(folder, 'target')))
  })

  test('is told of a folder that a link leads through and out of again', async () => {
    await file('a')
    await mkdir(join(folder, 'open', 'inner'), { recursive: true })
    await symlink('open/inner/../../a', join(folder, 'link'))
    await chmod(join(folder, 'open'), 0o707)
    expect(await look(join(folder, 'link'))).toEqual(others(join(folder, 'open')))
  })

  test('is told of a hard link in a folder of everybody’s', async () => {
    const path = await file('mine')
    await mkdir(join(folder, 'open'))
    await chmod(join(folder, 'open'), 0o1777)
    await link(path, join(folder, 'open', 'config'))
    expect(await look(path)).toBeUndefined()
    expect((await look(join(folder, 'open', 'config')))?.problem).toMatch(/is a hard link in a folder/)
    await symlink('config', join(folder, 'open', 'link'))
    expect((await look(join(folder, 'open', 'link')))?.problem).toMatch(/is a hard link in a folder/)
  })
})

describe.skipIf(windows || !root)("another user's", () => {
  test('file, folder or link is told, whatever its mode', async () => {
    const path = await file('a', 'b')
    await chown(path, OTHER, 0)
    expect(await look(path)).toEqual(foreign(path))
    await chown(path, 0, 0)
    await chown(join(folder, 'a'), OTHER, 0)
    expect(await look(path)).toEqual(foreign(join(folder, 'a')))
    await chown(join(folder, 'a'), 0, 0)
    await symlink('a/b', join(folder, 'link'))
    await lchown(join(folder, 'link'), OTHER, 0)
    expect(await look(join(folder, 'link'))).toEqual(foreign(join(folder, 'link'), '-h '))
  })

  test('file in a folder with the sticky bit is told', async () => {
    const path = await file('a')
    await chmod(folder, 0o1777)
    await chown(path, OTHER, 0)
    expect(await look(path)).toEqual(foreign(path))
  })

  test('group is told', async () => {
    const path = await file('a')
    await chown(path, 0, OTHER)
    await chmod(path, 0o660)
    expect(await look(path)).toEqual({
      problem: `a group may write "${path}"`,
      hint: `run: chmod g-w ${path}`,
    })
    await chmod(path, 0o662)
    expect((await look(path))?.hint).toBe(`run: chmod go-w ${path}`)
  })
})

describe.skipIf(windows)('what is exchanged while it is read', () => {
  test('is told, whoever did it', async () => {
    const path = await file('a')
    const handle = await open(path)
    const stats = await handle.stat({ bigint: true })
    const exchanged = { problem: `"${path}" was exchanged while it was read`, hint: 'try again' }
    await rename(await file('b'), path)
    expect(await mistrustOf(path, stats)).toEqual(exchanged)
    await rm(path)
    expect(await mistrustOf(path, stats)).toEqual(exchanged)
    await symlink(path, path)
    expect(await mistrustOf(path, stats)).toEqual(exchanged)
    await handle.close()
  })

  test('counts with the mode that the open file has', async () => {
    const path = await file('a')
    await chmod(path, 0o602)
    const stats = await lstat(path, { bigint: true })
    await chmod(path, 0o600)
    expect(await mistrustOf(path, stats)).toEqual(others(path))
  })
})
