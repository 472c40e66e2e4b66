import { type BigIntStats, lstatSync, realpathSync, statSync } from 'node:fs'
import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { storageError, systemCode } from './errors.js'
import { shellWord } from './shell.js'

/** The files that SQLite keeps beside a database while it is in use: its log, and the index of the log. */
export function companions(path: string): string[] {
  return [`${path}-wal`, `${path}-shm`]
}

/**
 * Looks at a vault file and the files SQLite keeps beside it, before anything is opened: a symbolic link,
 * somebody else's file or one that others may read is refused. Windows has no modes to look at.
 *
 * @returns what the file is, or undefined where there is none
 * @throws KeymuxError `unsafe_permissions`, `storage_unavailable`
 */
export function inspectVaultFile(path: string): BigIntStats | undefined {
  const stats = inspect(path)
  if (stats !== undefined) for (const file of [...companions(path), `${path}-journal`]) inspect(file)
  return stats
}

function inspect(path: string): BigIntStats | undefined {
  const stats = look(path)
  if (stats === undefined) return undefined
  if (stats.isSymbolicLink()) throw symbolicLink(path)
  if (!stats.isFile()) {
    const what = stats.isDirectory() ? 'a folder' : 'not a regular file'
    throw new KeymuxError('storage_unavailable', `${printable(path)} is ${what}`, {
      hint: 'name the vault file itself, such as vault.db in that folder',
    })
  }
  const user = process.geteuid?.()
  if (user === undefined) return stats
  if (stats.uid !== BigInt(user)) {
    throw unsafe(path, 'belongs to another user', `sudo chown ${user} ${shellWord(path)}`)
  }
  if ((stats.mode & 0o077n) !== 0n) {
    throw unsafe(path, 'can be read or written by other users', `chmod 600 ${shellWord(path)}`)
  }
  return stats
}

function look(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOTDIR') return undefined
    if (code === 'EACCES') {
      throw new KeymuxError('storage_unavailable', `the folder of ${printable(path)} cannot be entered`, {
        hint: 'check the modes of its parent folders',
        cause: error,
      })
    }
    throw storageError(error, path)
  }
}

function symbolicLink(path: string): KeymuxError {
  try {
    const target = realpathSync(path)
    return unsafe(path, 'is a symbolic link', `use its target: --vault ${shellWord(target)}`)
  } catch {
    return unsafe(path, 'is a symbolic link to nowhere', `rm ${shellWord(path)}`)
  }
}

function unsafe(path: string, what: string, hint: string): KeymuxError {
  return new KeymuxError('unsafe_permissions', `${printable(path)} ${what}`, { hint })
}

interface KnownFile {
  readonly path: string
  readonly dev: bigint
  readonly ino: bigint
}

/** Tells whether the names of a set of files still lead to the files they led to when it was made. */
export class FileIdentity {
  readonly #files: readonly KnownFile[]

  /** Names that lead nowhere are left out. */
  constructor(paths: readonly string[]) {
    this.#files = paths.flatMap((path) => {
      const stats = statOf(path)
      return stats === undefined ? [] : [{ path, dev: stats.dev, ino: stats.ino }]
    })
  }

  /** Costs about 2 µs a file. */
  holds(): boolean {
    return this.#files.every(({ path, dev, ino }) => {
      const stats = statOf(path)
      return stats !== undefined && stats.ino === ino && stats.dev === dev
    })
  }
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Differs whenever the contents of one of the files may differ. For files that SQLite does not watch. */
export function contentSignature(paths: readonly string[]): string {
  return paths.map(describeContent).join(' ')
}

function describeContent(path: string): string {
  const stats = statOf(path)
  return stats === undefined ? '-' : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`
}
