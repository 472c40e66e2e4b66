import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { RefreshLocks } from '../locks.js'
import { MemoryLocks } from '../memory/locks.js'
import { SqliteLocks } from './locks.js'

const root = mkdtempSync(join(tmpdir(), 'keymux-locks-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const folder = (): string => join(root, `locks-${count++}`)

const drivers: [string, () => [RefreshLocks, RefreshLocks]][] = [
  [
    'memory',
    () => {
      const locks = new MemoryLocks()
      return [locks, locks]
    },
  ],
  [
    'sqlite',
    () => {
      const path = folder()
      return [new SqliteLocks(path), new SqliteLocks(path)]
    },
  ],
]

describe.each(drivers)('%s locks', (_name, make) => {
  test('one holder at a time, by name', async () => {
    const [here, there] = make()
    const held = await here.acquire('a', { timeoutMs: 0 })
    expect(held).toBeDefined()
    expect(await there.acquire('a', { timeoutMs: 0 })).toBeUndefined()
    expect(await here.acquire('a', { timeoutMs: 20 })).toBeUndefined()
    const other = await there.acquire('b', { timeoutMs: 0 })
    expect(other).toBeDefined()
    await held?.release()
    await held?.release()
    const again = await there.acquire('a', { timeoutMs: 0 })
    expect(again).toBeDefined()
    await again?.release()
    await other?.release()
  })

  test('whoever waits gets it, and an abort ends the wait', async () => {
    const [here, there] = make()
    const held = await here.acquire('a', { timeoutMs: 0 })
    const waiting = there.acquire('a', { timeoutMs: 10_000 })
    const controller = new AbortController()
    const aborted = there.acquire('a', { timeoutMs: 10_000, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await held?.release()
    const got = await waiting
    expect(got).toBeDefined()
    await got?.release()
  })

  test('50 who want it at once get it one after the other', async () => {
    const [here, there] = make()
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 50 }, async (_none, index) => {
        const held = await (index % 2 === 0 ? here : there).acquire('a', { timeoutMs: 30_000 })
        expect(held).toBeDefined()
        inside += 1
        most = Math.max(most, inside)
        await new Promise((resolve) => setImmediate(resolve))
        inside -= 1
        await held?.release()
      }),
    )
    expect(most).toBe(1)
  })
})

describe('files of locks', () => {
  test('are private, empty, and tell no names', async () => {
    const path = folder()
    const held = await new SqliteLocks(path).acquire('gemini:me@x.com', { timeoutMs: 0 })
    expect(statSync(path).mode & 0o777).toBe(0o700)
    const [name = ''] = readdirSync(path)
    expect(name).toMatch(/^[0-9a-f]{32}$/)
    expect(statSync(join(path, name))).toMatchObject({ size: 0 })
    expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
    await held?.release()
    expect(readdirSync(path)).toEqual([name])
  })

  test('nothing is made before a lock is wanted', () => {
    const path = folder()
    new SqliteLocks(path)
    expect(existsSync(path)).toBe(false)
  })

  test('a folder that is a symbolic link, and files that others may write, are refused', async () => {
    const [path, target] = [folder(), folder()]
    const held = await new SqliteLocks(target).acquire('a', { timeoutMs: 0 })
    await held?.release()
    symlinkSync(target, path)
    await expect(new SqliteLocks(path).acquire('a', { timeoutMs: 0 })).rejects.toMatchObject({
      code: 'unsafe_permissions',
    })
    chmodSync(join(target, readdirSync(target)[0] ?? ''), 0o666)
    await expect(new SqliteLocks(target).acquire('a', { timeoutMs: 0 })).rejects.toMatchObject({
      code: 'unsafe_permissions',
    })
  })
})
