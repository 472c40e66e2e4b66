import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Remembers positions of vaults in small files of a state directory, one per vault. */
export class PinFiles {
  readonly #directory: string

  /** @param directory Created with mode 0700 when something is written first. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** `undefined` when there is none or it cannot be read: whoever can damage it could delete it as well. */
  async read(vaultId: string): Promise<string | undefined> {
    return readFile(this.#path(vaultId), 'utf8').catch(() => undefined)
  }

  /** Replaces the file as a whole. */
  async write(vaultId: string, text: string): Promise<void> {
    const path = this.#path(vaultId)
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
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
