import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { corrupt, lengthPrefixed } from './bytes.js'
import { KEY_BYTES } from './gcm.js'

/** Length of a vault id, in bytes. */
export const VAULT_ID_BYTES = 16
/** Length of a row id, in bytes. */
export const ROW_ID_BYTES = 16
/** Length of a MAC, in bytes. */
export const MAC_BYTES = 32
/** The highest number of a data-key epoch. */
export const MAX_EPOCH = 0xffff_ffff

/** What the keys derived from the root key are for; each purpose is a label of its own. */
const PURPOSES = ['header mac', 'manifest', 'audit seal', 'audit mac', 'pin mac', 'lookup', 'data'] as const

/** A purpose that has one key. */
export type KeyPurpose = Exclude<(typeof PURPOSES)[number], 'data' | 'lookup'>

/**
 * The keys of an unlocked vault, all derived from its root key with HKDF-SHA-256 (RFC 5869) under labels
 * that hold the purpose and the vault id.
 *
 * Nothing works after {@link Keyring.wipe}: every use throws `vault_locked`. Wiping zeroes the keys kept in
 * Buffers. Data keys sit in KeyObjects, which save most of a microsecond a row; Node clears their memory when
 * it collects them, not at once.
 */
export class Keyring {
  /** 16 bytes. */
  readonly vaultId: Buffer
  /** The epoch under which new rows are sealed; rows of epochs 1 to this one can be opened. */
  readonly epoch: number
  #root: Buffer | undefined
  readonly #keys: ReadonlyMap<string, Buffer>
  readonly #dataKeys = new Map<number, KeyObject>()

  /**
   * @param rootKey 32 bytes; copied, so that the caller may wipe his.
   * @param vaultId 16 bytes.
   * @param epoch From 1.
   */
  constructor(rootKey: Uint8Array, vaultId: Uint8Array, epoch: number) {
    const sound = rootKey.byteLength === KEY_BYTES && vaultId.byteLength === VAULT_ID_BYTES && isEpoch(epoch)
    if (!sound) throw new KeymuxError('internal_error', 'the keys of a vault have the wrong shape')
    this.vaultId = Buffer.from(vaultId)
    this.epoch = epoch
    this.#root = Buffer.from(rootKey)
    this.#keys = new Map(PURPOSES.map((purpose) => [purpose, deriveKey(rootKey, purpose, vaultId)]))
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

  /** The key for one purpose, 32 bytes. It is wiped with the keyring. @throws KeymuxError `vault_locked` */
  key(purpose: KeyPurpose): Buffer {
    return this.#key(purpose)
  }

  /**
   * The key under which rows of an epoch are sealed.
   *
   * @throws KeymuxError `vault_locked`; `vault_corrupt` for an epoch that this vault has not reached
   */
  dataKey(epoch: number): KeyObject {
    const known = this.#dataKeys.get(epoch)
    if (known !== undefined) return known
    const master = this.#key('data')
    if (!isEpoch(epoch) || epoch > this.epoch) throw corrupt('a record of the vault')
    const bytes = deriveKey(master, `epoch ${epoch}`, this.vaultId)
    const key = createSecretKey(bytes)
    bytes.fill(0)
    this.#dataKeys.set(epoch, key)
    return key
  }

  /**
   * The opaque id of a named row: 16 bytes that tell nobody without the key which name it is.
   *
   * @throws KeymuxError `vault_locked`
   */
  rowId(table: string, name: string): Buffer {
    const digest = createHmac('sha256', this.#key('lookup')).update(lengthPrefixed(table, name)).digest()
    return digest.subarray(0, ROW_ID_BYTES)
  }

  /** HMAC-SHA-256 over length-prefixed parts. @throws KeymuxError `vault_locked` */
  mac(purpose: KeyPurpose, ...parts: readonly (Uint8Array | string)[]): Buffer {
    return createHmac('sha256', this.#key(purpose))
      .update(lengthPrefixed(...parts))
      .digest()
  }

  /** Whether `mac` is that of the parts; takes the same time wherever it differs. @throws KeymuxError `vault_locked` */
  verifyMac(mac: Uint8Array, purpose: KeyPurpose, ...parts: readonly (Uint8Array | string)[]): boolean {
    const expected = this.mac(purpose, ...parts)
    return mac.byteLength === expected.byteLength && timingSafeEqual(mac, expected)
  }

  /** Zeroes the keys and locks the ring for good. May be called again. */
  wipe(): void {
    this.#root?.fill(0)
    this.#root = undefined
    for (const key of this.#keys.values()) key.fill(0)
    this.#dataKeys.clear()
  }

  #key(purpose: (typeof PURPOSES)[number]): Buffer {
    const key = this.#keys.get(purpose)
    if (key === undefined || this.#root === undefined) throw locked()
    return key
  }
}

/** Derives 32 bytes from a uniformly random key, a label and the id of the vault. */
export function deriveKey(
  key: Uint8Array,
  label: string,
  vaultId: Uint8Array,
  ...context: readonly (Uint8Array | string)[]
): Buffer {
  const info = lengthPrefixed(`keymux/1 ${label}`, vaultId, ...context)
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), info, KEY_BYTES))
}

/** Whether this is a number that an epoch can have. */
export function isEpoch(epoch: number): boolean {
  return Number.isInteger(epoch) && epoch >= 1 && epoch <= MAX_EPOCH
}

function locked(): KeymuxError {
  return new KeymuxError('vault_locked', 'the vault is locked', { hint: 'run keymux vault unlock' })
}
