import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeFolders } from './folders.js'

const root = mkdtempSync(join(tmpdir(), 'keymux-folders-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('makeFolders', () => {
  it('makes all that is missing, for its owner alone, and says so', () => {
    const folder = join(root, 'a', 'b', 'c')
    expect(makeFolders(folder)).toBe(true)
    expect(makeFolders(folder)).toBe(false)
    for (const each of [folder, join(root, 'a')]) expect(statSync(each).mode & 0o777).toBe(0o700)
  })

  it('refuses a way through a file', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => makeFolders(join(root, 'file'))).toThrow('EEXIST')
    expect(() => makeFolders(join(root, 'file', 'x', 'y'))).toThrow('ENOTDIR')
  })

  it.runIf(process.platform === 'linux')('comes to an end where nothing can be made', () => {
    expect(() => makeFolders('/proc/1/x')).toThrow(/ENOENT|EACCES/)
    expect(() => makeFolders('/proc/1/x/y/z')).toThrow(/ENOENT|EACCES/)
  })
})
