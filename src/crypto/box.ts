import { createHmac, randomFillSync } from 'node:crypto'
import { asBuffer } from './bytes.js'
import { gcmOpen, gcmSeal, NONCE_BYTES, TAG_BYTES } from './gcm.js'

const FORMAT = 1
const SALT_BYTES = 16
const NONCE_AT = 1 + SALT_BYTES
const SEALED_AT = NONCE_AT + NONCE_BYTES
// HKDF-Expand's number of its first, and here only, block.
const FIRST_BLOCK = Buffer.from([1])

/** By how much a box is longer than what is in it, in bytes. */
export const BOX_OVERHEAD: number = SEALED_AT + TAG_BYTES

/**
 * Seals `plaintext` under a key of its own: [format 1][salt 16][nonce 12][ciphertext][tag 16].
 *
 * The key is HKDF-Expand(`key`, label || salt) with a random salt (RFC 5869), so that one long-lived key may
 * seal any number of boxes: 2^32 random nonces under a single AES-GCM key would be its limit
 * (NIST SP 800-38D section 8.3).
 *
 * @param key 32 bytes, uniformly random.
 * @param aad What the box must be opened with, byte for byte.
 */
export function sealBox(key: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  const box = Buffer.alloc(BOX_OVERHEAD + plaintext.byteLength)
  box[0] = FORMAT
  randomFillSync(box, 1, SALT_BYTES + NONCE_BYTES)
  const subkey = boxKey(key, box)
  gcmSeal(subkey, box.subarray(NONCE_AT, SEALED_AT), aad, plaintext, box, SEALED_AT)
  subkey.fill(0)
  return box
}

/** Opens what {@link sealBox} made; `undefined` when it is damaged, or the key or `aad` is another. */
export function openBox(key: Uint8Array, aad: Uint8Array, bytes: Uint8Array): Buffer | undefined {
  const box = asBuffer(bytes)
  if (box.length < BOX_OVERHEAD || box[0] !== FORMAT) return undefined
  const subkey = boxKey(key, box)
  const plaintext = gcmOpen(subkey, box.subarray(NONCE_AT, SEALED_AT), aad, box, SEALED_AT, box.length)
  subkey.fill(0)
  return plaintext
}

function boxKey(key: Uint8Array, box: Buffer): Buffer {
  return createHmac('sha256', key)
    .update('keymux/2 box')
    .update(box.subarray(1, NONCE_AT))
    .update(FIRST_BLOCK)
    .digest()
}
