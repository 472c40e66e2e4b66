import type { ChainHead } from './audit.js'
import { fromBase64url, readU64, writeU64 } from './bytes.js'
import { deriveKey } from './derive.js'
import { isSameMac, type Keyring, MAC_BYTES, macOf, VAULT_ID_BYTES } from './keyring.js'
import { TERM_ID_BYTES, type Term } from './keyset.js'
import { FINGERPRINT_BYTES, fingerprint, type Manifest } from './manifest.js'

const PREFIX = 'keymux-pin-2:'
const TERM_AT = VAULT_ID_BYTES
const TERM_ID_AT = TERM_AT + 4
const SEQUENCE_AT = TERM_ID_AT + TERM_ID_BYTES
const FINGERPRINT_AT = SEQUENCE_AT + 8
const AUDIT_SEQUENCE_AT = FINGERPRINT_AT + FINGERPRINT_BYTES
const AUDIT_MAC_AT = AUDIT_SEQUENCE_AT + 8
const MAC_AT = AUDIT_MAC_AT + MAC_BYTES
const PIN_BYTES = MAC_AT + MAC_BYTES

/**
 * What was last seen of a vault, kept outside of it (a state directory, a keychain), so that a vault put back
 * to an earlier state as a whole is noticed, and so is a root key that somebody else put into its slots. Who
 * puts the pin back too wins.
 */
export interface Pin {
  /** The number of the newest term seen. */
  readonly term: number
  /** The manifest's sequence number. */
  readonly sequence: number
  readonly fingerprint: Uint8Array
  /** The last line of the audit; none while it is empty. */
  readonly audit?: ChainHead
}

/** A pin that is one of this vault, and that no key of its keyset made. */
export interface ForeignPin {
  readonly foreign: true
  /** What it says of itself, for who accepts the vault all the same: nothing vouches for it. */
  readonly term: number
  readonly sequence: number
}

/**
 * How a vault stands to its pin: the state that was pinned (`ok`), a later one (`newer`), an earlier one
 * (`rolled_back`), or another one of the same number (`forked`).
 */
export type PinVerdict = 'ok' | 'newer' | 'rolled_back' | 'forked'

/** The pin of a manifest of the present term. @throws KeymuxError `vault_locked` */
export function pinOf(keyring: Keyring, manifest: Manifest): Pin {
  const { sequence, audit } = manifest
  return {
    term: keyring.term.number,
    sequence,
    fingerprint: fingerprint(manifest),
    ...(audit === undefined ? {} : { audit }),
  }
}

/** One line of text without a newline; it holds no secret. @throws KeymuxError `vault_locked` */
export function encodePin(keyring: Keyring, pin: Pin): string {
  const { term } = keyring
  const bytes = Buffer.alloc(PIN_BYTES)
  bytes.set(keyring.vaultId, 0)
  bytes.writeUInt32BE(term.number, TERM_AT)
  bytes.set(term.id, TERM_ID_AT)
  writeU64(bytes, pin.sequence, SEQUENCE_AT)
  bytes.set(pin.fingerprint, FINGERPRINT_AT)
  if (pin.audit !== undefined) {
    writeU64(bytes, pin.audit.sequence, AUDIT_SEQUENCE_AT)
    bytes.set(pin.audit.mac, AUDIT_MAC_AT)
  }
  bytes.set(pinMac(keyring, term, bytes), MAC_AT)
  return PREFIX + bytes.toString('base64url')
}

/**
 * Reads a pin; one trailing newline is allowed.
 *
 * @returns `undefined` for what is no pin, or that of another vault: who can damage a pin can delete it too, so
 *   a damaged one counts as none
 * @throws KeymuxError `vault_locked`
 */
export function decodePin(keyring: Keyring, text: string): Pin | ForeignPin | undefined {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text
  if (!line.startsWith(PREFIX) || line.length > PREFIX.length + 2 * PIN_BYTES) return undefined
  const bytes = fromBase64url(line.slice(PREFIX.length), PIN_BYTES)
  if (bytes === undefined || !keyring.vaultId.equals(bytes.subarray(0, VAULT_ID_BYTES))) return undefined
  const sequence = readU64(bytes, SEQUENCE_AT)
  const auditSequence = readU64(bytes, AUDIT_SEQUENCE_AT)
  if (sequence === undefined || auditSequence === undefined) return undefined
  const number = bytes.readUInt32BE(TERM_AT)
  const term = keyring.termOf(number)
  const known = term?.id.equals(bytes.subarray(TERM_ID_AT, SEQUENCE_AT)) === true
  if (term === undefined || !known || !isSameMac(bytes.subarray(MAC_AT), pinMac(keyring, term, bytes))) {
    return { foreign: true, term: number, sequence }
  }
  return {
    term: number,
    sequence,
    fingerprint: bytes.subarray(FINGERPRINT_AT, AUDIT_SEQUENCE_AT),
    ...(auditSequence === 0
      ? {}
      : { audit: { sequence: auditSequence, mac: bytes.subarray(AUDIT_MAC_AT, MAC_AT) } }),
  }
}

/** How the vault whose manifest this is stands to what was last seen of it. */
export function comparePin(pin: Pin, manifest: Manifest): PinVerdict {
  if (manifest.sequence > pin.sequence) return 'newer'
  if (manifest.sequence < pin.sequence) return 'rolled_back'
  return fingerprint(manifest).equals(pin.fingerprint) ? 'ok' : 'forked'
}

function pinMac(keyring: Keyring, { keys }: Term, bytes: Buffer): Buffer {
  const key = deriveKey(keys.auditMac, 'pin mac', keyring.vaultId)
  try {
    return macOf(key, [bytes.subarray(0, MAC_AT)])
  } finally {
    key.fill(0)
  }
}
