import { hkdfSync } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { KEY_BYTES } from './gcm.js'
import type { KeyFileSecret, SlotType } from './slot.js'

/** A slot that 32 random bytes in a file open. They need no slow derivation: nobody can guess them. */
export const keyFileSlot: SlotType<KeyFileSecret> = {
  newParams({ key }) {
    if (key.byteLength !== KEY_BYTES) throw new KeymuxError('invalid_value', 'a key file holds 32 bytes')
    return {}
  },

  async keyEncryptionKey({ key }, _params, context) {
    return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), context, KEY_BYTES))
  },

  wrongSecret() {
    return new KeymuxError('wrong_key_file', 'the key file does not open this vault', {
      hint: 'use the key file that belongs to this vault',
    })
  },
}
