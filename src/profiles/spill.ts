import type { OAuthCredential } from '../domain/profile.js'
import type { Keyring } from '../vault/keyring.js'
import { openRow, sealRow } from '../vault/seal.js'

/** New tokens that could not be stored, and those they replace. */
export interface Spilled {
  readonly used: OAuthCredential
  readonly fresh: OAuthCredential
}

/** Keeps tokens on disk that the vault would not take. */
export interface SpillPlace {
  /** Durable when the promise resolves. What was spilled for the profile before is replaced. */
  write(id: string, spilled: Spilled): Promise<void>
  /** `undefined` where there is nothing, or nothing that this vault can open. */
  read(id: string): Promise<Spilled | undefined>
  remove(id: string): Promise<void>
}

/** Small files by opaque name. */
export interface SpillFiles {
  write(name: string, bytes: Uint8Array): Promise<void>
  read(name: string): Promise<Uint8Array | undefined>
  remove(name: string): Promise<void>
}

const TABLE = 'spill'

/** Spilled tokens sealed as a record of the vault is, so that nobody reads them who cannot open it. */
export class SealedSpill implements SpillPlace {
  readonly #keyring: Keyring
  readonly #files: SpillFiles

  constructor(keyring: Keyring, files: SpillFiles) {
    this.#keyring = keyring
    this.#files = files
  }

  async write(id: string, spilled: Spilled): Promise<void> {
    const rowId = this.#rowId(id)
    const secret = Buffer.from(JSON.stringify(spilled))
    const { body } = sealRow(
      this.#keyring,
      { table: TABLE, id: rowId, revision: 1 },
      { meta: Buffer.from(id), secret },
    )
    secret.fill(0)
    await this.#files.write(rowId.toString('hex'), body)
  }

  async read(id: string): Promise<Spilled | undefined> {
    const rowId = this.#rowId(id)
    const body = await this.#files.read(rowId.toString('hex'))
    if (body === undefined) return undefined
    try {
      const bytes = openRow(this.#keyring, TABLE, rowId, body).openSecret()
      if (bytes === undefined) return undefined
      const { used, fresh } = JSON.parse(bytes.toString()) as Spilled
      bytes.fill(0)
      return { used: withDates(used), fresh: withDates(fresh) }
    } catch {
      // Damaged, or of another vault: nothing that could be stored.
      return undefined
    }
  }

  remove(id: string): Promise<void> {
    return this.#files.remove(this.#rowId(id).toString('hex'))
  }

  #rowId(id: string): Buffer {
    return this.#keyring.rowId(TABLE, id)
  }
}

/** JSON has no dates. What is inside is authentic, so its shape is trusted. */
function withDates(credential: OAuthCredential): OAuthCredential {
  return {
    ...credential,
    expiresAt: new Date(credential.expiresAt),
    ...(credential.issuedAt === undefined ? {} : { issuedAt: new Date(credential.issuedAt) }),
  }
}
