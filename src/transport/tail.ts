/** So much of the end is kept at least: a last event, and what may follow it. */
const KEPT_BYTES = 16_384
/** What is kept is cut down to that when there is twice as much of it. */
const MOST_BYTES = 2 * KEPT_BYTES
/** Many streams are no longer than this. */
const FIRST_BYTES = 2_048
/** An event tells in its first bytes what it is. */
const HEAD_BYTES = 512

/**
 * The end of a body, whatever its length: what it ended with is looked at once it is over. Until then a chunk costs next
 * to nothing.
 */
export class Tail {
  /** Copied: chunks that were kept would outlive their delivery, and cost the collector more than this. */
  #kept = Buffer.allocUnsafe(FIRST_BYTES)
  #size = 0
  #head: Buffer | undefined

  push(chunk: Buffer): void {
    const size = this.#size + chunk.length
    if (size > MOST_BYTES) this.#cut(Buffer.concat([this.#bytes(), chunk]))
    else {
      if (size > this.#kept.length) this.#grow(size)
      chunk.copy(this.#kept, this.#size)
      this.#size = size
    }
  }

  /** The beginning of the event that reaches into what is kept; `undefined` where that is the whole body. */
  get head(): string | undefined {
    const [event] = this.#head === undefined ? [] : withLineFeeds(this.#head).split('\n\n', 1)
    return event
  }

  /** What is kept, with one line feed for every end of a line. */
  text(): string {
    return withLineFeeds(this.#bytes())
  }

  #bytes(): Buffer {
    return this.#kept.subarray(0, this.#size)
  }

  #grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(MOST_BYTES, Math.max(size, this.#kept.length * 2)))
    this.#bytes().copy(larger)
    this.#kept = larger
  }

  #cut(all: Buffer): void {
    const from = beforeLineEnds(all, Math.max(0, all.length - KEPT_BYTES))
    if (from > 0) {
      const start = startOfEvent(all, from)
      if (start !== undefined || this.#head === undefined) {
        this.#head = Buffer.from(all.subarray(start ?? 0, (start ?? 0) + HEAD_BYTES))
      }
    }
    this.#size = all.length - from
    if (this.#size > this.#kept.length) this.#grow(this.#size)
    all.copy(this.#kept, 0, from)
  }
}

function withLineFeeds(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
}

/** The ends of two lines, as CR LF. */
const LONGEST_BLANK_LINE = 4

/** A blank line must not be cut in two: where the next event begins could not be seen any more. */
function beforeLineEnds(bytes: Buffer, from: number): number {
  let at = from
  while (at > 0 && from - at < LONGEST_BLANK_LINE && (bytes[at - 1] === 0x0a || bytes[at - 1] === 0x0d))
    at -= 1
  return at
}

const BLANK_LINES = ['\n\n', '\n\r\n', '\r\r'].map((text) => Buffer.from(text))

/** Where the last event before `end` begins; `undefined` where it began before all of this. */
function startOfEvent(bytes: Buffer, end: number): number | undefined {
  const starts = BLANK_LINES.map((line) => {
    const at = bytes.lastIndexOf(line, end - line.length)
    return at < 0 ? -1 : at + line.length
  })
  const last = Math.max(...starts)
  return last < 0 ? undefined : last
}
