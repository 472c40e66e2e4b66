import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import type { Identity, Recipient, Stanza } from 'age-encryption'
import { KeymuxError } from '../domain/errors.js'

/** Work factor of new files: N = 2^18, what the `age` command writes. */
export const DEFAULT_WORK_FACTOR = 18
/** The most that is accepted: N = 2^20 asks for 1 GiB of memory. */
export const MAX_WORK_FACTOR = 20

const LABEL = 'age-encryption.org/v1/scrypt'
const SALT_BYTES = 16
const FILE_KEY_BYTES = 16
const TAG_BYTES = 16
const BLOCK_SIZE = 8
// Each file key is sealed under a key that is used once (C2SP age, "scrypt recipient stanza").
const NONCE = Buffer.alloc(12)

/**
 * Age's passphrase recipient (C2SP age, "The scrypt recipient type"). The age library has one too, but it
 * derives the key on the main thread and stops everything else for a second.
 */
export function passphraseRecipient(
  passphrase: string,
  workFactor: number,
  makeStanza: (args: string[], body: Uint8Array) => Stanza,
): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(SALT_BYTES)
      const key = await deriveKey(passphrase, salt, workFactor)
      const cipher = createCipheriv('chacha20-poly1305', key, NONCE, { authTagLength: TAG_BYTES })
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
      key.fill(0)
      return [makeStanza(['scrypt', unpadded(salt), String(workFactor)], body)]
    },
  }
}

/** The other side of {@link passphraseRecipient}: finds nothing when the passphrase is wrong. */
export function passphraseIdentity(passphrase: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const stanza = stanzas.find(({ args }) => args[0] === 'scrypt')
      if (stanza === undefined) return null
      const { salt, workFactor } = readStanza(stanza)
      // A second way in would make a passphrase prove nothing about who wrote the file.
      if (stanzas.length !== 1) throw invalid('a passphrase is not its only key')
      const key = await deriveKey(passphrase, salt, workFactor)
      const decipher = createDecipheriv('chacha20-poly1305', key, NONCE, { authTagLength: TAG_BYTES })
      key.fill(0)
      decipher.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES))
      const fileKey = decipher.update(stanza.body.subarray(0, FILE_KEY_BYTES))
      try {
        decipher.final()
        return fileKey
      } catch {
        return null
      }
    },
  }
}

function readStanza({ args, body }: Stanza): { salt: Buffer; workFactor: number } {
  const [, encodedSalt = '', encodedFactor = ''] = args
  const salt = Buffer.from(encodedSalt, 'base64')
  const sound =
    args.length === 3 &&
    salt.length === SALT_BYTES &&
    unpadded(salt) === encodedSalt &&
    body.length === FILE_KEY_BYTES + TAG_BYTES &&
    /^[1-9][0-9]*$/.test(encodedFactor)
  if (!sound) throw invalid('its header is damaged')
  const workFactor = Number(encodedFactor)
  if (workFactor > MAX_WORK_FACTOR) {
    throw invalid(`its work factor is above ${MAX_WORK_FACTOR} and would take too much memory`)
  }
  return { salt, workFactor }
}

function deriveKey(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Buffer> {
  const cost = 2 ** workFactor
  const options = { N: cost, r: BLOCK_SIZE, p: 1, maxmem: 128 * BLOCK_SIZE * (cost + 1024) }
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 32, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(new KeymuxError('internal_error', 'the key derivation failed', { cause: error }))
    })
  })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

function invalid(why: string): KeymuxError {
  return new KeymuxError('invalid_import', `this age file cannot be opened: ${why}`)
}
