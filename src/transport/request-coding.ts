import * as zlib from 'node:zlib'
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { KeymuxError } from '../domain/errors.js'
import type { ForwardRequest, RawHeaders } from '../domain/forwarding.js'
import { isZlib } from './decode.js'

/** The largest body that is read in decoded form, in bytes; a larger one is a bomb. */
const MOST_BYTES = 64 * 1024 * 1024
const LIMIT = { maxOutputLength: MOST_BYTES }
/** Nobody codes a body more often than that. */
const MOST_CODINGS = 3

type Decode = (bytes: Buffer) => Buffer | Promise<Buffer>

const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: (bytes) => gunzipSync(bytes, LIMIT),
  'x-gzip': (bytes) => gunzipSync(bytes, LIMIT),
  deflate: (bytes) => (isZlib(bytes) ? inflateSync(bytes, LIMIT) : inflateRawSync(bytes, LIMIT)),
  br: (bytes) => brotliDecompressSync(bytes, LIMIT),
  zstd: decodeZstd,
}

/** The codings of a body in the order in which they were applied (RFC 9110, 8.4), in lower case; none for most. */
export function codingsOf(headers: RawHeaders): string[] {
  const codings: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length !== 16 || name.toLowerCase() !== 'content-encoding') continue
    for (const coding of (headers[index + 1] ?? '').split(',')) codings.push(coding.trim().toLowerCase())
  }
  return codings.filter((coding) => coding !== '' && coding !== 'identity')
}

/**
 * A request's body without its codings; `undefined` for one that is not whole.
 *
 * @throws KeymuxError `unsupported_coding` for what is coded in no way that is known, broken, or too large
 */
export async function decodedBody(
  { body }: ForwardRequest,
  codings: readonly string[],
): Promise<Buffer | undefined> {
  if (codings.length > MOST_CODINGS || codings.some((coding) => !Object.hasOwn(DECODERS, coding))) {
    throw unreadable('its coding is not known')
  }
  if (body === undefined || body.rest !== undefined) return undefined
  let bytes = body.bytes
  try {
    for (const coding of [...codings].reverse()) bytes = (await DECODERS[coding]?.(bytes)) ?? bytes
  } catch {
    throw unreadable('it is broken, or too large')
  }
  return bytes
}

function unreadable(why: string): KeymuxError {
  return new KeymuxError('unsupported_coding', `the coded body of the request cannot be read: ${why}`, {
    hint: 'send it as it is, or with gzip, br, deflate or zstd',
  })
}

/** Node 22.15 and later can, earlier ones cannot. */
async function decodeZstd(bytes: Buffer): Promise<Buffer> {
  if ('zstdDecompressSync' in zlib && typeof zlib.zstdDecompressSync === 'function') {
    return zlib.zstdDecompressSync(bytes, LIMIT)
  }
  const { Decompress } = await import('fzstd')
  const pieces: Uint8Array[] = []
  let size = 0
  const stream = new Decompress((piece) => {
    size += piece.length
    if (size > MOST_BYTES) throw new RangeError('too large')
    pieces.push(piece)
  })
  // In pieces, so that a bomb is known before it has unfolded.
  for (let at = 0; at < bytes.length; at += 65_536) {
    stream.push(bytes.subarray(at, at + 65_536), at + 65_536 >= bytes.length)
  }
  return Buffer.concat(pieces)
}
