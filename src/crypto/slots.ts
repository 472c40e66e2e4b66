import { randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { openBox, sealBox } from './box.js'
import { corrupt, lengthPrefixed } from './bytes.js'
import { deriveKey } from './derive.js'
import { KEY_BYTES } from './gcm.js'
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
 * binding key made anew ends that: each owner makes one when he next unlocks after a member was removed.
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

/** What lets the owner of a slot follow a new root key without his secret. */
export interface SlotKeys {
  /** X25519, 32 bytes. */
  readonly privateKey: Buffer
  /** 32 bytes. */
  readonly binding: Buffer
}

/** What {@link openAnySlot} found. The caller wipes the keys, 32 bytes each. */
export interface OpenedSlot {
  readonly slot: Slot
  readonly rootKey: Buffer
  readonly keys: SlotKeys
  /** The key-encryption key, for {@link renewBinding}. */
  readonly kek: Buffer
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
  const { slot, keys } = await createOpenSlot(rootKey, vaultId, secret, options)
  for (const key of [keys.privateKey, keys.binding]) key.fill(0)
  return slot
}

/** {@link createSlot} for who goes on with it: the slot and its keys, which the caller wipes. */
export async function createOpenSlot<Name extends SlotTypeName>(
  rootKey: Uint8Array,
  vaultId: Uint8Array,
  secret: SlotSecret<Name>,
  options: NewSlotOptions,
): Promise<Pick<OpenedSlot, 'slot' | 'keys'>> {
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
    const slot = {
      ...identity,
      ...label,
      createdAt: options.now,
      publicKey,
      sealedKeys: sealBox(kek, additionalData(context, 'keys'), keys),
      ...wrapRoot(rootKey, vaultId, context, publicKey, binding),
    }
    return { slot, keys: { privateKey, binding } }
  } finally {
    for (const bytes of [kek, keys]) bytes.fill(0)
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
  const { rootKey, keys, kek } = await unlockSlot(slot, vaultId, secret)
  for (const key of [kek, keys.privateKey, keys.binding]) key.fill(0)
  return rootKey
}

async function unlockSlot<Name extends SlotTypeName>(
  slot: Slot,
  vaultId: Uint8Array,
  secret: SlotSecret<Name>,
): Promise<OpenedSlot> {
  const type = SLOT_TYPES[secret.type]
  if (slot.type !== secret.type) throw type.wrongSecret()
  const context = slotContext(slot, vaultId)
  const kek = await type.keyEncryptionKey(secret, slot.params, context)
  const opened = openBox(kek, additionalData(context, 'keys'), slot.sealedKeys)
  if (opened === undefined) {
    kek.fill(0)
    throw type.wrongSecret()
  }
  const keys = { privateKey: opened.subarray(0, KEY_BYTES), binding: opened.subarray(KEY_BYTES) }
  const rootKey = unwrapRoot(slot, context, keys)
  if (rootKey !== undefined) return { slot, rootKey, keys, kek }
  kek.fill(0)
  opened.fill(0)
  throw corruptSlot()
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
      return await unlockSlot(slot, vaultId, secret)
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      // A slot that the secret fits and that is damaged says more than one that it does not fit.
      if (failure.code !== 'vault_corrupt') failure = error
    }
  }
  throw failure
}

/**
 * The root key that a slot holds now, for its owner who has opened it before; `undefined` where his keys do not
 * open it any more. 32 bytes, which the caller wipes.
 */
export function followSlot(slot: Slot, vaultId: Uint8Array, keys: SlotKeys): Buffer | undefined {
  return unwrapRoot(slot, slotContext(slot, vaultId), keys)
}

/** The binding key of a slot, for who holds the root key; `undefined` where it is not of this root key. */
export function bindingOf(slot: Slot, vaultId: Uint8Array, rootKey: Uint8Array): Buffer | undefined {
  const key = bindingSealKey(rootKey, vaultId)
  const binding = openBox(key, additionalData(slotContext(slot, vaultId), 'binding'), slot.sealedBinding)
  key.fill(0)
  return binding
}

/**
 * The same slot with a binding key that nobody has known. Needs the key that its owner's secret gives.
 *
 * @returns the slot, and the keys that its owner goes on with
 */
export function renewBinding(
  { slot, rootKey, keys, kek }: OpenedSlot,
  vaultId: Uint8Array,
): { readonly slot: Slot; readonly keys: SlotKeys } {
  const context = slotContext(slot, vaultId)
  const fresh = { privateKey: Buffer.from(keys.privateKey), binding: randomBytes(KEY_BYTES) }
  const joined = Buffer.concat([fresh.privateKey, fresh.binding])
  const { staleBinding: _stale, ...kept } = slot
  try {
    return {
      slot: {
        ...kept,
        sealedKeys: sealBox(kek, additionalData(context, 'keys'), joined),
        ...wrapRoot(rootKey, vaultId, context, slot.publicKey, fresh.binding),
      },
      keys: fresh,
    }
  } finally {
    joined.fill(0)
  }
}

/**
 * The same slot, opened by the same secret, in front of another root key. Works for every type.
 *
 * @param options `stale`: somebody who leaves knows its binding key
 * @throws KeymuxError `vault_corrupt` when the slot does not belong to `oldRootKey`
 */
export function rewrapRoot(
  slot: Slot,
  vaultId: Uint8Array,
  oldRootKey: Uint8Array,
  newRootKey: Uint8Array,
  options: { readonly stale?: boolean } = {},
): Slot {
  const context = slotContext(slot, vaultId)
  const binding = bindingOf(slot, vaultId, oldRootKey)
  if (binding === undefined) throw corruptSlot()
  try {
    return {
      ...slot,
      ...(options.stale === true ? { staleBinding: true as const } : {}),
      ...wrapRoot(newRootKey, vaultId, context, slot.publicKey, binding),
    }
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

function unwrapRoot(slot: Slot, context: Buffer, { privateKey, binding }: SlotKeys): Buffer | undefined {
  const ephemeral = slot.wrappedRoot.subarray(0, KEY_BYTES)
  const publicKeys = [ephemeral, slot.publicKey] as const
  const wrapKey = wrappingKey(privateKey, ephemeral, publicKeys, binding, context)
  if (wrapKey === undefined) return undefined
  const rootKey = openBox(wrapKey, additionalData(context, 'root'), slot.wrappedRoot.subarray(KEY_BYTES))
  wrapKey.fill(0)
  return rootKey?.length === KEY_BYTES ? rootKey : undefined
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
