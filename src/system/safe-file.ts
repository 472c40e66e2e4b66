import { randomBytes } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { copyFile, link, open, rm } from 'node:fs/promises'
import { KeymuxError } from '../domain/errors.js'
import { fileError } from '../domain/file-errors.js'
import { shellQuote } from '../domain/shell.js'

const LARGEST_SECRET_FILE = 2 * 1024 * 1024
const NOFOLLOW = constants.O_NOFOLLOW ?? 0

/** How a file that holds a secret is to be read. */
export interface ReadOptions {
  /** Refuse one that others may read, another user's, or a symlink. */
  readonly privateOnly?: boolean
  /** With `privateOnly`: to root, too, another user's is refused. For files that keymux itself makes. */
  readonly ownOnly?: boolean
  /** Throws where the open file, or the way to it, is not to be trusted. */
  readonly check?: (path: string, stats: BigIntStats) => Promise<void>
  /** In bytes. Default 2 MiB. */
  readonly largest?: number
}

/**
 * Reads a file that holds a secret: a regular file, and not too large a one.
 *
 * @throws KeymuxError `file_not_found`, `unsafe_permissions`, `storage_unavailable`
 */
export async function readSecretFile(path: string, options: ReadOptions = {}): Promise<Buffer> {
  const { privateOnly = false, ownOnly = false, largest = LARGEST_SECRET_FILE } = options
  const handle = await openForReading(path, privateOnly)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new KeymuxError('storage_unavailable', `${path} is not a regular file`)
    if (stat.size > largest) {
      throw new KeymuxError('storage_unavailable', `${path} is larger than ${largest / 1024 / 1024} MiB`)
    }
    if (privateOnly) refuseShared(path, stat, ownOnly)
    await options.check?.(path, await handle.stat({ bigint: true }))
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

/** The same, of a file that nobody else may read. */
export function readPrivateFile(path: string): Promise<Buffer> {
  return readSecretFile(path, { privateOnly: true, ownOnly: true })
}

/**
 * Writes a new file that only its owner may read (0600), durably.
 *
 * @throws KeymuxError `file_exists`, `storage_full`, `storage_unavailable`
 */
export async function writeSecretFile(path: string, content: Uint8Array): Promise<void> {
  // Written aside and then linked: nobody ever reads half of it, and of two who make it at once one wins.
  const aside = `${path}.new-${randomBytes(6).toString('hex')}`
  let handle: FileHandle
  try {
    handle = await open(aside, 'wx', 0o600)
  } catch (error) {
    throw fileError(path, error)
  }
  try {
    await handle.writeFile(content)
    await handle.sync()
    await handle.close()
    await publish(aside, path)
  } catch (error) {
    throw fileError(path, error)
  } finally {
    await handle.close().catch(() => {})
    await rm(aside, { force: true })
  }
}

/** Gives a finished file its name, unless the name is taken. */
async function publish(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error
    // A file system without hard links.
    await copyFile(aside, path, constants.COPYFILE_EXCL)
  }
}

async function openForReading(path: string, noFollow: boolean): Promise<FileHandle> {
  try {
    // A named pipe would block for ever without O_NONBLOCK.
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (noFollow ? NOFOLLOW : 0))
  } catch (error) {
    throw fileError(path, error)
  }
}

function refuseShared(path: string, stat: { mode: number; uid: number }, ownOnly: boolean): void {
  if (process.platform === 'win32') return
  const own = process.getuid?.()
  if (own !== undefined && (own !== 0 || ownOnly) && stat.uid !== own && stat.uid !== 0) {
    throw new KeymuxError('unsafe_permissions', `${path} belongs to another user`, {
      hint: 'use a file of your own',
    })
  }
  if ((stat.mode & 0o077) !== 0) {
    throw new KeymuxError('unsafe_permissions', `${path} can be read by others`, {
      hint: `run chmod 600 ${shellQuote(path)}`,
    })
  }
}
