import { randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { openBox, sealBox } from './box.js'
import { KEY_BYTES } from './gcm.js'
import { additionalData, corruptSlot, type SlotKeys, unwrapRoot, wrapRoot } from './root-wrapping.js'
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
import { generateX25519 } from './x25519.js'

export type { SlotKeys } from './root-wrapping.js'
export { bindingOf, followSlot, rewrapRoot } from './root-wrapping.js'

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
