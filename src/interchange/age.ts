import { Buffer } from 'node:buffer'
import type { Decrypter, Encrypter, Identity, Stanza } from 'age-encryption'
import { KeymuxError } from '../domain/errors.js'
import {
  DEFAULT_WORK_FACTOR,
  MAX_WORK_FACTOR,
  passphraseIdentity,
  passphraseRecipient,
} from './age-scrypt.js'
import { checkSize, MAX_EXPORT_BYTES, MAX_SEALED_BYTES } from './contents.js'
import type { FileContents } from './draft.js'

const BINARY_BEGIN = 'age-encryption.org/v1\n'
const ARMOR_BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----'
// Each costs a key agreement per identity.
const MAX_RECIPIENTS = 1024
// Room for as many of the longest kind, post-quantum ones.
const MAX_HEADER_BYTES = 4 * 1024 * 1024
const HEADER_END = '\n--- '

/** Who will be able to open a file: whoever knows the passphrase, or holds the key of a recipient (`age1…`). */
export type AgeSealKey = { readonly passphrase: string } | { readonly recipients: readonly string[] }

/**
 * What opens a file: its passphrase, or identities (`AGE-SECRET-KEY-1…`, or the whole text of a file that
 * `age-keygen` wrote).
 */
export type AgeOpenKey = { readonly passphrase: string } | { readonly identities: readonly string[] }

/** Options of {@link sealAge}. */
export interface AgeSealOptions {
  /** PEM-like text instead of bytes. Default true. */
  readonly armor?: boolean
  /** Binary logarithm of scrypt's cost, 1 to 20. Default 18: about a second, 256 MiB. Lower for tests alone. */
  readonly workFactor?: number
}

/** Whether a file looks like one of age, armored or not. */
export function isAgeFile(contents: FileContents): boolean {
  const start = asBuffer(contents.slice(0, 1024)).toString('latin1')
  return start.startsWith(BINARY_BEGIN) || start.trimStart().startsWith(ARMOR_BEGIN)
}

/**
 * Encrypts to a file that the `age` command opens.
 *
 * @throws KeymuxError `invalid_value` for an empty passphrase, what is no recipient, or more than 160 MiB
 */
export async function sealAge(
  plaintext: FileContents,
  key: AgeSealKey,
  options: AgeSealOptions = {},
): Promise<Uint8Array> {
  if (plaintext.length > MAX_SEALED_BYTES) throw new KeymuxError('invalid_value', 'there is too much to seal')
  const { armor, Encrypter, Stanza } = await import('age-encryption')
  const encrypter = new Encrypter()
  if ('passphrase' in key) {
    const makeStanza = (args: string[], body: Uint8Array): Stanza => new Stanza(args, body)
    const workFactor = checkWorkFactor(options.workFactor ?? DEFAULT_WORK_FACTOR)
    if (key.passphrase === '') throw new KeymuxError('invalid_value', 'the passphrase is empty')
    encrypter.addRecipient(passphraseRecipient(key.passphrase, workFactor, makeStanza))
  } else {
    addRecipients(encrypter, key.recipients)
  }
  const sealed = await encrypter.encrypt(plaintext).catch((error: unknown) => {
    if (error instanceof KeymuxError || 'passphrase' in key) throw error
    throw new KeymuxError('invalid_value', 'one of the age recipients cannot be encrypted to')
  })
  return options.armor === false ? sealed : Buffer.from(armor.encode(sealed), 'latin1')
}

/**
 * Decrypts a file of the `age` command or of {@link sealAge}.
 *
 * @throws KeymuxError `wrong_passphrase`; `wrong_key_file` when no identity fits; `invalid_value` for what is
 * no identity; `invalid_import` for a file that is not age's, damaged, or above the limits (256 MiB, 1,024
 * recipients, work factor 20)
 */
export async function openAge(contents: FileContents, key: AgeOpenKey): Promise<Uint8Array> {
  checkSize(contents, MAX_EXPORT_BYTES)
  if (!isAgeFile(contents)) throw new KeymuxError('invalid_import', 'this is not an age file')
  const { armor, Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  if ('passphrase' in key) decrypter.addIdentity(passphraseIdentity(key.passphrase))
  else addIdentities(decrypter, key.identities)
  decrypter.addIdentity(refusal('passphrase' in key))
  try {
    return await decrypter.decrypt(binary(contents, armor.decode))
  } catch (error) {
    // The library's own messages may quote the file, so they go no further.
    throw error instanceof KeymuxError ? error : damaged()
  }
}

/** Asked last, when no other has found a key. */
function refusal(withPassphrase: boolean): Identity {
  return {
    unwrapFileKey(stanzas) {
      const sealedWithPassphrase = stanzas.some(({ args }) => args[0] === 'scrypt')
      if (withPassphrase) {
        throw sealedWithPassphrase
          ? new KeymuxError('wrong_passphrase', 'the passphrase does not open this age file')
          : new KeymuxError(
              'wrong_passphrase',
              'this age file is sealed for recipients, not with a passphrase',
              {
                hint: 'open it with the identity of a recipient',
              },
            )
      }
      throw new KeymuxError('wrong_key_file', 'none of the identities opens this age file', {
        hint: sealedWithPassphrase ? 'it is sealed with a passphrase' : 'use the identity of a recipient',
      })
    },
  }
}

function addRecipients(encrypter: Encrypter, recipients: readonly string[]): void {
  if (recipients.length === 0 || recipients.length > MAX_RECIPIENTS) {
    throw new KeymuxError('invalid_value', `give 1 to ${MAX_RECIPIENTS} age recipients`)
  }
  for (const [index, recipient] of recipients.entries()) {
    try {
      encrypter.addRecipient(recipient.trim())
    } catch {
      // Not quoted: it may be the secret key, mistaken for the public one.
      throw new KeymuxError('invalid_value', `recipient ${index + 1} is no age recipient`, {
        hint: /^\s*age-secret-key-/i.test(recipient)
          ? 'that is a secret key; give the recipient that age-keygen -y prints for it'
          : 'a recipient begins with age1',
      })
    }
  }
}

function addIdentities(decrypter: Decrypter, identities: readonly string[]): void {
  const lines = identities
    .flatMap((text) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (lines.length === 0)
    throw new KeymuxError('invalid_value', 'there is no age identity to open the file with')
  for (const [index, line] of lines.entries()) {
    try {
      decrypter.addIdentity(line)
    } catch {
      throw new KeymuxError('invalid_value', `identity ${index + 1} is no age identity`, {
        hint: 'an identity begins with AGE-SECRET-KEY-1',
      })
    }
  }
}

/** The file without its armor, its header within the limits. */
function binary(contents: FileContents, unarmor: (text: string) => Uint8Array): Buffer {
  const bytes = asBuffer(contents)
  const file = isBinary(bytes) ? bytes : asBuffer(unarmor(bytes.toString('latin1')))
  const end = file.indexOf(HEADER_END)
  if (end < 0 || end > MAX_HEADER_BYTES) throw damaged()
  if (file.toString('latin1', 0, end).split('\n-> ').length - 1 > MAX_RECIPIENTS) {
    throw new KeymuxError('invalid_import', `the age file has more than ${MAX_RECIPIENTS} recipients`)
  }
  return file
}

function asBuffer(contents: FileContents): Buffer {
  return typeof contents === 'string'
    ? Buffer.from(contents, 'utf8')
    : Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength)
}

function isBinary(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, BINARY_BEGIN.length) === BINARY_BEGIN
}

function checkWorkFactor(workFactor: number): number {
  if (Number.isInteger(workFactor) && workFactor >= 1 && workFactor <= MAX_WORK_FACTOR) return workFactor
  throw new KeymuxError(
    'invalid_value',
    `the work factor must be a whole number from 1 to ${MAX_WORK_FACTOR}`,
  )
}

function damaged(): KeymuxError {
  return new KeymuxError('invalid_import', 'this age file is damaged or cut short')
}
