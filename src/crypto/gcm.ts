import { createCipheriv, createDecipheriv } from 'node:crypto'

/** Length of a key, in bytes. */
export const KEY_BYTES = 32
/** Length of a nonce, in bytes. */
export const NONCE_BYTES = 12
/** Length of an authentication tag, in bytes. */
export const TAG_BYTES = 16

// Node accepts tags down to 4 bytes unless told the length, which would make forging one a matter of 2^32 tries.
const OPTIONS = { authTagLength: TAG_BYTES } as const

/**
 * AES-256-GCM (NIST SP 800-38D): writes ciphertext and tag into `target` at `offset`, `plaintext.length` +
 * 16 bytes. A nonce must never serve twice under one key.
 */
export function gcmSeal(
  key: Buffer,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  target: Buffer,
  offset: number,
): void {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, OPTIONS)
  cipher.setAAD(aad)
  target.set(cipher.update(plaintext), offset)
  cipher.final()
  target.set(cipher.getAuthTag(), offset + plaintext.byteLength)
}

/**
 * Opens the ciphertext and its 16-byte tag that fill `bytes` from `from` to `to`; `undefined` unless key,
 * nonce, additional data and every bit are those it was sealed with. The plaintext is a Buffer of its own
 * that the caller may wipe.
 */
export function gcmOpen(
  key: Buffer,
  nonce: Uint8Array,
  aad: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): Buffer | undefined {
  const end = to - TAG_BYTES
  if (end < from || nonce.byteLength !== NONCE_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, OPTIONS)
  decipher.setAAD(aad)
  decipher.setAuthTag(bytes.subarray(end, to))
  const plaintext = decipher.update(bytes.subarray(from, end))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plaintext
}
