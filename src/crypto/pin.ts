import type { ChainHead } from './audit.js'
import { fromBase64url, readU64, writeU64 } from './bytes.js'
import { type Keyring, MAC_BYTES, VAULT_ID_BYTES } from './keyring.js'
import { FINGERPRINT_BYTES, fingerprint, type Manifest } from './manifest.js'

const PREFIX = 'keymux-pin-1:'
const SEQUENCE_AT = VAULT_ID_BYTES
const FINGERPRINT_AT = SEQUENCE_AT + 8
const AUDIT_SEQUENCE_AT = FINGERPRINT_AT + FINGERPRINT_BYTES
const AUDIT_MAC_AT = AUDIT_SEQUENCE_AT + 8
const MAC_AT = AUDIT_MAC_AT + MAC_BYTES
const PIN_BYTES = MAC_AT + MAC_BYTES

/**
 * What was last seen of a vault, kept outside of it (a state directory, a keychain), so that a vault put back
 * to an earlier state as a whole is noticed. Who puts both back wins.
 */
export interface Pin {
  /** The manifest's sequence number. */
  readonly sequence: number
  readonly fingerprint: Uint8Array
  /** The last line of the audit; none while it is empty. */
  readonly audit?: ChainHead
}

/**
 * How a vault stands to its pin: the state that was pinned (`ok`), a later one (`newer`), an earlier one
 * (`rolled_back`), or another one of the same number (`forked`).
 */
export type PinVerdict = 'ok' | 'newer' | 'rolled_back' | 'forked'

/** The pin of a manifest. */
export function pinOf(manifest: Manifest): Pin {
  const { sequence, audit } = manifest
  return { sequence, fingerprint: fingerprint(manifest), ...(audit === undefined ? {} : { audit }) }
}

/** One line of text without a newline; it holds no secret. @throws KeymuxError `vault_locked` */
export function encodePin(keyring: Keyring, pin: Pin): string {
  const bytes = Buffer.alloc(PIN_BYTES)
  bytes.set(keyring.vaultId, 0)
  writeU64(bytes, pin.sequence, SEQUENCE_AT)
  bytes.set(pin.fingerprint, FINGERPRINT_AT)
  if (pin.audit !== undefined) {
    writeU64(bytes, pin.audit.sequence, AUDIT_SEQUENCE_AT)
    bytes.set(pin.audit.mac, AUDIT_MAC_AT)
  }
  bytes.set(keyring.mac('pin mac', bytes.subarray(0, MAC_AT)), MAC_AT)
  return PREFIX + bytes.toString('base64url')
}

/**
 * Reads a pin of this vault; one trailing newline is allowed. `undefined` for anything else: who can damage
 * a pin can delete it too, so a damaged one counts as none.
 *
 * @throws KeymuxError `vault_locked`
 */
export function decodePin(keyring: Keyring, text: string): Pin | undefined {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text
  if (!line.startsWith(PREFIX) || line.length > PREFIX.length + 2 * PIN_BYTES) return undefined
  const bytes = fromBase64url(line.slice(PREFIX.length), PIN_BYTES)
  if (bytes === undefined || !keyring.vaultId.equals(bytes.subarray(0, VAULT_ID_BYTES))) return undefined
  if (!keyring.verifyMac(bytes.subarray(MAC_AT), 'pin mac', bytes.subarray(0, MAC_AT))) return undefined
  const sequence = readU64(bytes, SEQUENCE_AT)
  const auditSequence = readU64(bytes, AUDIT_SEQUENCE_AT)
  if (sequence === undefined || auditSequence === undefined) return undefined
  return {
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

/** Whether the vault whose manifest this is lies before what was last seen of it, or beside it. */
export function isBehind(pin: Pin, manifest: Manifest): boolean {
  const verdict = comparePin(pin, manifest)
  return verdict === 'rolled_back' || verdict === 'forked'
}
