import { randomBytes } from 'node:crypto'
import { chmod, link, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKeymuxError } from '../../domain/errors.js'
import { fileError } from '../../domain/file-errors.js'
import { makeFolders } from '../../storage/folders.js'

const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/** Reads a file, or refuses one that others may read (`unsafe_permissions`). */
export type ReadPrivateFile = (path: string) => Promise<Buffer>

/** What a running gateway leaves behind so that others find it. */
export interface GatewayRecord {
  /** `http://127.0.0.1:PORT`; absent behind a unix socket. */
  readonly url?: string
  readonly socket?: string
  readonly pid: number
  /** RFC 3339 */
  readonly startedAt: string
}

/**
 * The files of a vault's gateways, in the state folder (0700): the token, and a record of each running one.
 * All are 0600; one that others can read is refused.
 */
export class GatewayFiles {
  readonly #folder: string
  readonly #vaultId: string
  readonly #read: ReadPrivateFile

  /** @param vaultId Hexadecimal. */
  constructor(stateFolder: string, vaultId: string, readFile: ReadPrivateFile) {
    this.#read = readFile
    this.#folder = join(stateFolder, 'gateways')
    // Grouped as a UUID: messages with such a path in them are searched for what looks like a key.
    this.#vaultId = vaultId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  get tokenPath(): string {
    return join(this.#folder, `${this.#vaultId}.token`)
  }

  /** The vault's gateway token; `undefined` before there is one. @throws KeymuxError `unsafe_permissions`, … */
  async readToken(): Promise<string | undefined> {
    try {
      const text = (await this.#read(this.tokenPath)).toString().trim()
      return text === '' ? undefined : text
    } catch (error) {
      if (isKeymuxError(error, 'file_not_found')) return undefined
      throw error
    }
  }

  async writeToken(token: string): Promise<void> {
    await this.#write(this.tokenPath, `${token}\n`, rename)
  }

  /** Writes the token where none is yet, and gives the one that is on file then. */
  async claimToken(token: string): Promise<string> {
    try {
      await this.#write(this.tokenPath, `${token}\n`, linkOrRename)
      return token
    } catch (error) {
      if (!isKeymuxError(error, 'file_exists')) throw error
    }
    const kept = await this.readToken()
    if (kept === undefined) await this.writeToken(token)
    return kept ?? token
  }

  /** The records of this vault's gateways, the latest first; those of processes that died may be among them. */
  async records(): Promise<GatewayRecord[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const own = names.filter((name) => name.startsWith(`${this.#vaultId}.`) && name.endsWith('.json'))
    const found = await Promise.all(own.map((name) => this.#readRecord(join(this.#folder, name))))
    return found.filter((record) => record !== undefined).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  }

  async writeRecord(record: GatewayRecord): Promise<void> {
    const { startedAt, ...rest } = record
    await this.#write(
      this.#recordPath(record.pid),
      `${JSON.stringify({ ...rest, started_at: startedAt })}\n`,
      rename,
    )
  }

  async removeRecord(pid: number): Promise<void> {
    await rm(this.#recordPath(pid), { force: true })
  }

  #recordPath(pid: number): string {
    return join(this.#folder, `${this.#vaultId}.${pid}.json`)
  }

  async #readRecord(path: string): Promise<GatewayRecord | undefined> {
    try {
      return asRecord(JSON.parse((await this.#read(path)).toString()))
    } catch {
      // Half a record, or one that somebody else could have written, leads nowhere.
      return undefined
    }
  }

  /** Writes a file as a whole, and puts it in its place. */
  async #write(
    path: string,
    text: string,
    place: (from: string, to: string) => Promise<void>,
  ): Promise<void> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    try {
      makeFolders(this.#folder)
      if (process.platform !== 'win32') await chmod(this.#folder, 0o700)
      await writeFile(temporary, text, { mode: 0o600, flag: 'wx' })
      await place(temporary, path)
    } catch (error) {
      throw fileError(path, error)
    } finally {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }
}

/** Gives a file its name where that is free (`EEXIST`); on a file system without hard links, at any rate. */
async function linkOrRename(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!WITHOUT_LINKS.has(code)) throw error
    await rename(from, to)
  }
}

function asRecord(value: unknown): GatewayRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { url, socket, pid, started_at: startedAt } = value as Record<string, unknown>
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || typeof startedAt !== 'string') return undefined
  if (typeof url === 'string') return { url, pid, startedAt }
  return typeof socket === 'string' ? { socket, pid, startedAt } : undefined
}
