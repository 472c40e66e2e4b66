import { KeymuxError } from '../domain/errors.js'
import { openBox, sealBox } from './box.js'
import { corrupt, lengthPrefixed } from './bytes.js'
import { deriveKey } from './derive.js'
import { KEY_BYTES } from './gcm.js'
import { type Slot, slotContext } from './slot.js'
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

/** What lets the owner of a slot follow a new root key without his secret. */
export interface SlotKeys {
  /** X25519, 32 bytes. */
  readonly privateKey: Buffer
  /** 32 bytes. */
  readonly binding: Buffer
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

/** What of a slot lets its owner have this root key, and its members its binding key. */
export function wrapRoot(
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

/** The root key of a slot, 32 bytes; `undefined` where these keys do not open it. */
export function unwrapRoot(
  slot: Slot,
  context: Buffer,
  { privateKey, binding }: SlotKeys,
): Buffer | undefined {
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

export function additionalData(context: Buffer, part: 'keys' | 'binding' | 'root'): Buffer {
  return lengthPrefixed(context, part)
}

export function corruptSlot(): KeymuxError {
  return corrupt('a key slot of the vault')
}
