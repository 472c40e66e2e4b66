import { hkdfSync } from 'node:crypto'
import { lengthPrefixed } from './bytes.js'
import { KEY_BYTES } from './gcm.js'

/** Derives 32 bytes from a uniformly random key, a label and the id of the vault: HKDF-SHA-256 (RFC 5869). */
export function deriveKey(
  key: Uint8Array,
  label: string,
  vaultId: Uint8Array,
  ...context: readonly (Uint8Array | string)[]
): Buffer {
  const info = lengthPrefixed(`keymux/2 ${label}`, vaultId, ...context)
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), info, KEY_BYTES))
}
