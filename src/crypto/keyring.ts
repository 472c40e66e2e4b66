import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { lengthPrefixed } from './bytes.js'
import { deriveKey } from './derive.js'
import { KEY_BYTES } from './gcm.js'
import { type Keyset, presentTerm, type Term, wipeKeyset } from './keyset.js'

/** Length of a vault id, in bytes. */
export const VAULT_ID_BYTES = 16
/** Length of a row id, in bytes. */
export const ROW_ID_BYTES = 16
/** Length of a MAC, in bytes. */
export const MAC_BYTES = 32
/** Length of a row's mark, in bytes. */
export const MARK_BYTES = 16

/** What follows from a row's head and address and the term's data key. */
export interface RowKeys {
  /** 32 bytes that seal its body; the caller wipes them. */
  readonly key: Buffer
  /** 16 secret bytes that stand for this very body in the manifest. */
  readonly mark: Buffer
}

/**
 * The keys of an unlocked vault: its root key and the keyset that it wraps.
 *
 * Nothing works after {@link Keyring.wipe}: every use throws `vault_locked`. Wiping zeroes the keys kept in
 * Buffers. The data key sits in a KeyObject as well, which saves most of a microsecond a row; Node clears its
 * memory when it collects it, not at once.
 */
export class Keyring {
  /** 16 bytes. */
  readonly vaultId: Buffer
  #root: Buffer | undefined
  #keyset: Keyset
  #headerMac: Buffer
  #data: KeyObject

  /**
   * @param rootKey 32 bytes; copied, so that the caller may wipe his.
   * @param vaultId 16 bytes.
   * @param keyset Kept, and wiped with the keyring.
   */
  constructor(rootKey: Uint8Array, vaultId: Uint8Array, keyset: Keyset) {
    if (rootKey.byteLength !== KEY_BYTES || vaultId.byteLength !== VAULT_ID_BYTES) {
      throw new KeymuxError('internal_error', 'the keys of a vault have the wrong shape')
    }
    this.vaultId = Buffer.from(vaultId)
    this.#root = Buffer.from(rootKey)
    this.#keyset = keyset
    this.#headerMac = deriveKey(rootKey, 'header mac', vaultId)
    this.#data = createSecretKey(keyset.data)
  }

  /** False once wiped. */
  get isUnlocked(): boolean {
    return this.#root !== undefined
  }

  /** The root key itself, for wrapping it into a slot. It is wiped with the keyring. @throws KeymuxError `vault_locked` */
  get rootKey(): Buffer {
    if (this.#root === undefined) throw locked()
    return this.#root
  }

  /** @throws KeymuxError `vault_locked` */
  get keyset(): Keyset {
    this.#refuseLocked()
    return this.#keyset
  }

  /** The term under which everything is sealed now. @throws KeymuxError `vault_locked` */
  get term(): Term {
    return presentTerm(this.keyset)
  }

  /** The term of this number; `undefined` where the vault has had none. @throws KeymuxError `vault_locked` */
  termOf(number: number): Term | undefined {
    return this.keyset.terms.find((term) => term.number === number)
  }

  /**
   * The opaque id of a named row: 16 bytes that tell nobody without the key which name it is.
   *
   * @throws KeymuxError `vault_locked`
   */
  rowId(table: string, name: string): Buffer {
    const digest = createHmac('sha256', this.keyset.lookup).update(lengthPrefixed(table, name)).digest()
    return digest.subarray(0, ROW_ID_BYTES)
  }

  /**
   * What stands for a value towards one subject: 32 bytes that tell nobody without the key what it was. They stay the
   * same through rotations, as the lookup key does that their key is derived from.
   *
   * @throws KeymuxError `vault_locked`
   */
  pseudonym(subject: string, value: string): Buffer {
    const key = deriveKey(this.keyset.lookup, 'pseudonyms', this.vaultId)
    const digest = createHmac('sha256', key).update(lengthPrefixed(subject, value)).digest()
    key.fill(0)
    return digest
  }

  /**
   * The key of a row of the present term and its mark: the first 48 bytes of HKDF-Expand with SHA-512 (RFC 5869
   * section 2.3) under the term's data key. The mark needs no open body, so that damage in one leaves the
   * manifest checkable.
   *
   * @param info Names this body of this row, and no other.
   * @throws KeymuxError `vault_locked`
   */
  rowKeys(info: Uint8Array): RowKeys {
    this.#refuseLocked()
    const bytes = createHmac('sha512', this.#data).update(info).update(FIRST_BLOCK).digest()
    return { key: bytes.subarray(0, KEY_BYTES), mark: bytes.subarray(KEY_BYTES, KEY_BYTES + MARK_BYTES) }
  }

  /** HMAC-SHA-256 of a header, under a key of the root. @throws KeymuxError `vault_locked` */
  headerMac(content: string): Buffer {
    this.#refuseLocked()
    return macOf(this.#headerMac, [content])
  }

  /** Whether a member of the vault wrote the header. @throws KeymuxError `vault_locked` */
  verifyHeaderMac(mac: Uint8Array, content: string): boolean {
    return isSameMac(mac, this.headerMac(content))
  }

  /** Goes on with the keys that a rotation made. The old ones are zeroed, but for those that `keyset` shares. */
  replace(rootKey: Uint8Array, keyset: Keyset): void {
    wipeKeyset(this.keyset, keyset)
    this.rootKey.fill(0)
    this.#headerMac.fill(0)
    this.#root = Buffer.from(rootKey)
    this.#keyset = keyset
    this.#headerMac = deriveKey(rootKey, 'header mac', this.vaultId)
    this.#data = createSecretKey(keyset.data)
  }

  /**
   * Zeroes the keys and locks the ring for good. May be called again.
   *
   * @param kept a keyset that somebody goes on with: what the two share stays
   */
  wipe(kept?: Keyset): void {
    this.#root?.fill(0)
    this.#root = undefined
    this.#headerMac.fill(0)
    wipeKeyset(this.#keyset, kept)
  }

  #refuseLocked(): void {
    if (this.#root === undefined) throw locked()
  }
}

const FIRST_BLOCK = Buffer.from([1])

/** HMAC-SHA-256 over length-prefixed parts. */
export function macOf(key: Buffer, parts: readonly (Uint8Array | string)[]): Buffer {
  return createHmac('sha256', key)
    .update(lengthPrefixed(...parts))
    .digest()
}

/** Whether two MACs are equal; takes the same time wherever they differ. */
export function isSameMac(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}

function locked(): KeymuxError {
  return new KeymuxError('vault_locked', 'the vault is locked', { hint: 'run keymux vault unlock' })
}
