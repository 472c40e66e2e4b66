import { createHmac, randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { corrupt, readU64, writeU64 } from './bytes.js'
import { gcmOpen, gcmSeal, NONCE_BYTES, TAG_BYTES } from './gcm.js'
import type { Keyring } from './keyring.js'
import { metaBucket, pad, secretBucket, unpad } from './padding.js'

/*
 * The body of a row: two parts sealed apart, so that metadata of 10,000 rows can be listed without a single
 * secret in memory.
 *
 *    0  format, 1                       1
 *    1  epoch                           4
 *    5  revision                        8
 *   13  salt                           16
 *   29  nonce of the metadata          12
 *   41  length of the sealed metadata   4
 *   45  metadata, tag                   …
 *    …  nonce of the secret, secret, tag   (nothing at all in a row without a secret)
 *
 * Both parts are sealed with AES-256-GCM under HKDF-Expand(data key of the epoch, label || salt): one HMAC,
 * since the data key is uniformly random and needs no extraction (RFC 5869 section 3.3). A salt serves two
 * messages with random 96-bit nonces, so that no number of rows wears a data key out.
 *
 * Additional data of both: the first 45 bytes as stored, the length of the secret part, which part it is, and
 * (length-prefixed) vault id, row id and table. So a secret cannot be cut off, moved to another row, or
 * joined to the metadata of another revision, whose salt and thus key is another.
 */
const FORMAT = 1
const EPOCH_AT = 1
const REVISION_AT = 5
const SALT_AT = 13
const SALT_BYTES = 16
const META_NONCE_AT = SALT_AT + SALT_BYTES
const META_LENGTH_AT = META_NONCE_AT + NONCE_BYTES
const META_AT = META_LENGTH_AT + 4

// The parts' names in the additional data: m and s.
const META = 0x6d
const SECRET = 0x73

/** Length of a row's mark, in bytes. */
export const MARK_BYTES = 16

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
  readonly mark: Buffer
}

/** A row whose metadata is open. */
export interface OpenedRow {
  readonly revision: number
  readonly epoch: number
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
 * Seals one row under the keyring's present epoch.
 *
 * The mark is 16 random bytes sealed at the head of the metadata. A second HMAC over the row's address and
 * salt would do as well, but costs 2 µs at each opening, and these bytes cost nothing: they are unpredictable
 * (random), secret (encrypted), and bound to table, id, revision and salt (authenticated with them).
 *
 * @throws KeymuxError `vault_locked`; `invalid_value` when a part is larger than 16 MiB
 */
export function sealRow(keyring: Keyring, address: RowAddress, content: RowContent): SealedRow {
  const { table, id, revision } = address
  const meta = pad(content.meta, metaBucket, MARK_BYTES)
  const secret = content.secret === undefined ? undefined : pad(content.secret, secretBucket)
  const secretAt = META_AT + meta.length + TAG_BYTES
  const secretLength = secret === undefined ? 0 : NONCE_BYTES + secret.length + TAG_BYTES
  const body = Buffer.alloc(secretAt + secretLength)
  body[0] = FORMAT
  body.writeUInt32BE(keyring.epoch, EPOCH_AT)
  writeU64(body, revision, REVISION_AT)
  const random = randomBytes(SALT_BYTES + 2 * NONCE_BYTES + MARK_BYTES)
  random.copy(body, SALT_AT, 0, SALT_BYTES + NONCE_BYTES)
  body.writeUInt32BE(meta.length + TAG_BYTES, META_LENGTH_AT)
  random.copy(meta, 0, SALT_BYTES + 2 * NONCE_BYTES)

  head.set(body.subarray(0, META_AT))
  const key = rowKey(keyring, keyring.epoch)
  const metaAad = additionalData(keyring, table, id, secretLength, META)
  gcmSeal(key, body.subarray(META_NONCE_AT, META_LENGTH_AT), metaAad, meta, body, META_AT)
  if (secret !== undefined) {
    random.copy(body, secretAt, SALT_BYTES + NONCE_BYTES, SALT_BYTES + 2 * NONCE_BYTES)
    const nonce = body.subarray(secretAt, secretAt + NONCE_BYTES)
    const secretAad = additionalData(keyring, table, id, secretLength, SECRET)
    gcmSeal(key, nonce, secretAad, secret, body, secretAt + NONCE_BYTES)
    secret.fill(0)
  }
  key.fill(0)
  random.fill(0)
  return { body, mark: meta.subarray(0, MARK_BYTES) }
}

/**
 * Opens a row's metadata, and makes its secret ready to be opened.
 *
 * @param body What is stored for `table` and `id`. It is read again by `openSecret`, not copied.
 * @throws KeymuxError `vault_corrupt` unless it is a body that was sealed for that place; `vault_locked`
 */
export function openRow(keyring: Keyring, table: string, id: Uint8Array, body: Uint8Array): OpenedRow {
  if (body.byteLength < META_AT || body[0] !== FORMAT) throw corruptRow()
  head.set(body.subarray(0, META_AT))
  const epoch = head.readUInt32BE(EPOCH_AT)
  const revision = readU64(head, REVISION_AT)
  const secretAt = META_AT + head.readUInt32BE(META_LENGTH_AT)
  const secretLength = body.byteLength - secretAt
  if (revision === undefined || secretLength < 0) throw corruptRow()

  const padded = openPart(keyring, table, id, body, META, secretAt)
  const meta = unpad(padded, MARK_BYTES)
  if (meta === undefined) throw corruptRow()
  return {
    revision,
    epoch,
    mark: padded.subarray(0, MARK_BYTES),
    meta,
    hasSecret: secretLength > 0,
    openSecret: () => {
      if (secretLength === 0) return undefined
      head.set(body.subarray(0, META_AT))
      const secret = unpad(openPart(keyring, table, id, body, SECRET, secretAt))
      if (secret === undefined) throw corruptRow()
      return secret
    },
  }
}

/** Opens one part of the row whose first bytes are in `head`. */
function openPart(
  keyring: Keyring,
  table: string,
  id: Uint8Array,
  body: Uint8Array,
  part: number,
  secretAt: number,
): Buffer {
  const key = rowKey(keyring, head.readUInt32BE(EPOCH_AT))
  const aad = additionalData(keyring, table, id, body.byteLength - secretAt, part)
  const nonceAt = part === META ? META_NONCE_AT : secretAt
  const from = part === META ? META_AT : secretAt + NONCE_BYTES
  const to = part === META ? secretAt : body.byteLength
  const nonce = body.subarray(nonceAt, nonceAt + NONCE_BYTES)
  const plaintext = gcmOpen(key, nonce, aad, body, from, to)
  key.fill(0)
  if (plaintext === undefined) throw corruptRow()
  return plaintext
}

// Scratch memory for what is rebuilt with each row. It never holds a secret, and nothing here waits between
// filling and using it. `head` is its beginning, where the row's first 45 bytes go.
const scratch = Buffer.alloc(1024)
const head = scratch.subarray(0, META_AT)

const LABEL = Buffer.from('keymux/1 row')
// The input of HKDF-Expand's only block: label, salt, block number.
const expandInput = Buffer.concat([LABEL, Buffer.alloc(SALT_BYTES), Buffer.from([1])])

/** The key of the row whose first bytes are in `head`. */
function rowKey(keyring: Keyring, epoch: number): Buffer {
  const key = keyring.dataKey(epoch)
  head.copy(expandInput, LABEL.length, SALT_AT, META_NONCE_AT)
  return createHmac('sha256', key).update(expandInput).digest()
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
    throw new KeymuxError('internal_error', 'the address of a record is too long')
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

function corruptRow(): KeymuxError {
  return corrupt('a record of the vault')
}
