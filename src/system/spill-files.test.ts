import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { SpillFolder } from './spill-files.js'

const root = mkdtempSync(join(tmpdir(), 'keymux-spill-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('files are private, replaced as a whole, and removed', async () => {
  const folder = join(root, 'a', 'deep')
  const files = new SpillFolder([folder])
  expect(await files.read('x')).toBeUndefined()
  await files.write('x', bytes('one'))
  await files.write('x', bytes('two'))
  expect(Buffer.from((await files.read('x')) ?? []).toString()).toBe('two')
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, 'x')).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['x'])
  await files.remove('x')
  await files.remove('x')
  expect(await files.read('x')).toBeUndefined()
})

test('where the first folder takes nothing the next one does, and an older file is not found in its place', async () => {
  const [first, second] = [join(root, 'blocked'), join(root, 'second')]
  const files = new SpillFolder([first, second])
  await files.write('x', bytes('old'))
  expect(readFileSync(join(first, 'x'), 'utf8')).toBe('old')
  rmSync(first, { recursive: true })
  writeFileSync(first, 'no folder')
  await files.write('x', bytes('new'))
  rmSync(first)
  mkdirSync(first)
  expect(Buffer.from((await files.read('x')) ?? []).toString()).toBe('new')
  await expect(new SpillFolder([]).write('x', bytes('lost'))).rejects.toThrow('no folder')
})

test('a file that may be there and cannot be read is an error, one that cannot be there is none', async () => {
  const folder = join(root, 'odd')
  mkdirSync(join(folder, 'x'), { recursive: true })
  const files = new SpillFolder([join(folder, 'missing'), folder])
  await expect(files.read('x')).rejects.toMatchObject({ code: 'storage_unavailable' })
  writeFileSync(join(folder, 'file'), '')
  expect(await new SpillFolder([join(folder, 'file')]).read('x')).toBeUndefined()
})
