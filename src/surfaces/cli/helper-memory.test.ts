import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HelperMemory } from './helper-memory.js'

let above: string
let folder: string
beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'keymux-helper-'))
  folder = join(above, 'keymux')
})
afterEach(() => rmSync(above, { recursive: true, force: true }))

const memory = (nowMs = 1_000, caller = '1-1'): HelperMemory =>
  new HelperMemory([folder], { caller, vault: 'v', wanted: 'openai' }, nowMs)

/** The one file that a memory makes. */
function made(): string {
  memory().remember(['openai:a'])
  const [name = ''] = readdirSync(folder)
  return join(folder, name)
}

describe('the memory of key helpers', () => {
  test('knows for five seconds what a program got', () => {
    memory().remember(['openai:a', 'openai:b'])
    expect([...memory(6_000).tried()]).toEqual(['openai:a', 'openai:b'])
    expect(memory(6_001).tried().size).toBe(0)
    expect(memory(1_000, '2-2').tried().size).toBe(0)
  })

  test('is kept in the next folder where the first cannot be made, and found there', () => {
    const folders = [join(above, 'absent', 'keymux'), folder]
    const asking = { caller: '1-1', vault: 'v', wanted: 'openai' }
    new HelperMemory(folders, asking, 1_000).remember(['openai:a'])
    expect([...new HelperMemory(folders, asking, 1_000).tried()]).toEqual(['openai:a'])
    expect(existsSync(join(above, 'absent'))).toBe(false)
  })

  const hostile: Record<string, (path: string) => void> = {
    garbage: (path) => writeFileSync(path, '{"at":'),
    'something else': (path) => writeFileSync(path, '{"at":1000,"ids":[7,{}]}'),
    nothing: (path) => writeFileSync(path, ''),
    'a huge file': (path) => truncateSync(path, 3_000_000_000),
    'a folder': (path) => {
      rmSync(path)
      mkdirSync(path)
    },
    'a link': (path) => {
      rmSync(path)
      writeFileSync(join(above, 'other'), '{"at":1000,"ids":["openai:x"]}')
      symlinkSync(join(above, 'other'), path)
    },
  }

  test.each(Object.entries(hostile))('finds nothing in %s, and goes on', (_, put) => {
    const path = made()
    put(path)
    expect(memory().tried().size).toBe(0)
    expect(() => memory().remember(['openai:b'])).not.toThrow()
    if (existsSync(join(above, 'other')))
      expect(readFileSync(join(above, 'other'), 'utf8')).toContain('openai:x')
  })

  test.skipIf(process.platform === 'win32')('does not wait at a pipe', () => {
    const path = made()
    rmSync(path)
    execFileSync('mkfifo', [path])
    expect(memory().tried().size).toBe(0)
  })

  test('is none where its folder is a file, a link or nowhere', () => {
    writeFileSync(folder, '')
    expect(() => memory().remember(['openai:a'])).not.toThrow()
    rmSync(folder)
    mkdirSync(join(above, 'elsewhere'))
    symlinkSync(join(above, 'elsewhere'), folder)
    memory().remember(['openai:a'])
    expect(readdirSync(join(above, 'elsewhere'))).toEqual([])
    rmSync(above, { recursive: true })
    expect(() => memory().remember(['openai:a'])).not.toThrow()
    expect(memory().tried().size).toBe(0)
  })
})
