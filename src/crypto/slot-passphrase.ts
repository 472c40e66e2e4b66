import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { corrupt, fromBase64url } from './bytes.js'
import { DEFAULT_KDF_COST, derivePassphraseKey, KDF_SALT_BYTES, requireKdfCost } from './kdf.js'
import type { PassphraseSecret, SlotParams, SlotType } from './slot.js'

const KDF = 'argon2id'
const NFC = 'nfc'

/** A slot that a passphrase opens, by way of Argon2id. */
export const passphraseSlot: SlotType<PassphraseSecret> = {
  newParams({ passphrase }, { kdf = DEFAULT_KDF_COST }) {
    if (passphrase.length === 0) throw new KeymuxError('invalid_value', 'the passphrase is empty')
    const { memoryKib, passes, lanes } = requireKdfCost(kdf)
    const salt = randomBytes(KDF_SALT_BYTES).toString('base64url')
    // Bytes that are no text are taken as they are.
    const form = textOf(passphrase) === undefined ? {} : { normalization: NFC }
    return { kdf: KDF, memory_kib: memoryKib, passes, lanes, salt, ...form }
  },

  async keyEncryptionKey({ passphrase }, params) {
    return derivePassphraseKey(inFormOf(passphrase, params.normalization), {
      memoryKib: wholeNumber(params, 'memory_kib'),
      passes: wholeNumber(params, 'passes'),
      lanes: wholeNumber(params, 'lanes'),
      salt: saltOf(params),
    })
  },

  wrongSecret() {
    return new KeymuxError('wrong_passphrase', 'the passphrase does not open this vault', {
      hint: 'check for a changed keyboard layout or a missing character',
    })
  },
}

/** The same characters are the same passphrase, whichever keyboard composed them (Unicode Annex 15, form NFC). */
function inFormOf(passphrase: string | Uint8Array, form: string | number | undefined): string | Uint8Array {
  if (form === undefined) return passphrase
  if (form !== NFC) throw corruptParams()
  return textOf(passphrase)?.normalize('NFC') ?? passphrase
}

/** The text that the bytes are in UTF-8; `undefined` where they are none. */
function textOf(passphrase: string | Uint8Array): string | undefined {
  if (typeof passphrase === 'string') return passphrase
  const bytes = Buffer.from(passphrase.buffer, passphrase.byteOffset, passphrase.byteLength)
  return isUtf8(bytes) ? bytes.toString() : undefined
}

function wholeNumber(params: SlotParams, key: string): number {
  const value = params[key]
  if (typeof value !== 'number') throw corruptParams()
  return value
}

function saltOf(params: SlotParams): Buffer {
  const { kdf, salt } = params
  const bytes = typeof salt === 'string' ? fromBase64url(salt, KDF_SALT_BYTES) : undefined
  if (kdf !== KDF || bytes === undefined) throw corruptParams()
  return bytes
}

function corruptParams(): KeymuxError {
  return corrupt('the key derivation of a slot')
}
