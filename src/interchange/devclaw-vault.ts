import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { JsonReader, parseJson } from '../domain/json-reader.js'
import { compareText } from '../domain/text-order.js'
import { MAX_ENTRIES, readText } from './contents.js'
import type { FileContents } from './draft.js'

/** The entry that holds the profiles, as the JSON that `ProfileStore` reads. */
export const DEVCLAW_STORE_ENTRY = 'auth:profiles:store'

const VERIFY_ENTRY = '__verify__'
const VERIFY_VALUE = 'devclaw-vault-ok'
const VERSION = 1
const SALT_BYTES = 16
// What Argon2 takes at least (RFC 9106 section 3.1), and more than anybody writes.
const SALT_RANGE = { min: 8, max: 64 }
const NONCE_BYTES = 12
const TAG_BYTES = 16
const ARGON2ID = {
  algorithm: 2,
  version: 1,
  memoryCost: 64 * 1024,
  timeCost: 3,
  parallelism: 4,
  outputLen: 32,
}

/** What a vault of DevClaw holds. */
export interface DevclawContents {
  /** Named secrets, and the profiles under {@link DEVCLAW_STORE_ENTRY}. */
  readonly entries: ReadonlyMap<string, string>
  /** Entries that do not open. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[]
}

interface SealedEntry {
  readonly name: string
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

/**
 * Opens a vault file of DevClaw. The passphrase is proved by the file's check entry; DevClaw takes any when
 * that is missing, and so every entry is then reported for itself.
 *
 * @throws KeymuxError `wrong_passphrase`; `invalid_import` for what is no such file, naming the field
 */
export async function openDevclawVault(
  contents: FileContents,
  passphrase: string | Uint8Array,
): Promise<DevclawContents> {
  const { salt, sealed } = readVault(contents)
  const key = await deriveKey(passphrase, salt)
  try {
    return openEntries(key, sealed)
  } finally {
    key.fill(0)
  }
}

/**
 * A vault file that DevClaw opens: JSON, indented, names sorted.
 *
 * @param options.randomBytes for tests alone: no nonce may ever serve twice
 * @throws KeymuxError `invalid_value` for an empty passphrase, a reserved name or what is no Unicode text
 */
export async function writeDevclawVault(
  entries: ReadonlyMap<string, string>,
  passphrase: string | Uint8Array,
  options: { readonly randomBytes?: (size: number) => Uint8Array } = {},
): Promise<string> {
  if (passphrase.length === 0) throw new KeymuxError('invalid_value', 'the passphrase is empty')
  for (const [name, value] of entries) checkEntry(name, value)
  const random = options.randomBytes ?? randomBytes
  const salt = random(SALT_BYTES)
  const key = await deriveKey(passphrase, salt)
  try {
    const all = [...entries, [VERIFY_ENTRY, VERIFY_VALUE] as const].sort(([a], [b]) => compareText(a, b))
    const members = all.map(([name, value]) => sealedMember(key, name, value, random(NONCE_BYTES)))
    return `{\n  "version": ${VERSION},\n  "salt": "${base64(salt)}",\n  "entries": {\n${members.join(',\n')}\n  }\n}`
  } finally {
    key.fill(0)
  }
}

function openEntries(key: Buffer, sealed: readonly SealedEntry[]): DevclawContents {
  const verify = sealed.find(({ name }) => name === VERIFY_ENTRY)
  if (verify !== undefined) {
    const value = open(key, verify)?.toString('utf8')
    if (value === undefined) throw wrongPassphrase()
    if (value !== VERIFY_VALUE) {
      throw new KeymuxError('invalid_import', `entries[${quote(VERIFY_ENTRY)}]: expected DevClaw's own value`)
    }
  }
  const entries = new Map<string, string>()
  const failed: { name: string; reason: string }[] = []
  for (const entry of sealed) {
    if (entry === verify) continue
    const read = openText(key, entry)
    if ('text' in read) entries.set(entry.name, read.text)
    else failed.push({ name: entry.name, reason: read.problem })
  }
  if (verify === undefined && entries.size === 0 && failed.length > 0) throw wrongPassphrase()
  return { entries, failed }
}

function openText(key: Buffer, entry: SealedEntry): { text: string } | { problem: string } {
  const plaintext = open(key, entry)
  if (plaintext === undefined) {
    return { problem: 'it does not open: it is damaged, or sealed with another passphrase' }
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext) }
  } catch {
    return { problem: 'it holds bytes that are no text' }
  } finally {
    plaintext.fill(0)
  }
}

function open(key: Buffer, { nonce, ciphertext }: SealedEntry): Buffer | undefined {
  const end = ciphertext.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(ciphertext.subarray(end))
  const plaintext = decipher.update(ciphertext.subarray(0, end))
  try {
    decipher.final()
    return plaintext
  } catch {
    return undefined
  }
}

/** Go's `Seal` appends the tag to the ciphertext. */
function sealedMember(key: Buffer, name: string, value: string, nonce: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const fields = `      "nonce": "${base64(nonce)}",\n      "ciphertext": "${base64(ciphertext)}"`
  return `    ${JSON.stringify(name)}: {\n${fields}\n    }`
}

/** Argon2id (RFC 9106) over the passphrase's UTF-8 bytes as they are, off the main thread. */
async function deriveKey(passphrase: string | Uint8Array, salt: Uint8Array): Promise<Buffer> {
  const bytes = Buffer.from(passphrase)
  try {
    const { hashRaw } = await import('@node-rs/argon2')
    return await hashRaw(bytes, { ...ARGON2ID, salt })
  } finally {
    bytes.fill(0)
  }
}

function readVault(contents: FileContents): { salt: Buffer; sealed: SealedEntry[] } {
  const file = new JsonReader(parseJson(readText(contents)), '')
  if (file.integer('version', 0) !== VERSION) throw file.wrong('version', String(VERSION))
  const salt = readBase64(file, 'salt')
  if (salt.length < SALT_RANGE.min || salt.length > SALT_RANGE.max) {
    throw file.wrong('salt', `${SALT_RANGE.min} to ${SALT_RANGE.max} bytes`)
  }
  if (file.section('entries') === undefined) throw file.wrong('entries', 'an object')
  const entries = file.entries('entries')
  if (entries.length > MAX_ENTRIES) throw file.wrong('entries', `at most ${MAX_ENTRIES} entries`)
  const sealed = entries.map(({ key, value, path }) => {
    const fields = new JsonReader(value, path)
    const nonce = readBase64(fields, 'nonce')
    if (nonce.length !== NONCE_BYTES) throw fields.wrong('nonce', `${NONCE_BYTES} bytes`)
    const ciphertext = readBase64(fields, 'ciphertext')
    if (ciphertext.length < TAG_BYTES) throw fields.wrong('ciphertext', `at least ${TAG_BYTES} bytes`)
    return { name: key, nonce, ciphertext }
  })
  return { salt, sealed }
}

/** Standard base64 with padding (RFC 4648 section 4), in its one canonical form. */
function readBase64(fields: JsonReader, name: string): Buffer {
  const text = fields.text(name)
  const bytes = Buffer.from(text, 'base64')
  if (base64(bytes) !== text) throw fields.wrong(name, 'base64')
  return bytes
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function checkEntry(name: string, value: string): void {
  if (name === VERIFY_ENTRY || name === '__proto__') {
    throw new KeymuxError('invalid_value', `a secret of DevClaw cannot be called ${quote(name)}`)
  }
  // An unpaired surrogate has no UTF-8 form and would come back as another character.
  if (!isUnicode(name) || !isUnicode(value)) {
    throw new KeymuxError('invalid_value', `the secret ${quote(name)} is no Unicode text`)
  }
}

function isUnicode(text: string): boolean {
  return !/\p{Cs}/u.test(text)
}

function wrongPassphrase(): KeymuxError {
  return new KeymuxError('wrong_passphrase', 'the passphrase does not open this DevClaw vault')
}
