import { KeymuxError } from '../domain/errors.js'

/** The same memory as a Buffer; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Joins parts so that no two different lists of parts give the same bytes: each is preceded by its length
 * (32 bits, big-endian). Texts are UTF-8.
 */
export function lengthPrefixed(...parts: readonly (Uint8Array | string)[]): Buffer {
  const pieces: Uint8Array[] = []
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.byteLength)
    pieces.push(length, bytes)
  }
  return Buffer.concat(pieces)
}

/** Writes a non-negative safe integer as 64 bits, big-endian. */
export function writeU64(target: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new KeymuxError('internal_error', 'a counter of the vault is not a non-negative integer')
  }
  target.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  target.writeUInt32BE(value % 0x1_0000_0000, offset + 4)
}

/** Reads 64 bits, big-endian; `undefined` for what is no safe integer. */
export function readU64(source: Buffer, offset: number): number | undefined {
  const value = source.readUInt32BE(offset) * 0x1_0000_0000 + source.readUInt32BE(offset + 4)
  return Number.isSafeInteger(value) ? value : undefined
}

/** A non-negative safe integer as 8 bytes, big-endian. */
export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  writeU64(bytes, value, 0)
  return bytes
}

/**
 * Reads unpadded base64url strictly: `undefined` unless `text` is exactly what encoding the result gives,
 * and of `length` bytes where a length is asked for.
 */
export function fromBase64url(text: string, length?: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (length !== undefined && bytes.length !== length) return undefined
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** The error for bytes that keymux did not write, or that have changed since. */
export function corrupt(what: string): KeymuxError {
  return new KeymuxError('vault_corrupt', `${what} is damaged`, {
    hint: 'run keymux vault check, or restore a backup',
  })
}
