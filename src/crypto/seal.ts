import { randomFillSync } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { corrupt, readU64, writeU64 } from './bytes.js'
import { gcmOpen, gcmSeal, NONCE_BYTES, TAG_BYTES } from './gcm.js'
import type { Keyring } from './keyring.js'
import { metaBucket, pad, secretBucket, unpad } from './padding.js'

/*
 * The body of a row: two parts sealed apart, so that metadata of 10,000 rows can be listed without a single
 * secret in memory.
 *
 *    0  format, 2                        1
 *    1  term                             4
 *    5  revision                         8
 *   13  salt                            16
 *   29  nonce of the metadata           12
 *   41  length of the sealed metadata    4
 *   45  metadata, tag                    …
 *    …  nonce of the secret, secret, tag   (nothing at all in a row without a secret)
 *
 * The first 29 bytes are the row's head. Both parts are sealed with AES-256-GCM under a key that follows from
 * the data key of the term, the head, the row's id and its table (`Keyring.rowKeys`); the same derivation gives
 * the mark that stands for this body in the manifest. A salt serves two messages with random 96-bit nonces, so
 * that no number of rows wears a data key out.
 *
 * Additional data of both: the first 45 bytes as stored, the length of the secret part, which part it is, and
 * (length-prefixed) vault id, row id and table. So a secret cannot be cut off, moved to another row, or
 * joined to the metadata of another revision, whose salt and thus key is another.
 */
const FORMAT = 2
const TERM_AT = 1
const REVISION_AT = 5
const SALT_AT = 13
const SALT_BYTES = 16
const HEAD_BYTES = SALT_AT + SALT_BYTES
const META_NONCE_AT = HEAD_BYTES
const META_LENGTH_AT = META_NONCE_AT + NONCE_BYTES
const META_AT = META_LENGTH_AT + 4

// The parts' names in the additional data: m and s.
const META = 0x6d
const SECRET = 0x73

const UNREADABLE: ReadRow = { mark: undefined, row: undefined }

/** Which row it is. */
export interface RowAddress {
  readonly table: string
  readonly id: Uint8Array
  /** Grows with each change of the row. */
  readonly revision: number
}

/** What a row holds. An empty secret and none are different things. */
export interface RowContent {
  readonly meta: Uint8Array
  readonly secret?: Uint8Array
}

/** A row ready to be stored, and its part in the manifest. */
export interface SealedRow {
  readonly body: Buffer
  /** 16 secret bytes that stand for this very body in the manifest. */
  readonly mark: Buffer
}

/** What can be told of a stored row, damaged or not. */
export interface ReadRow {
  /** Its part in the manifest; `undefined` where the head is damaged, or of another term. */
  readonly mark: Buffer | undefined
  /** `undefined` where anything is damaged. */
  readonly row: OpenedRow | undefined
}

/** A row whose metadata is open. */
export interface OpenedRow {
  readonly revision: number
  /** The number of the term under which it is sealed. */
  readonly term: number
  /** 16 secret bytes that stand for this very body in the manifest. */
  readonly mark: Buffer
  readonly meta: Buffer
  /** Whether there is a secret, be it empty. */
  readonly hasSecret: boolean
  /**
   * Opens the secret; `undefined` where there is none. The Buffer is the caller's to wipe. `body` must not
   * have been changed meanwhile.
   *
   * @throws KeymuxError `vault_corrupt`, `vault_locked`
   */
  openSecret(): Buffer | undefined
}

/**
 * Seals one row under the present term.
 *
 * @throws KeymuxError `vault_locked`; `invalid_value` when a part is larger than 16 MiB
 */
export function sealRow(keyring: Keyring, address: RowAddress, content: RowContent): SealedRow {
  const { table, id, revision } = address
  const meta = pad(content.meta, metaBucket)
  const secret = content.secret === undefined ? undefined : pad(content.secret, secretBucket)
  const secretAt = META_AT + meta.length + TAG_BYTES
  const secretLength = secret === undefined ? 0 : NONCE_BYTES + secret.length + TAG_BYTES
  const body = Buffer.alloc(secretAt + secretLength)
  const term = keyring.term.number
  body[0] = FORMAT
  body.writeUInt32BE(term, TERM_AT)
  writeU64(body, revision, REVISION_AT)
  randomFillSync(body, SALT_AT, SALT_BYTES + NONCE_BYTES)
  body.writeUInt32BE(meta.length + TAG_BYTES, META_LENGTH_AT)

  head.set(body.subarray(0, META_AT))
  const { key, mark } = keyring.rowKeys(rowInfo(table, id))
  const metaAad = additionalData(keyring, table, id, secretLength, META)
  gcmSeal(key, body.subarray(META_NONCE_AT, META_LENGTH_AT), metaAad, meta, body, META_AT)
  if (secret !== undefined) {
    randomFillSync(body, secretAt, NONCE_BYTES)
    const nonce = body.subarray(secretAt, secretAt + NONCE_BYTES)
    const secretAad = additionalData(keyring, table, id, secretLength, SECRET)
    gcmSeal(key, nonce, secretAad, secret, body, secretAt + NONCE_BYTES)
    secret.fill(0)
  }
  meta.fill(0)
  key.fill(0)
  return { body, mark }
}

/**
 * Opens a row's metadata, and makes its secret ready to be opened.
 *
 * @param body What is stored for `table` and `id`. It is read again by `openSecret`, not copied.
 * @throws KeymuxError `vault_corrupt` unless it is a body that was sealed for that place under the present
 *   term; `vault_locked`
 */
export function openRow(keyring: Keyring, table: string, id: Uint8Array, body: Uint8Array): OpenedRow {
  const { row } = readRow(keyring, table, id, body)
  if (row === undefined) throw corruptRow()
  return row
}

/**
 * Reads as much of a row as can be read. A sound head with a damaged body still has its mark.
 *
 * @throws KeymuxError `vault_locked`
 */
export function readRow(keyring: Keyring, table: string, id: Uint8Array, body: Uint8Array): ReadRow {
  if (body.byteLength < HEAD_BYTES || body[0] !== FORMAT) return UNREADABLE
  head.fill(0).set(body.subarray(0, Math.min(META_AT, body.byteLength)))
  const term = head.readUInt32BE(TERM_AT)
  const revision = readU64(head, REVISION_AT)
  if (term !== keyring.term.number || revision === undefined) return UNREADABLE
  const { key, mark } = keyring.rowKeys(rowInfo(table, id))
  const secretAt = META_AT + head.readUInt32BE(META_LENGTH_AT)
  const secretLength = body.byteLength - secretAt
  const meta = secretLength < 0 ? undefined : openPart(keyring, key, table, id, body, META, secretAt)
  key.fill(0)
  if (meta === undefined) return { mark, row: undefined }
  const openSecret = (): Buffer | undefined => {
    if (secretLength === 0) return undefined
    if (term !== keyring.term.number) throw corruptRow()
    head.set(body.subarray(0, META_AT))
    const again = keyring.rowKeys(rowInfo(table, id)).key
    const secret = openPart(keyring, again, table, id, body, SECRET, secretAt)
    again.fill(0)
    if (secret === undefined) throw corruptRow()
    return secret
  }
  return { mark, row: { revision, term, mark, meta, hasSecret: secretLength > 0, openSecret } }
}

/** The term that a stored row names; `undefined` where its head is damaged. Nothing vouches for it. */
export function termOfRow(body: Uint8Array): number | undefined {
  if (body.byteLength < HEAD_BYTES || body[0] !== FORMAT) return undefined
  return new DataView(body.buffer, body.byteOffset).getUint32(TERM_AT)
}

/**
 * A row opened as a whole, secret included, for who seals it anew at once; `undefined` where anything is damaged. The
 * Buffers are the caller's to wipe.
 *
 * @throws KeymuxError `vault_locked`
 */
export function openWholeRow(
  keyring: Keyring,
  table: string,
  id: Uint8Array,
  body: Uint8Array,
): (RowContent & { readonly mark: Buffer }) | undefined {
  if (body.byteLength < META_AT || body[0] !== FORMAT) return undefined
  head.set(body.subarray(0, META_AT))
  if (head.readUInt32BE(TERM_AT) !== keyring.term.number || readU64(head, REVISION_AT) === undefined)
    return undefined
  const secretAt = META_AT + head.readUInt32BE(META_LENGTH_AT)
  if (secretAt > body.byteLength) return undefined
  const { key, mark } = keyring.rowKeys(rowInfo(table, id))
  const meta = openPart(keyring, key, table, id, body, META, secretAt)
  const bare = secretAt === body.byteLength
  const secret =
    bare || meta === undefined ? undefined : openPart(keyring, key, table, id, body, SECRET, secretAt)
  key.fill(0)
  if (meta === undefined) return undefined
  if (bare) return { mark, meta }
  return secret === undefined ? undefined : { mark, meta, secret }
}

/** Opens one part of the row whose first bytes are in `head`; `undefined` where it is damaged. */
function openPart(
  keyring: Keyring,
  key: Buffer,
  table: string,
  id: Uint8Array,
  body: Uint8Array,
  part: number,
  secretAt: number,
): Buffer | undefined {
  const aad = additionalData(keyring, table, id, body.byteLength - secretAt, part)
  const nonceAt = part === META ? META_NONCE_AT : secretAt
  const from = part === META ? META_AT : secretAt + NONCE_BYTES
  const to = part === META ? secretAt : body.byteLength
  const nonce = body.subarray(nonceAt, nonceAt + NONCE_BYTES)
  const padded = gcmOpen(key, nonce, aad, body, from, to)
  return padded === undefined ? undefined : unpad(padded)
}

// Scratch memory for what is rebuilt with each row. It never holds a secret, and nothing here waits between
// filling and using it. `head` is its beginning, where the row's first 45 bytes go.
const scratch = Buffer.alloc(1024)
const head = scratch.subarray(0, META_AT)

const LABEL = Buffer.from('keymux/2 row')
const infoScratch = Buffer.alloc(1024)
infoScratch.set(LABEL)

/** What the keys of the row whose first bytes are in `head` are derived with: label, head, id, table. */
function rowInfo(table: string, id: Uint8Array): Buffer {
  const at = LABEL.length + HEAD_BYTES + id.byteLength
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (at + 3 * table.length > infoScratch.length) throw tooLong()
  head.copy(infoScratch, LABEL.length, 0, HEAD_BYTES)
  infoScratch.set(id, LABEL.length + HEAD_BYTES)
  return infoScratch.subarray(0, at + infoScratch.write(table, at))
}

/** The additional data of the row whose first bytes are in `head`. */
function additionalData(
  keyring: Keyring,
  table: string,
  id: Uint8Array,
  secretLength: number,
  part: number,
): Buffer {
  const { vaultId } = keyring
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (2 * META_AT + vaultId.length + id.byteLength + 3 * table.length > scratch.length) {
    throw tooLong()
  }
  let at = scratch.writeUInt32BE(secretLength, META_AT)
  at = scratch.writeUInt8(part, at)
  at = scratch.writeUInt32BE(vaultId.length, at)
  scratch.set(vaultId, at)
  at = scratch.writeUInt32BE(id.byteLength, at + vaultId.length)
  scratch.set(id, at)
  at += id.byteLength
  const tableBytes = scratch.write(table, at + 4)
  scratch.writeUInt32BE(tableBytes, at)
  return scratch.subarray(0, at + 4 + tableBytes)
}

function tooLong(): KeymuxError {
  return new KeymuxError('internal_error', 'the address of a record is too long')
}

function corruptRow(): KeymuxError {
  return corrupt('a record of the vault')
}
