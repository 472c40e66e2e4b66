import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

/** The most that is decoded: what classification looks at. More is a bomb, or is not needed. */
const MOST_BYTES = 1_048_576

const FLUSHED = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MOST_BYTES }

/**
 * Decodes the beginning of a body, as far as it is there. `undefined` when that is impossible: an unknown
 * coding, broken data, or far more than it seems to be.
 */
export function decodeBeginning(bytes: Buffer, coding: string | undefined): Buffer | undefined {
  try {
    switch (coding?.trim().toLowerCase()) {
      case undefined:
      case '':
      case 'identity':
        return bytes
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(bytes, FLUSHED)
      case 'deflate':
        return inflated(bytes)
      case 'br':
        return brotliDecompressSync(bytes, {
          finishFlush: constants.BROTLI_OPERATION_FLUSH,
          maxOutputLength: MOST_BYTES,
        })
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}

/** `deflate` is the zlib format (RFC 9110 section 8.4.1.2); some servers leave its wrapper out. */
export function isZlib(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x0f) === 0x08
}

function inflated(bytes: Buffer): Buffer {
  return isZlib(bytes) ? inflateSync(bytes, FLUSHED) : inflateRawSync(bytes, FLUSHED)
}
