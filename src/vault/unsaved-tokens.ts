import { createHash } from 'node:crypto'
import type { Keyring } from '../crypto/keyring.js'
import { openUnsaved, sealUnsaved } from '../crypto/unsaved.js'
import type { OAuthCredential } from '../domain/profile.js'

/** New tokens that could not be stored, and those they replace. */
export interface Spilled {
  readonly used: OAuthCredential
  readonly fresh: OAuthCredential
}

/** What new tokens are filed under: the refresh token that was spent for them. */
export type SpentToken = Pick<OAuthCredential, 'provider' | 'refreshToken'>

/**
 * Keeps tokens on disk that the vault would not take. They are filed under the refresh token that was spent for
 * them: whoever holds that one finds them, whatever its profile is called by now, and nobody else does.
 */
export interface SpillPlace {
  /** Durable when the promise resolves. What was spilled for the same refresh token before is replaced. */
  write(spilled: Spilled): Promise<void>
  /**
   * `undefined` where there is nothing, or nothing that this vault can open.
   *
   * @throws KeymuxError `storage_unavailable` when it cannot be said whether there is something
   */
  read(spent: SpentToken): Promise<Spilled | undefined>
  remove(spent: SpentToken): Promise<void>
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

  async write(spilled: Spilled): Promise<void> {
    const rowId = this.#rowId(spilled.used)
    const secret = Buffer.from(JSON.stringify(spilled))
    const sealed = sealUnsaved(this.#keyring, rowId, secret)
    secret.fill(0)
    await this.#files.write(rowId.toString('hex'), sealed)
  }

  async read(spent: SpentToken): Promise<Spilled | undefined> {
    const rowId = this.#rowId(spent)
    const sealed = await this.#files.read(rowId.toString('hex'))
    if (sealed === undefined) return undefined
    try {
      const bytes = openUnsaved(this.#keyring, rowId, sealed)
      if (bytes === undefined) return undefined
      const { used, fresh } = JSON.parse(bytes.toString()) as Spilled
      bytes.fill(0)
      return { used: withDates(used), fresh: withDates(fresh) }
    } catch {
      // Damaged, or of another vault: nothing that could be stored.
      return undefined
    }
  }

  remove(spent: SpentToken): Promise<void> {
    return this.#files.remove(this.#rowId(spent).toString('hex'))
  }

  #rowId(spent: SpentToken): Buffer {
    return this.#keyring.rowId(TABLE, spentDigest(spent))
  }
}

/** Stands for a refresh token where the token itself must not. */
export function spentDigest({ provider, refreshToken }: SpentToken): string {
  return createHash('sha256').update(`${provider}\0${refreshToken}`).digest('hex')
}

/** JSON has no dates. What is inside is authentic, so its shape is trusted. */
function withDates(credential: OAuthCredential): OAuthCredential {
  return {
    ...credential,
    expiresAt: new Date(credential.expiresAt),
    ...(credential.issuedAt === undefined ? {} : { issuedAt: new Date(credential.issuedAt) }),
  }
}
