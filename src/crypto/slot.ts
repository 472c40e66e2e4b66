import type { KeymuxError } from '../domain/errors.js'
import { lengthPrefixed } from './bytes.js'
import type { KdfCost } from './kdf.js'

/** What a slot's type needs to know to find the slot's key again: small numbers and short texts, not secret. */
export type SlotParams = Readonly<Record<string, string | number>>

/**
 * One way to the root key of a vault. All types look alike: only the way from secret to key-encryption key
 * differs, so that a slot of a type this version does not know is kept, shown and rewrapped all the same.
 */
export interface Slot {
  /** 8 random bytes in lower-case hexadecimal. */
  readonly id: string
  readonly type: string
  /** What its owner calls it; 1 to 64 printable characters. */
  readonly label?: string
  readonly createdAt: Date
  readonly params: SlotParams
  /** X25519, 32 bytes: the root key is wrapped to it, so that a new one needs no passphrase. */
  readonly publicKey: Buffer
  /** The private key and the binding key, sealed under the slot's key-encryption key. */
  readonly sealedKeys: Buffer
  /** The binding key once more, sealed under the root key for whoever wraps the next one. */
  readonly sealedBinding: Buffer
  /** The root key, wrapped to the public key and the binding key. */
  readonly wrappedRoot: Buffer
  /** Somebody who was removed since knows the binding key: its owner makes a new one when he next unlocks. */
  readonly staleBinding?: true
}

/** What opens a passphrase slot. */
export interface PassphraseSecret {
  /** A text, or its bytes in UTF-8. Slots of this version take it in Unicode's form NFC. */
  readonly passphrase: string | Uint8Array
}

/** What opens a key-file slot. */
export interface KeyFileSecret {
  /** The 32 bytes of the file (`parseKeyFile`). */
  readonly key: Uint8Array
}

/** The secrets of the known slot types. */
export interface SlotSecrets {
  readonly passphrase: PassphraseSecret
  readonly key_file: KeyFileSecret
}

/** Name of a slot type that this version can make and open. */
export type SlotTypeName = keyof SlotSecrets

/** What opens a slot: `{ type: 'passphrase', passphrase }` or `{ type: 'key_file', key }`. */
export type SlotSecret<Name extends SlotTypeName = SlotTypeName> = {
  [Key in Name]: { readonly type: Key } & SlotSecrets[Key]
}[Name]

/** What a slot type may be told when a slot is made. */
export interface SlotCost {
  /** For types that derive keys from something guessable. `DEFAULT_KDF_COST` when absent. */
  readonly kdf?: KdfCost
}

/** How one type of slot comes from its secret to a key-encryption key. */
export interface SlotType<Secret> {
  /** Fresh parameters for a new slot. @throws KeymuxError `invalid_value` when the secret or cost cannot serve */
  newParams(secret: Secret, cost: SlotCost): SlotParams
  /**
   * The 32-byte key-encryption key. `context` is unique to the slot.
   *
   * @throws KeymuxError `vault_corrupt` for parameters that no keymux wrote
   */
  keyEncryptionKey(secret: Secret, params: SlotParams, context: Buffer): Promise<Buffer>
  /** The error for a secret that does not open a slot of this type. */
  wrongSecret(): KeymuxError
}

/** What identifies a slot and everything in it that never changes: vault id, slot id, type, KDF parameters. */
export function slotContext(slot: Pick<Slot, 'id' | 'type' | 'params'>, vaultId: Uint8Array): Buffer {
  const params = Object.entries(slot.params).sort(([one], [other]) => (one < other ? -1 : 1))
  const flat = params.flatMap(([key, value]) => [key, typeof value, String(value)])
  return lengthPrefixed('keymux/2 slot', vaultId, slot.id, slot.type, ...flat)
}
