import { KeymuxError } from '../domain/errors.js'
import { asBuffer, corrupt, fromBase64url } from './bytes.js'
import { type Fields, instantOf, isFields, wholeNumberOf } from './json.js'
import { type Keyring, MAC_BYTES, VAULT_ID_BYTES } from './keyring.js'
import { MAX_SEALED_KEYSET_BYTES } from './keyset.js'
import type { Slot } from './slot.js'
import { slotFromJson, slotToJson } from './slot-codec.js'

/** The format this version writes. */
export const HEADER_FORMAT = 2
/** The most slots that a vault may have. */
export const MAX_SLOTS = 64
/** The largest header that is read, in bytes: one with as many terms and slots as a vault may have. */
export const MAX_HEADER_BYTES: number = 256 * 1024

/** What must be known of a vault before it can be opened. Nothing in it is secret. */
export interface VaultHeader {
  readonly format: typeof HEADER_FORMAT
  /** 16 random bytes. */
  readonly vaultId: Buffer
  readonly createdAt: Date
  /** Grows with each change of the header; from 1. */
  readonly revision: number
  /** The keys of the vault, sealed under its root key. */
  readonly keyset: Buffer
  readonly slots: readonly Slot[]
}

/** A header as read, with its MAC yet to be verified. */
export interface DecodedHeader {
  readonly header: VaultHeader
  readonly mac: Buffer
}

/**
 * The header as it is stored, with its MAC: JSON in UTF-8.
 *
 * @throws KeymuxError `vault_locked`; `invalid_value` when it has too many slots
 */
export function sealHeader(keyring: Keyring, header: VaultHeader): Buffer {
  return encodeHeader(header, headerMac(keyring, header))
}

/**
 * Checks that a member of the vault wrote the header.
 *
 * @throws KeymuxError `vault_tampered`, `vault_locked`
 */
export function verifyHeader(keyring: Keyring, { header, mac }: DecodedHeader): void {
  if (keyring.verifyHeaderMac(mac, content(header))) return
  throw new KeymuxError('vault_tampered', "the vault's header was changed by something else than keymux", {
    hint: 'restore a backup',
  })
}

/** The MAC of a header: over everything else in it. @throws KeymuxError `vault_locked` */
export function headerMac(keyring: Keyring, header: VaultHeader): Buffer {
  return keyring.headerMac(content(header))
}

/** Lays out a header and its MAC. @throws KeymuxError `invalid_value` when it has too many slots */
export function encodeHeader(header: VaultHeader, mac: Uint8Array): Buffer {
  const bytes = layOut(header, mac)
  if (header.slots.length > MAX_SLOTS || bytes.length > MAX_HEADER_BYTES) {
    throw new KeymuxError('invalid_value', `a vault has at most ${MAX_SLOTS} key slots`)
  }
  return bytes
}

/**
 * Reads a header of unknown origin, without any cryptography. Exactly one spelling of each header is
 * accepted, the one that {@link encodeHeader} gives: no other order, spacing, field or repetition.
 *
 * @throws KeymuxError `vault_too_new` for a higher format, `vault_too_old` for a lower one, `vault_corrupt` for
 *   anything else
 */
export function decodeHeader(bytes: Uint8Array): DecodedHeader {
  const json = bytes.byteLength > MAX_HEADER_BYTES ? undefined : parse(bytes)
  if (!isFields(json)) throw corruptHeader()
  if (wholeNumberOf(json.format, HEADER_FORMAT + 1, Number.MAX_SAFE_INTEGER) !== undefined) {
    throw new KeymuxError('vault_too_new', 'the vault was written by a newer keymux', {
      hint: 'update keymux',
    })
  }
  if (wholeNumberOf(json.format, 1, HEADER_FORMAT - 1) !== undefined) throw tooOld()
  const header = headerFromJson(json)
  const mac = typeof json.mac === 'string' ? fromBase64url(json.mac, MAC_BYTES) : undefined
  if (header === undefined || mac === undefined) throw corruptHeader()
  if (!layOut(header, mac).equals(bytes)) throw corruptHeader()
  return { header, mac }
}

function layOut(header: VaultHeader, mac: Uint8Array): Buffer {
  const json = { ...headerToJson(header), mac: asBuffer(mac).toString('base64url') }
  return Buffer.from(`${JSON.stringify(json)}\n`)
}

function headerToJson(header: VaultHeader): Fields {
  return {
    format: header.format,
    vault_id: header.vaultId.toString('base64url'),
    created_at: header.createdAt.toISOString(),
    revision: header.revision,
    keyset: header.keyset.toString('base64url'),
    slots: header.slots.map(slotToJson),
  }
}

function headerFromJson(json: Fields): VaultHeader | undefined {
  const vaultId = typeof json.vault_id === 'string' ? fromBase64url(json.vault_id, VAULT_ID_BYTES) : undefined
  const createdAt = instantOf(json.created_at)
  const revision = wholeNumberOf(json.revision, 1, Number.MAX_SAFE_INTEGER)
  const keyset = typeof json.keyset === 'string' ? fromBase64url(json.keyset) : undefined
  const slots = slotsOf(json.slots)
  if (json.format !== HEADER_FORMAT || vaultId === undefined || createdAt === undefined) return undefined
  if (revision === undefined || keyset === undefined || slots === undefined) return undefined
  if (keyset.length > MAX_SEALED_KEYSET_BYTES) return undefined
  return { format: HEADER_FORMAT, vaultId, createdAt, revision, keyset, slots }
}

function slotsOf(json: unknown): Slot[] | undefined {
  if (!Array.isArray(json) || json.length > MAX_SLOTS) return undefined
  const slots = json.map(slotFromJson).filter((slot) => slot !== undefined)
  const ids = new Set(slots.map((slot) => slot.id))
  return slots.length === json.length && ids.size === slots.length ? slots : undefined
}

function content(header: VaultHeader): string {
  return JSON.stringify(headerToJson(header))
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(asBuffer(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}

/** No version that wrote such a vault was released. */
function tooOld(): KeymuxError {
  return new KeymuxError(
    'vault_too_old',
    'the vault was written by an older keymux, in a format of its own',
    {
      hint: 'export it with that keymux (keymux export --out FILE), and import the file into a new vault',
    },
  )
}

function corruptHeader(): KeymuxError {
  return corrupt("the vault's header")
}
