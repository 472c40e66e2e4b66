import { randomBytes } from 'node:crypto'
import { encodeKeyFile, parseKeyFile } from '../crypto/key-file.js'
import type { SlotSecret } from '../crypto/slot.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Unlock } from '../domain/vault.js'
import { readSecretFile, writeSecretFile } from './safe-file.js'

/**
 * The secret of a slot from what its user offers. A key file that is absent is made for a new slot, never
 * for an existing one.
 *
 * @throws KeymuxError `invalid_secret`, `wrong_key_file`, `file_not_found`, `unsafe_permissions`
 */
export async function slotSecretOf(unlock: Unlock, purpose: 'open' | 'new slot'): Promise<SlotSecret> {
  if ('passphrase' in unlock) {
    if (unlock.passphrase.length === 0) throw new KeymuxError('invalid_secret', 'the passphrase is empty')
    return { type: 'passphrase', passphrase: unlock.passphrase }
  }
  if ('keyFile' in unlock) return { type: 'key_file', key: await keyOf(unlock.keyFile, purpose) }
  throw new KeymuxError('vault_locked', 'the OS keychain is not supported by this version', {
    hint: 'use a passphrase or a key file',
  })
}

async function keyOf(path: string, purpose: 'open' | 'new slot'): Promise<Buffer> {
  try {
    return await readKey(path)
  } catch (error) {
    if (purpose === 'open' || !isKeymuxError(error, 'file_not_found')) throw error
  }
  const key = randomBytes(32)
  try {
    await writeSecretFile(path, Buffer.from(encodeKeyFile(key)))
    return key
  } catch (error) {
    // Another process made it a moment ago.
    if (!isKeymuxError(error, 'file_exists')) throw error
    return readKey(path)
  }
}

async function readKey(path: string): Promise<Buffer> {
  const text = await readSecretFile(path, { privateOnly: true })
  const key = parseKeyFile(text)
  text.fill(0)
  return key
}
