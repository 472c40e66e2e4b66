import { createHash } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import type { ChainHead } from './audit.js'
import { openBox, sealBox } from './box.js'
import { asBuffer, corrupt, lengthPrefixed, readU64, writeU64 } from './bytes.js'
import type { Keyring } from './keyring.js'
import { MAC_BYTES, MARK_BYTES } from './keyring.js'

/** Length of a fingerprint, in bytes. */
export const FINGERPRINT_BYTES = 16
/** Length of a header digest, in bytes. */
export const HEADER_DIGEST_BYTES = 32

const ACCUMULATOR_AT = 0
const COUNT_AT = ACCUMULATOR_AT + MARK_BYTES
const SEQUENCE_AT = COUNT_AT + 8
const HEADER_DIGEST_AT = SEQUENCE_AT + 8
const AUDIT_SEQUENCE_AT = HEADER_DIGEST_AT + HEADER_DIGEST_BYTES
const AUDIT_MAC_AT = AUDIT_SEQUENCE_AT + 8
const MANIFEST_BYTES = AUDIT_MAC_AT + MAC_BYTES

/**
 * What the vault as a whole is: which rows, which header, which audit.
 *
 * Each row is authentic by itself, and would still be so if it were put back after its deletion, or if an
 * older revision took its place, or if it were gone. The manifest tells those apart. It is an incremental
 * keyed multiset hash (Bellare and Micciancio's AdHash with secret random summands): the sum modulo 2^128 of
 * the marks of all rows, where a mark is 16 bytes of a pseudorandom function under a key of the term, taken of
 * the row's table, id, revision and salt. A save subtracts the old mark and adds the new one, whatever the
 * number of rows.
 *
 * A mark follows from the head of a row, which is stored in clear. So damage in a body leaves the sum checkable:
 * that one record is lost, and nobody can roll others back in its shadow.
 *
 * Whoever edits the stored bytes knows no mark. Let him present other heads than the current ones. The sum is
 * right only if the marks he dropped and those he brought add up to the same; these are pseudorandom numbers
 * that he cannot see, so whatever he chooses, that happens with probability 2^-128. Plain sums of public
 * digests would not do: there, sets with equal sums can be searched for (the generalised birthday problem).
 *
 * What is left to him is putting the whole store back to an earlier state, manifest included: see the pin.
 */
export interface Manifest {
  /** Sum of the marks of all rows modulo 2^128: 16 bytes, big-endian. */
  readonly accumulator: Uint8Array
  /** Number of rows. */
  readonly count: number
  /** Grows with each write transaction. */
  readonly sequence: number
  /** SHA-256 of the header as it is stored: a former header, with a slot since removed, is noticed. */
  readonly headerDigest: Uint8Array
  /** The last line of the audit, so that lines cut off its end are noticed; none while it is empty. */
  readonly audit?: ChainHead
}

/** The accumulator of no rows. */
export function emptyAccumulator(): Uint8Array {
  return new Uint8Array(MARK_BYTES)
}

/** The accumulator with one row more. Neither argument is changed. */
export function addMark(accumulator: Uint8Array, mark: Uint8Array): Uint8Array {
  const sum = emptyAccumulator()
  let carry = 0
  for (let index = MARK_BYTES - 1; index >= 0; index--) {
    const digit = byteAt(accumulator, index) + byteAt(mark, index) + carry
    sum[index] = digit
    carry = digit >> 8
  }
  return sum
}

/** The accumulator with one row less. Neither argument is changed. */
export function subtractMark(accumulator: Uint8Array, mark: Uint8Array): Uint8Array {
  const difference = emptyAccumulator()
  let borrow = 0
  for (let index = MARK_BYTES - 1; index >= 0; index--) {
    const digit = byteAt(accumulator, index) - byteAt(mark, index) - borrow
    difference[index] = digit
    borrow = digit < 0 ? 1 : 0
  }
  return difference
}

/** SHA-256 of the stored header, for {@link Manifest.headerDigest}. */
export function digestHeader(header: Uint8Array): Buffer {
  return createHash('sha256').update(header).digest()
}

/** Whether rows and header as found are those of the manifest. */
export function matchesManifest(
  manifest: Manifest,
  found: Pick<Manifest, 'accumulator' | 'count' | 'headerDigest'>,
): boolean {
  return encode(manifest).equals(encode({ ...manifest, ...found }))
}

/** Seals a manifest for storage: [term 4][box]. @throws KeymuxError `vault_locked` */
export function sealManifest(keyring: Keyring, manifest: Manifest): Buffer {
  const term = termBytes(keyring.term.number)
  return Buffer.concat([
    term,
    sealBox(keyring.keyset.manifest, additionalData(keyring, term), encode(manifest)),
  ])
}

/** The term that a stored manifest says it is of; `undefined` where it is too short to say so. */
export function manifestTerm(sealed: Uint8Array): number | undefined {
  const bytes = asBuffer(sealed)
  return bytes.length < 4 ? undefined : bytes.readUInt32BE(0)
}

/** Opens a stored manifest of the present term. @throws KeymuxError `vault_corrupt`, `vault_locked` */
export function openManifest(keyring: Keyring, sealed: Uint8Array): Manifest {
  const term = termBytes(keyring.term.number)
  const box = sealed.subarray(term.length)
  const bytes = term.equals(sealed.subarray(0, term.length))
    ? openBox(keyring.keyset.manifest, additionalData(keyring, term), box)
    : undefined
  const manifest = bytes === undefined ? undefined : decode(bytes)
  if (manifest === undefined) throw corrupt('the manifest of the vault')
  return manifest
}

/**
 * 16 bytes that stand for a manifest outside the vault. They betray nothing of it, the accumulator being
 * secret and random.
 */
export function fingerprint(manifest: Manifest): Buffer {
  const digest = createHash('sha256')
    .update(lengthPrefixed('keymux/2 manifest fingerprint', encode(manifest)))
    .digest()
  return digest.subarray(0, FINGERPRINT_BYTES)
}

function additionalData(keyring: Keyring, term: Buffer): Buffer {
  return lengthPrefixed('keymux/2 manifest', keyring.vaultId, term)
}

function termBytes(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

function encode(manifest: Manifest): Buffer {
  const { accumulator, headerDigest, audit } = manifest
  const sound =
    accumulator.byteLength === MARK_BYTES &&
    headerDigest.byteLength === HEADER_DIGEST_BYTES &&
    (audit === undefined || audit.mac.byteLength === MAC_BYTES)
  if (!sound) throw new KeymuxError('internal_error', 'the manifest of the vault has the wrong shape')
  const bytes = Buffer.alloc(MANIFEST_BYTES)
  bytes.set(accumulator, ACCUMULATOR_AT)
  writeU64(bytes, manifest.count, COUNT_AT)
  writeU64(bytes, manifest.sequence, SEQUENCE_AT)
  bytes.set(headerDigest, HEADER_DIGEST_AT)
  if (audit !== undefined) {
    writeU64(bytes, audit.sequence, AUDIT_SEQUENCE_AT)
    bytes.set(audit.mac, AUDIT_MAC_AT)
  }
  return bytes
}

function decode(bytes: Buffer): Manifest | undefined {
  if (bytes.length !== MANIFEST_BYTES) return undefined
  const count = readU64(bytes, COUNT_AT)
  const sequence = readU64(bytes, SEQUENCE_AT)
  const auditSequence = readU64(bytes, AUDIT_SEQUENCE_AT)
  if (count === undefined || sequence === undefined || auditSequence === undefined) return undefined
  return {
    accumulator: bytes.subarray(ACCUMULATOR_AT, COUNT_AT),
    count,
    sequence,
    headerDigest: bytes.subarray(HEADER_DIGEST_AT, AUDIT_SEQUENCE_AT),
    ...(auditSequence === 0
      ? {}
      : { audit: { sequence: auditSequence, mac: bytes.subarray(AUDIT_MAC_AT, MANIFEST_BYTES) } }),
  }
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}
