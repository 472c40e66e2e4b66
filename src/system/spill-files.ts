import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { makeFolders } from '../storage/folders.js'
import { readSecretFile } from './safe-file.js'

/** Small 0600 files in the first of several folders that takes them. Each folder is made when needed, 0700. */
export class SpillFolder {
  readonly #folders: readonly string[]

  constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  /** Replaces the file as a whole, durably. Rejects with the last folder's error when none takes it. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    let failure: unknown = new Error('there is no folder to write to')
    for (const folder of this.#folders) {
      try {
        await replace(folder, name, bytes)
        // An older one elsewhere must not be found in its place.
        for (const other of this.#folders) {
          if (other !== folder) await rm(join(other, name), { force: true }).catch(() => undefined)
        }
        return
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** @throws KeymuxError `storage_unavailable` when it cannot be said whether the file is there */
  async read(name: string): Promise<Uint8Array | undefined> {
    for (const folder of this.#folders) {
      const bytes = await readSecretFile(join(folder, name)).catch(absent)
      if (bytes !== undefined) return bytes
    }
    return undefined
  }

  async remove(name: string): Promise<void> {
    for (const folder of this.#folders) await rm(join(folder, name), { force: true }).catch(() => undefined)
  }
}

/** No such file, or a folder that is none of ours: another user's holds nothing that we have written. */
const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']

function absent(error: unknown): undefined {
  if (isKeymuxError(error, 'file_not_found')) return undefined
  const cause = isKeymuxError(error) ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no regular file'
  if (ABSENT.includes(code)) return undefined
  throw new KeymuxError('storage_unavailable', `a spill file cannot be read (${code})`, { cause: error })
}

async function replace(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  makeFolders(folder)
  const temporary = join(folder, `${name}.${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(folder, name))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
}
