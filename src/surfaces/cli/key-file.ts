import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolders } from '../../storage/folders.js'
import { slotSecretOf } from '../../system/slot-secret.js'

/** A key file that can open a new slot. */
export interface PreparedKeyFile {
  readonly path: string
  /** It was not there before. */
  readonly made: boolean
  /** Takes it away again, if it was made here. */
  discard(): Promise<void>
}

/**
 * Makes a key file (0600) where there is none, and checks the one that is there. Its folder is made too.
 *
 * @throws KeymuxError `wrong_key_file`, `unsafe_permissions`, storage errors
 */
export async function prepareKeyFile(path: string): Promise<PreparedKeyFile> {
  const made = !existsSync(path)
  if (made) attempt(() => makeFolders(dirname(path)))
  const secret = await slotSecretOf({ keyFile: path }, 'new slot')
  if (secret.type === 'key_file') secret.key.fill(0)
  return {
    path,
    made,
    async discard() {
      if (made) await rm(path, { force: true })
    },
  }
}

/** What is wrong with the folder is told by who makes the file. */
function attempt(work: () => unknown): void {
  try {
    work()
  } catch {}
}
