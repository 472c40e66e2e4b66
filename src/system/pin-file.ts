import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isKeymuxError } from '../domain/errors.js'
import { makeFolders } from '../storage/folders.js'
import { readSecretFile } from './safe-file.js'

/** In bytes: many times as long as a pin is. */
const LARGEST = 4096

/** Runs `body` while no other process runs one under the same name. */
export type Exclusively = (name: string, body: () => Promise<void>) => Promise<void>

/** Remembers positions of vaults in small files of a state directory, one per vault. */
export class PinFiles {
  readonly #directory: string
  readonly #exclusively: Exclusively

  /** @param directory Created with mode 0700 when something is written first. */
  constructor(directory: string, exclusively: Exclusively) {
    this.#directory = directory
    this.#exclusively = exclusively
  }

  /**
   * `undefined` when there is none. What cannot be read is an empty text, which is no pin: whoever can damage it could
   * delete it as well.
   */
  async read(vaultId: string): Promise<string | undefined> {
    try {
      return (await readSecretFile(this.#path(vaultId), { largest: LARGEST })).toString()
    } catch (error) {
      return isKeymuxError(error, 'file_not_found') ? undefined : ''
    }
  }

  /** Replaces the file as a whole by what `next` makes of it, with no other process in between. */
  async update(vaultId: string, next: (present: string | undefined) => string | undefined): Promise<void> {
    // Mostly another process has come further already, which needs no lock to be seen.
    if (next(await this.read(vaultId)) === undefined) return
    await this.#exclusively(`pin ${vaultId}`, async () => {
      const text = next(await this.read(vaultId))
      if (text !== undefined) await this.#write(vaultId, text)
    })
  }

  async #write(vaultId: string, text: string): Promise<void> {
    const path = this.#path(vaultId)
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    makeFolders(dirname(path))
    try {
      await writeFile(temporary, `${text}\n`, { mode: 0o600, flag: 'wx' })
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  #path(vaultId: string): string {
    return join(this.#directory, 'pins', vaultId)
  }
}
