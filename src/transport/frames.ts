/** Frames of RFC 6455 as they go by. */

/** Kinds of frames (RFC 6455 section 11.8). */
export const OPCODE = { text: 1, binary: 2, close: 8 } as const

const FIN = 0x80
const MASKED = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4
/** What is read of a message before it is known whether the rest is of interest. */
const BEGINNING_BYTES = 256
/** Larger messages are not read: 64 KiB, what classification looks at. */
const LARGEST_READ = 65_536
const LARGEST_REASON = 123
const NO_CODE = 1005

/** Who reads along. */
export interface FrameReader {
  /** Whether a whole message that begins like this is to be read. */
  wants(beginning: Buffer): boolean
  /** A message that was wanted. */
  message(payload: Buffer): void
  /** The sender ends the session. 1005 where no code is given (RFC 6455 section 7.4.1). */
  close(code: number, reason: string): void
}

/** A frame that is being read. */
interface Reading {
  readonly isClose: boolean
  readonly mask: Buffer | undefined
  readonly length: number
  /** Once it is known that all of it is wanted. */
  wanted: boolean
  /** Room for its beginning, or for all of it. */
  bytes: Buffer
  filled: number
}

/**
 * Follows the frames of one direction, in whatever pieces they come. Messages of one frame that are small enough are
 * read as far as somebody wants them, all others are stepped over; nothing is held but what is read.
 */
export class FrameScanner {
  readonly #reader: FrameReader
  #header: Buffer = Buffer.alloc(0)
  /** What is still to come of the frame's payload. */
  #left = 0
  #reading: Reading | undefined

  constructor(reader: FrameReader) {
    this.#reader = reader
  }

  /** Whether the last frame is whole: another one may be put here. */
  get isBetweenFrames(): boolean {
    return this.#left === 0 && this.#header.length === 0
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      at = this.#left === 0 ? this.#takeHeader(chunk, at) : this.#takePayload(chunk, at)
    }
  }

  /** Gives the place after what was taken. */
  #takeHeader(chunk: Buffer, at: number): number {
    const before = this.#header.length
    let head = before === 0 ? chunk.subarray(at, at + 2) : this.#header
    let taken = before === 0 ? head.length : 0
    const needed = (): number => (head.length < 2 ? 2 : headerBytes(head))
    while (head.length < needed() && at + taken < chunk.length) {
      const more = chunk.subarray(at + taken, at + taken + needed() - head.length)
      head = Buffer.concat([head, more])
      taken += more.length
    }
    if (head.length < needed()) {
      this.#header = Buffer.from(head)
      return at + taken
    }
    this.#header = Buffer.alloc(0)
    this.#begin(head)
    return at + taken
  }

  #begin(head: Buffer): void {
    const length = payloadBytes(head)
    const opcode = (head[0] ?? 0) & 0x0f
    const isWhole = ((head[0] ?? 0) & FIN) !== 0
    const isClose = opcode === OPCODE.close
    const isMessage = opcode === OPCODE.text || opcode === OPCODE.binary
    this.#left = length
    this.#reading = undefined
    if (!isWhole || length > LARGEST_READ || !(isClose || isMessage)) return
    const mask = ((head[1] ?? 0) & MASKED) === 0 ? undefined : Buffer.from(head.subarray(-MASK_BYTES))
    const bytes = Buffer.alloc(Math.min(length, BEGINNING_BYTES))
    this.#reading = { isClose, mask, length, wanted: false, bytes, filled: 0 }
    if (length === 0) this.#decide(this.#reading)
  }

  #takePayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left)
    this.#left -= end - at
    this.#read(chunk, at, end)
    return end
  }

  #read(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const reading = this.#reading
      if (reading === undefined) return
      const copied = chunk.copy(reading.bytes, reading.filled, at, end)
      reading.filled += copied
      at += copied
      if (reading.filled === reading.bytes.length) this.#decide(reading)
    }
  }

  /** The beginning is here, or all of it. */
  #decide(reading: Reading): void {
    const { bytes, mask, isClose, length, filled } = reading
    if (!reading.wanted && !isClose && !this.#reader.wants(plain(bytes, mask))) {
      this.#reading = undefined
      return
    }
    reading.wanted = true
    if (filled === length) this.#end(reading)
    else reading.bytes = Buffer.concat([bytes], length)
  }

  #end({ isClose, bytes, mask }: Reading): void {
    this.#reading = undefined
    const payload = plain(bytes, mask)
    if (!isClose) this.#reader.message(payload)
    else if (payload.length < 2) this.#reader.close(NO_CODE, '')
    else this.#reader.close(payload.readUInt16BE(0), payload.toString('utf8', 2))
  }
}

/** How long a header is, by its first two bytes. */
function headerBytes(head: Buffer): number {
  const second = head[1] ?? 0
  const length = second & 0x7f
  const extended = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0
  return 2 + extended + ((second & MASKED) === 0 ? 0 : MASK_BYTES)
}

function payloadBytes(head: Buffer): number {
  const length = (head[1] ?? 0) & 0x7f
  if (length === LENGTH_16) return head.readUInt16BE(2)
  return length === LENGTH_64 ? Number(head.readBigUInt64BE(2)) : length
}

function plain(bytes: Buffer, mask: Buffer | undefined): Buffer {
  if (mask === undefined) return bytes
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index % MASK_BYTES] ?? 0)))
}

/** A Close frame. With a mask it is a client's. */
export function closeFrame(code: number, reason: string, mask?: Buffer): Buffer {
  const text = Buffer.from(reason).subarray(0, LARGEST_REASON)
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), text])
  const head = [FIN | OPCODE.close, payload.length | (mask === undefined ? 0 : MASKED)]
  return Buffer.concat([Buffer.from(head), mask ?? Buffer.alloc(0), plain(payload, mask)])
}
