import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChildFolder, systemFolders } from './child-folder.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keymux-child-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const files = new Map([['a.json', '{}']])
const mode = (path: string): number => statSync(path).mode & 0o777

describe('files for a child', () => {
  it('are private, and gone afterwards', () => {
    const folder = new ChildFolder([join(root, 'runtime')])
    folder.write(files)
    const path = join(folder.path, 'a.json')
    expect(readFileSync(path, 'utf8')).toBe('{}')
    expect([path, folder.path, dirname(folder.path)].map(mode)).toEqual([0o600, 0o700, 0o700])
    folder.remove()
    expect(existsSync(folder.path)).toBe(false)
  })

  it('make nothing where there are none', () => {
    const folder = new ChildFolder([join(root, 'runtime')])
    folder.write(new Map())
    folder.remove()
    expect(existsSync(join(root, 'runtime'))).toBe(false)
  })

  it('of processes that were killed go with the next ones', () => {
    // Far beyond the largest number that a process can have.
    const forgotten = join(root, 'runtime', 'agents', '99999999-00ff')
    const others = ['x', `${process.pid}-00ff`].map((name) => join(root, 'runtime', 'agents', name))
    for (const path of [forgotten, ...others]) mkdirSync(path, { recursive: true })
    new ChildFolder([join(root, 'runtime')]).write(files)
    expect([forgotten, ...others].map(existsSync)).toEqual([false, true, true])
  })

  it('lie where nobody else can replace them, if there is such a place', () => {
    const [open, closed] = [join(root, 'open'), join(root, 'closed')]
    for (const path of [open, closed]) mkdirSync(path)
    chmodSync(open, 0o777)
    // The folder of temporary files may be open to all itself: then there is no such place here.
    const expected = isOpen(tmpdir()) ? open : closed
    expect(new ChildFolder([join(open, 'x'), closed]).path.startsWith(join(expected, ''))).toBe(true)
    expect(new ChildFolder([join(open, 'x')]).path.startsWith(open)).toBe(true)
    expect(new ChildFolder([join(open, 'x')]).isOutOfReach).toBe(false)
    expect(new ChildFolder([join(open, 'x'), '/keymux-is-not-here']).isOutOfReach).toBe(true)
  })

  it('find a place for those whose home is open to all, where the system has one', () => {
    expect(systemFolders('linux', undefined)).toEqual([])
    expect(systemFolders('darwin', 0)).toEqual([])
    const own = systemFolders('linux', process.getuid?.())
    for (const path of own) expect(statSync(dirname(path)).uid).toBe(process.getuid?.())
    // Another user's sessions are not his.
    expect(systemFolders('linux', 4_294_967)).toEqual([])
  })

  it('are not written where that cannot be', () => {
    const path = join(root, 'file')
    writeFileSync(path, '')
    expect(() => new ChildFolder([path]).write(files)).toThrow(join(path, 'agents'))
  })
})

function isOpen(path: string): boolean {
  return (statSync(path).mode & 0o022) !== 0 || (dirname(path) !== path && isOpen(dirname(path)))
}
