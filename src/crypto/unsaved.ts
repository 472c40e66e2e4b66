import { openBox, sealBox } from './box.js'
import { asBuffer, lengthPrefixed } from './bytes.js'
import type { Keyring } from './keyring.js'
import { pad, secretBucket, unpad } from './padding.js'

/*
 * Tokens that the vault could not take, in a file of their own: [format 2][term 4][box of the padded text]. They
 * are sealed under a key that stays when the term ends, so that what was written just before a rotation can be
 * read after it.
 */
const FORMAT = 2
const TERM_AT = 1
const BOX_AT = 5

/** @param id what the file is filed under: 16 bytes */
export function sealUnsaved(keyring: Keyring, id: Uint8Array, plaintext: Uint8Array): Buffer {
  const { number, keys } = keyring.term
  const head = Buffer.alloc(BOX_AT)
  head[0] = FORMAT
  head.writeUInt32BE(number, TERM_AT)
  const padded = pad(plaintext, secretBucket)
  try {
    return Buffer.concat([head, sealBox(keys.unsaved, additionalData(keyring, id, head), padded)])
  } finally {
    padded.fill(0)
  }
}

/** `undefined` for anything that this vault did not seal for that place. The Buffer is the caller's to wipe. */
export function openUnsaved(keyring: Keyring, id: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  const bytes = asBuffer(sealed)
  if (bytes.length < BOX_AT || bytes[0] !== FORMAT) return undefined
  const term = keyring.termOf(bytes.readUInt32BE(TERM_AT))
  if (term === undefined) return undefined
  const head = bytes.subarray(0, BOX_AT)
  const padded = openBox(term.keys.unsaved, additionalData(keyring, id, head), bytes.subarray(BOX_AT))
  return padded === undefined ? undefined : unpad(padded)
}

function additionalData(keyring: Keyring, id: Uint8Array, head: Buffer): Buffer {
  return lengthPrefixed('keymux/2 unsaved', keyring.vaultId, id, head)
}
