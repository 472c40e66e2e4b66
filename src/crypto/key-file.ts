import { createHash } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { fromBase64url } from './bytes.js'
import { KEY_BYTES } from './gcm.js'

const PREFIX = 'keymux-key-1:'
const CHECKSUM_BYTES = 4
const TEXT_LENGTH = PREFIX.length + ((KEY_BYTES + CHECKSUM_BYTES) / 3) * 4

/**
 * The content of a key file: one line, `keymux-key-1:` and in base64url the key with four bytes of checksum,
 * so that a wrong or cut file is told from the wrong key.
 *
 * @param key 32 random bytes.
 */
export function encodeKeyFile(key: Uint8Array): string {
  if (key.byteLength !== KEY_BYTES) throw new KeymuxError('internal_error', 'a key file holds 32 bytes')
  return `${PREFIX}${Buffer.concat([key, checksum(key)]).toString('base64url')}\n`
}

/**
 * Reads the 32 bytes out of a key file's content. One trailing newline (LF or CRLF) may be there or not.
 *
 * @throws KeymuxError `wrong_key_file` for anything else
 */
export function parseKeyFile(content: Uint8Array): Buffer {
  if (content.byteLength > TEXT_LENGTH + 2) throw notAKeyFile()
  const text = Buffer.from(content)
    .toString('latin1')
    .replace(/\r?\n$/, '')
  if (!text.startsWith(PREFIX)) throw notAKeyFile()
  const bytes = fromBase64url(text.slice(PREFIX.length), KEY_BYTES + CHECKSUM_BYTES)
  const key = bytes?.subarray(0, KEY_BYTES)
  if (bytes === undefined || key === undefined || !checksum(key).equals(bytes.subarray(KEY_BYTES))) {
    throw new KeymuxError('wrong_key_file', 'the key file is damaged', { hint: 'use an intact copy of it' })
  }
  return key
}

function checksum(key: Uint8Array): Buffer {
  return createHash('sha256').update(PREFIX).update(key).digest().subarray(0, CHECKSUM_BYTES)
}

function notAKeyFile(): KeymuxError {
  return new KeymuxError('wrong_key_file', 'the file is not a keymux key file', {
    hint: 'give the file that keymux init --key-file wrote',
  })
}
