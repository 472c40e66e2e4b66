import { randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { openBox, sealBox } from './box.js'
import { corrupt, lengthPrefixed } from './bytes.js'
import { KEY_BYTES } from './gcm.js'
import { deriveKey } from './keyring.js'
import {
  type Slot,
  type SlotCost,
  type SlotSecret,
  type SlotSecrets,
  type SlotType,
  type SlotTypeName,
  slotContext,
} from './slot.js'
import { requireLabel } from './slot-codec.js'
import { keyFileSlot } from './slot-key-file.js'
import { passphraseSlot } from './slot-passphrase.js'
import { agreeX25519, generateX25519 } from './x25519.js'

/*
 * From a secret to the root key: secret → key-encryption key → (private key, binding key) → root key.
 *
 * The root key is wrapped to a public key, so that whoever holds the present root key can put a new one into
 * every slot without asking each member for his passphrase: that is how a removed member is locked out of
 * what comes after.
 *
 * A public key alone would let anybody wrap: an attacker who can write the file could put a root key of his
 * own into every slot, sign a header of his own with it, and wait for secrets to be saved under it. So the
 * wrapping key also depends on a binding key that is known to the slot's owner (sealed with his private key)
 * and to the vault's members (sealed under the root key), as in the PSK mode of HPKE (RFC 9180 section
 * 5.1.2). A former member knows the binding keys and could still forge, though never read, a wrapping; a
 * slot made anew (a changed passphrase) ends that.
 */

/** Every slot type this version can make and open. A new type is one file and one line here. */
const SLOT_TYPES: { readonly [Name in SlotTypeName]: SlotType<SlotSecrets[Name]> } = {
  passphrase: passphraseSlot,
  key_file: keyFileSlot,
}

/** Length of a slot id, in bytes. */
const SLOT_ID_BYTES = 8

/** Options of {@link createSlot}. */
export interface NewSlotOptions extends SlotCost {
  readonly now: Date
  readonly label?: string
}

/** What {@link openAnySlot} found. */
export interface OpenedSlot {
  readonly slot: Slot
  /** 32 bytes; the caller wipes them. */
  readonly rootKey: Buffer
}

/**
 * Makes a slot through which `secret` opens the vault.
 *
 * @param rootKey 32 bytes.
 * @throws KeymuxError `invalid_value` for an empty passphrase, a cost outside the limits, or an unprintable label
 */
export async function createSlot<Name extends SlotTypeName>(
  rootKey: Uint8Array,
  vaultId: Uint8Array,
  secret: SlotSecret<Name>,
  options: NewSlotOptions,
): Promise<Slot> {
  const type = SLOT_TYPES[secret.type]
  const identity = {
    id: randomBytes(SLOT_ID_BYTES).toString('hex'),
    type: secret.type,
    params: type.newParams(secret, options),
  }
  const label = options.label === undefined ? {} : { label: requireLabel(options.label) }
  const context = slotContext(identity, vaultId)
  const kek = await type.keyEncryptionKey(secret, identity.params, context)
  const { publicKey, privateKey } = generateX25519()
  const binding = randomBytes(KEY_BYTES)
  const keys = Buffer.concat([privateKey, binding])
  try {
    return {
      ...identity,
      ...label,
      createdAt: options.now,
      publicKey,
      sealedKeys: sealBox(kek, additionalData(context, 'keys'), keys),
      ...wrapRoot(rootKey, vaultId, context, publicKey, binding),
    }
  } finally {
    for (const bytes of [kek, privateKey, binding, keys]) bytes.fill(0)
  }
}

/**
 * The root key behind a slot: 32 bytes, which the caller wipes.
 *
 * @throws KeymuxError `wrong_passphrase` or `wrong_key_file` when the secret is another one (or of another
 *   type); `vault_corrupt` when the secret is right and the slot is not, or its parameters are hostile
 */
export async function openSlot<Name extends SlotTypeName>(
  slot: Slot,
  vaultId: Uint8Array,
  secret: SlotSecret<Name>,
): Promise<Buffer> {
  const type = SLOT_TYPES[secret.type]
  if (slot.type !== secret.type) throw type.wrongSecret()
  const context = slotContext(slot, vaultId)
  const kek = await type.keyEncryptionKey(secret, slot.params, context)
  const keys = openBox(kek, additionalData(context, 'keys'), slot.sealedKeys)
  kek.fill(0)
  if (keys === undefined) throw type.wrongSecret()
  try {
    return unwrapRoot(slot, context, keys)
  } finally {
    keys.fill(0)
  }
}

/**
 * Tries the secret on each slot of its type.
 *
 * @throws KeymuxError `slot_not_found` when there is none; else what {@link openSlot} said, damage first
 */
export async function openAnySlot(
  slots: readonly Slot[],
  vaultId: Uint8Array,
  secret: SlotSecret,
): Promise<OpenedSlot> {
  let failure = new KeymuxError('slot_not_found', `the vault has no slot of type ${secret.type}`, {
    hint: 'see keymux vault slots for what opens it',
  })
  for (const slot of slots) {
    if (slot.type !== secret.type) continue
    try {
      return { slot, rootKey: await openSlot(slot, vaultId, secret) }
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      // A slot that the secret fits and that is damaged says more than one that it does not fit.
      if (failure.code !== 'vault_corrupt') failure = error
    }
  }
  throw failure
}

/**
 * The same slot, opened by the same secret, in front of another root key. Works for every type.
 *
 * @throws KeymuxError `vault_corrupt` when the slot does not belong to `oldRootKey`
 */
export function rewrapRoot(
  slot: Slot,
  vaultId: Uint8Array,
  oldRootKey: Uint8Array,
  newRootKey: Uint8Array,
): Slot {
  const context = slotContext(slot, vaultId)
  const oldKey = bindingSealKey(oldRootKey, vaultId)
  const binding = openBox(oldKey, additionalData(context, 'binding'), slot.sealedBinding)
  oldKey.fill(0)
  if (binding === undefined) throw corruptSlot()
  try {
    return { ...slot, ...wrapRoot(newRootKey, vaultId, context, slot.publicKey, binding) }
  } finally {
    binding.fill(0)
  }
}

function wrapRoot(
  rootKey: Uint8Array,
  vaultId: Uint8Array,
  context: Buffer,
  publicKey: Buffer,
  binding: Buffer,
): Pick<Slot, 'sealedBinding' | 'wrappedRoot'> {
  if (rootKey.byteLength !== KEY_BYTES) throw new KeymuxError('internal_error', 'a root key has 32 bytes')
  const ephemeral = generateX25519()
  const wrapKey = wrappingKey(
    ephemeral.privateKey,
    publicKey,
    [ephemeral.publicKey, publicKey],
    binding,
    context,
  )
  if (wrapKey === undefined) throw corruptSlot()
  const sealKey = bindingSealKey(rootKey, vaultId)
  try {
    return {
      sealedBinding: sealBox(sealKey, additionalData(context, 'binding'), binding),
      wrappedRoot: Buffer.concat([
        ephemeral.publicKey,
        sealBox(wrapKey, additionalData(context, 'root'), rootKey),
      ]),
    }
  } finally {
    for (const bytes of [ephemeral.privateKey, wrapKey, sealKey]) bytes.fill(0)
  }
}

function unwrapRoot(slot: Slot, context: Buffer, keys: Buffer): Buffer {
  const privateKey = keys.subarray(0, KEY_BYTES)
  const binding = keys.subarray(KEY_BYTES)
  const ephemeral = slot.wrappedRoot.subarray(0, KEY_BYTES)
  const publicKeys = [ephemeral, slot.publicKey] as const
  const wrapKey = wrappingKey(privateKey, ephemeral, publicKeys, binding, context)
  if (wrapKey === undefined) throw corruptSlot()
  const rootKey = openBox(wrapKey, additionalData(context, 'root'), slot.wrappedRoot.subarray(KEY_BYTES))
  wrapKey.fill(0)
  if (rootKey?.length !== KEY_BYTES) throw corruptSlot()
  return rootKey
}

/** HKDF-SHA-256 of shared secret and binding key; both public keys enter it, as in HPKE (RFC 9180 section 4.1). */
function wrappingKey(
  privateKey: Buffer,
  peerKey: Buffer,
  publicKeys: readonly [ephemeral: Buffer, recipient: Buffer],
  binding: Buffer,
  context: Buffer,
): Buffer | undefined {
  const shared = agreeX25519(privateKey, peerKey)
  if (shared === undefined) return undefined
  const input = Buffer.concat([shared, binding])
  const key = deriveKey(input, 'root wrap', context, ...publicKeys)
  shared.fill(0)
  input.fill(0)
  return key
}

function bindingSealKey(rootKey: Uint8Array, vaultId: Uint8Array): Buffer {
  return deriveKey(rootKey, 'slot binding', vaultId)
}

function additionalData(context: Buffer, part: 'keys' | 'binding' | 'root'): Buffer {
  return lengthPrefixed(context, part)
}

function corruptSlot(): KeymuxError {
  return corrupt('a key slot of the vault')
}
