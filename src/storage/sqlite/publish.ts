import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeFolders } from '../folders.js'
import { systemCode } from './errors.js'

/** What is left of an attempt that was killed is swept away by a later one after this time. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000
const SUFFIXES = ['', '-wal', '-shm', '-journal'] as const

/**
 * Makes a file that is either complete or not there at all: `fill` works on an empty 0600 file under a
 * temporary name in the same folder, which then takes the final name without ever replacing anything.
 * A kill at any instant leaves at most the temporary file.
 *
 * @returns false where the name is taken
 */
export async function publishNewFile(
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<boolean> {
  const temporary = join(dirname(path), `${prefixOf(path)}${randomBytes(6).toString('hex')}`)
  createPrivately(temporary)
  try {
    sweep(path, temporary)
    await fill(temporary)
    sync(temporary, 'r+')
    if (!giveName(temporary, path)) return false
  } finally {
    for (const suffix of SUFFIXES) rmSync(`${temporary}${suffix}`, { force: true })
  }
  syncFolder(path)
  return true
}

/** Makes the folder of `path`, private to its owner, where there is none. */
export function ensureFolder(path: string): void {
  const folder = dirname(path)
  if (makeFolders(folder)) chmodSync(folder, 0o700)
}

function prefixOf(path: string): string {
  return `.${basename(path)}.new-`
}

function createPrivately(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
  chmodSync(path, 0o600)
}

/** Gives the file its final name. Where the file system has no hard links, by copying it. */
function giveName(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
  }
  return giveCopy(temporary, path)
}

function giveCopy(temporary: string, path: string): boolean {
  try {
    copyFileSync(temporary, path, constants.COPYFILE_EXCL)
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
  chmodSync(path, 0o600)
  sync(path, 'r+')
  return true
}

/** Removes temporary files of earlier attempts, by the file system's own clock. */
function sweep(path: string, temporary: string): void {
  const folder = dirname(path)
  const now = lstatSync(temporary).mtimeMs
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefixOf(path))) continue
    const stats = lstatSync(join(folder, name), { throwIfNoEntry: false })
    if (stats !== undefined && now - stats.mtimeMs > ABANDONED_AFTER_MS)
      rmSync(join(folder, name), { force: true })
  }
}

function sync(path: string, flags: string): void {
  const file = openSync(path, flags)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Makes the new name itself durable. Windows neither can nor needs to. */
function syncFolder(path: string): void {
  if (process.platform !== 'win32') sync(dirname(path), 'r')
}
