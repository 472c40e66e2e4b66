import { randomBytes } from 'node:crypto'
import { KeymuxError } from '../domain/errors.js'
import { BOX_OVERHEAD, openBox, sealBox } from './box.js'
import { corrupt, lengthPrefixed, readU64, writeU64 } from './bytes.js'
import { deriveKey } from './derive.js'
import { KEY_BYTES } from './gcm.js'

/*
 * The keyset as it is sealed under a key of the root:
 *
 *    0  format, 1                                1
 *    1  lookup key                              32
 *   33  number of terms                          2
 *   35  the terms in ascending order: number (4), id (16), instant of its beginning in ms (8), audit seal,
 *       audit MAC and unsaved-token key (32 each)
 *    …  data and manifest key of the last term (32 each)
 */
const FORMAT = 1
const LOOKUP_AT = 1
const COUNT_AT = LOOKUP_AT + KEY_BYTES
const TERMS_AT = COUNT_AT + 2
const TERM_ID_AT = 4
const BEGUN_AT = TERM_ID_AT + 16
const TERM_KEYS_AT = BEGUN_AT + 8
const TERM_BYTES = TERM_KEYS_AT + 3 * KEY_BYTES
const LAST_KEYS_BYTES = 2 * KEY_BYTES

/** Length of a term's id, in bytes. */
export const TERM_ID_BYTES = 16
/** The highest number of a term. */
export const MAX_TERM = 0xffff_ffff
/** How many terms a vault may have, and so how often it may be rotated. */
export const MAX_TERMS = 1024
/** The size of the largest sealed keyset, in bytes. */
export const MAX_SEALED_KEYSET_BYTES: number =
  BOX_OVERHEAD + TERMS_AT + MAX_TERMS * TERM_BYTES + LAST_KEYS_BYTES

/** The keys of a term that stay for as long as the vault does: old audit lines and files must be readable. */
export interface TermKeys {
  readonly auditSeal: Buffer
  readonly auditMac: Buffer
  /** Seals tokens that the vault could not take. */
  readonly unsaved: Buffer
}

/** The time between two rotations. */
export interface Term {
  /** From 1, ascending; not every number is taken. */
  readonly number: number
  /** 16 random bytes: two copies of a vault that were rotated apart have the same numbers, and other ids. */
  readonly id: Buffer
  readonly begunAt: Date
  readonly keys: TermKeys
}

/** The keys of a vault, wrapped by its root key. */
export interface Keyset {
  /** For row ids and the names of locks and files; stays through rotations. */
  readonly lookup: Buffer
  /** In ascending order; the last one is the present one. */
  readonly terms: readonly Term[]
  /** Seals the rows of the present term. That of a former term is gone, and so is what it sealed. */
  readonly data: Buffer
  /** Seals the manifest of the present term. */
  readonly manifest: Buffer
}

/** A keyset with one term. */
export function newKeyset(now: Date): Keyset {
  return {
    lookup: randomBytes(KEY_BYTES),
    terms: [newTerm(1, now)],
    data: randomBytes(KEY_BYTES),
    manifest: randomBytes(KEY_BYTES),
  }
}

/**
 * The keyset with one term more. The buffers of the old one are shared, not copied.
 *
 * @param above the new term's number is higher than this one, and than that of every term
 * @throws KeymuxError `invalid_value` when it has been rotated too often
 */
export function withNewTerm(keyset: Keyset, now: Date, above = 0): Keyset {
  const number = Math.max(above, presentTerm(keyset).number) + 1
  if (keyset.terms.length >= MAX_TERMS || number > MAX_TERM) {
    throw new KeymuxError('invalid_value', 'the vault has been rotated as often as it can be', {
      hint: 'export it, and import it into a new vault',
    })
  }
  return {
    lookup: keyset.lookup,
    terms: [...keyset.terms, newTerm(number, now)],
    data: randomBytes(KEY_BYTES),
    manifest: randomBytes(KEY_BYTES),
  }
}

/** The term under which everything is sealed now. */
export function presentTerm({ terms }: Pick<Keyset, 'terms'>): Term {
  const last = terms.at(-1)
  if (last === undefined) throw new KeymuxError('internal_error', 'a keyset has no term')
  return last
}

/** Whether `newer` begins with every term of `older`, with the same keys, and goes on where that one ends. */
export function continues(newer: Keyset, older: Keyset): boolean {
  return (
    newer.lookup.equals(older.lookup) &&
    older.terms.every(({ number, id, keys }, index) => {
      const same = newer.terms[index]
      return same?.number === number && same.id.equals(id) && same.keys.auditMac.equals(keys.auditMac)
    })
  )
}

/** Seals a keyset under the root key. */
export function sealKeyset(rootKey: Uint8Array, vaultId: Uint8Array, keyset: Keyset): Buffer {
  const key = wrappingKey(rootKey, vaultId)
  const bytes = encode(keyset)
  try {
    return sealBox(key, additionalData(vaultId), bytes)
  } finally {
    key.fill(0)
    bytes.fill(0)
  }
}

/** Opens what {@link sealKeyset} made. @throws KeymuxError `vault_corrupt` */
export function openKeyset(rootKey: Uint8Array, vaultId: Uint8Array, sealed: Uint8Array): Keyset {
  const key = wrappingKey(rootKey, vaultId)
  const bytes = openBox(key, additionalData(vaultId), sealed)
  key.fill(0)
  const keyset = bytes === undefined ? undefined : decode(bytes)
  bytes?.fill(0)
  if (keyset === undefined) throw corrupt('the keyset of the vault')
  return keyset
}

/** Zeroes every key. @param kept a keyset whose buffers stay as they are, where the two share some */
export function wipeKeyset(keyset: Keyset, kept?: Keyset): void {
  const spared = new Set(kept === undefined ? [] : buffersOf(kept))
  for (const key of buffersOf(keyset)) if (!spared.has(key)) key.fill(0)
}

/** Whether this is a number that a term can have. */
export function isTermNumber(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= MAX_TERM
}

function buffersOf({ lookup, terms, data, manifest }: Keyset): Buffer[] {
  return [lookup, data, manifest, ...terms.flatMap(({ keys }) => Object.values<Buffer>({ ...keys }))]
}

function newTerm(number: number, begunAt: Date): Term {
  return {
    number,
    id: randomBytes(TERM_ID_BYTES),
    begunAt,
    keys: {
      auditSeal: randomBytes(KEY_BYTES),
      auditMac: randomBytes(KEY_BYTES),
      unsaved: randomBytes(KEY_BYTES),
    },
  }
}

function wrappingKey(rootKey: Uint8Array, vaultId: Uint8Array): Buffer {
  return deriveKey(rootKey, 'keyset', vaultId)
}

function additionalData(vaultId: Uint8Array): Buffer {
  return lengthPrefixed('keymux/2 keyset', vaultId)
}

function encode({ lookup, terms, data, manifest }: Keyset): Buffer {
  const bytes = Buffer.alloc(TERMS_AT + terms.length * TERM_BYTES + LAST_KEYS_BYTES)
  bytes[0] = FORMAT
  bytes.set(lookup, LOOKUP_AT)
  bytes.writeUInt16BE(terms.length, COUNT_AT)
  for (const [index, { number, id, begunAt, keys }] of terms.entries()) {
    const at = TERMS_AT + index * TERM_BYTES
    bytes.writeUInt32BE(number, at)
    bytes.set(id, at + TERM_ID_AT)
    writeU64(bytes, begunAt.getTime(), at + BEGUN_AT)
    bytes.set(keys.auditSeal, at + TERM_KEYS_AT)
    bytes.set(keys.auditMac, at + TERM_KEYS_AT + KEY_BYTES)
    bytes.set(keys.unsaved, at + TERM_KEYS_AT + 2 * KEY_BYTES)
  }
  bytes.set(data, bytes.length - LAST_KEYS_BYTES)
  bytes.set(manifest, bytes.length - KEY_BYTES)
  return bytes
}

function decode(bytes: Buffer): Keyset | undefined {
  if (bytes.length < TERMS_AT || bytes[0] !== FORMAT) return undefined
  const count = bytes.readUInt16BE(COUNT_AT)
  if (count < 1 || count > MAX_TERMS) return undefined
  if (bytes.length !== TERMS_AT + count * TERM_BYTES + LAST_KEYS_BYTES) return undefined
  const terms: Term[] = []
  for (let at = TERMS_AT; terms.length < count; at += TERM_BYTES) {
    const number = bytes.readUInt32BE(at)
    const begunAt = readU64(bytes, at + BEGUN_AT)
    if (number <= (terms.at(-1)?.number ?? 0) || begunAt === undefined) return undefined
    terms.push({
      number,
      id: copy(bytes, at + TERM_ID_AT, TERM_ID_BYTES),
      begunAt: new Date(begunAt),
      keys: {
        auditSeal: copy(bytes, at + TERM_KEYS_AT, KEY_BYTES),
        auditMac: copy(bytes, at + TERM_KEYS_AT + KEY_BYTES, KEY_BYTES),
        unsaved: copy(bytes, at + TERM_KEYS_AT + 2 * KEY_BYTES, KEY_BYTES),
      },
    })
  }
  return {
    lookup: copy(bytes, LOOKUP_AT, KEY_BYTES),
    terms,
    data: copy(bytes, bytes.length - LAST_KEYS_BYTES, KEY_BYTES),
    manifest: copy(bytes, bytes.length - KEY_BYTES, KEY_BYTES),
  }
}

function copy(bytes: Buffer, at: number, length: number): Buffer {
  return Buffer.from(bytes.subarray(at, at + length))
}
