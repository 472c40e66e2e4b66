import { KeymuxError } from '../domain/errors.js'

const STEP = 128
const LENGTH_BYTES = 4

/** The largest piece of data that one record may hold: 16 MiB. */
export const MAX_PART_BYTES: number = 16 * 1024 * 1024

/** Gives the padded size for a size in bytes. */
export type Buckets = (size: number) => number

/** Metadata: multiples of 128 bytes up to 1 KiB, powers of two beyond. */
export function metaBucket(size: number): number {
  return size <= 1024 ? Math.max(1, Math.ceil(size / STEP)) * STEP : secretBucket(size)
}

/** Secrets: 128 bytes, 256, 512, 1024 and so on. A provider's key formats then mostly share one size. */
export function secretBucket(size: number): number {
  let bucket = STEP
  while (bucket < size) bucket *= 2
  return bucket
}

/**
 * Lays `data` out as [`reserved` zero bytes][length u32][data][zeros] so that only the bucket shows.
 *
 * @throws KeymuxError `invalid_value` beyond {@link MAX_PART_BYTES}
 */
export function pad(data: Uint8Array, buckets: Buckets, reserved = 0): Buffer {
  if (data.byteLength > MAX_PART_BYTES) {
    throw new KeymuxError('invalid_value', 'a record of the vault may hold at most 16 MiB')
  }
  const head = reserved + LENGTH_BYTES
  const padded = Buffer.alloc(buckets(head + data.byteLength))
  padded.writeUInt32BE(data.byteLength, reserved)
  padded.set(data, head)
  return padded
}

/** The data in what {@link pad} made, as a view on it; `undefined` when the length cannot be right. */
export function unpad(padded: Buffer, reserved = 0): Buffer | undefined {
  const head = reserved + LENGTH_BYTES
  if (padded.length < head) return undefined
  const end = head + padded.readUInt32BE(reserved)
  return end > padded.length ? undefined : padded.subarray(head, end)
}
