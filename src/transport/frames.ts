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
  wanted: boolean
  bytes: Buffer
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
    this.#reading = { isClose, mask, wanted: isClose, bytes: Buffer.alloc(0) }
    if (length === 0) this.#end()
  }

  #takePayload(chunk: Buffer, at: number): number {
    const piece = chunk.subarray(at, at + this.#left)
    this.#left -= piece.length
    const reading = this.#reading
    if (reading !== undefined) {
      reading.bytes = reading.bytes.length === 0 ? Buffer.from(piece) : Buffer.concat([reading.bytes, piece])
      this.#decide(reading)
      if (this.#left === 0) this.#end()
    }
    return at + piece.length
  }

  #decide(reading: Reading): void {
    if (reading.wanted || (reading.bytes.length < BEGINNING_BYTES && this.#left > 0)) return
    reading.wanted = this.#reader.wants(plain(reading.bytes.subarray(0, BEGINNING_BYTES), reading.mask))
    if (!reading.wanted) this.#reading = undefined
  }

  #end(): void {
    const reading = this.#reading
    this.#reading = undefined
    if (reading?.wanted !== true) return
    const payload = plain(reading.bytes, reading.mask)
    if (!reading.isClose) this.#reader.message(payload)
    else if (payload.length < 2) this.#reader.close(1005, '')
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
