import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { publishNewFile } from './publish.js'

const links = vi.hoisted((): { failure: string | undefined } => ({ failure: undefined }))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const linkSync: typeof fs.linkSync = (from, to) => {
    if (links.failure !== undefined) throw Object.assign(new Error('planned'), { code: links.failure })
    fs.linkSync(from, to)
  }
  return { ...fs, linkSync }
})

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-publish-'))
  path = join(folder, 'file')
})
afterEach(() => {
  links.failure = undefined
  rmSync(folder, { recursive: true })
})

const fillWith =
  (text: string) =>
  async (temporary: string): Promise<void> =>
    writeFileSync(temporary, text)

describe.each([
  ['with hard links', undefined],
  ['on a file system without hard links (EPERM)', 'EPERM'],
  ['on a file system without hard links (ENOTSUP)', 'ENOTSUP'],
])('publishing %s', (_, failure) => {
  beforeEach(() => {
    links.failure = failure
  })

  it('makes a private file and leaves nothing else', async () => {
    expect(await publishNewFile(path, fillWith('whole'))).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('whole')
    expect(readdirSync(folder)).toEqual(['file'])
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('never replaces anything, not even what appears meanwhile', async () => {
    const made = publishNewFile(path, async (temporary) => {
      writeFileSync(temporary, 'mine')
      writeFileSync(path, 'theirs')
    })
    expect(await made).toBe(false)
    expect(readFileSync(path, 'utf8')).toBe('theirs')
    expect(readdirSync(folder)).toEqual(['file'])
  })

  it('leaves nothing when filling fails', async () => {
    const failing = publishNewFile(path, async (temporary) => {
      writeFileSync(temporary, 'half')
      writeFileSync(`${temporary}-journal`, 'half')
      throw new Error('planned')
    })
    await expect(failing).rejects.toThrow('planned')
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('publishing', () => {
  it('passes other failures on', async () => {
    links.failure = 'EIO'
    await expect(publishNewFile(path, fillWith('x'))).rejects.toMatchObject({ code: 'EIO' })
    expect(existsSync(path)).toBe(false)
  })
})
