import type { Readable, Writable } from 'node:stream'
import { KeymuxError } from '../../domain/errors.js'

/** Where text goes. */
export interface TextSink {
  readonly isTTY: boolean
  /** Width in cells, where it is a terminal. */
  readonly columns: number | undefined
  /** Whether the reader has gone: writing is then in vain, and no error. */
  readonly closed: boolean
  write(text: string): void
  /** Resolves when everything written has been handed over. @throws KeymuxError `output_failed` */
  flush(): Promise<void>
}

/** Where bytes come from. */
export interface ByteSource {
  readonly isTTY: boolean
  /** Reads to the end, or until there are more than `limit` bytes; the chunks are not copied elsewhere. */
  read(limit: number): Promise<Uint8Array>
  /** Its lines as they arrive, without their ends; over when one is longer than `limit` bytes. */
  lines(limit: number): AsyncIterable<string>
}

/** A sink on a stream of Node's. A closed pipe is not an error; any other failure shows at the next flush. */
export function nodeSink(stream: Writable & { isTTY?: boolean; columns?: number }): TextSink {
  let closed = false
  let failure: NodeJS.ErrnoException | undefined
  stream.on('error', (error: NodeJS.ErrnoException) => {
    closed = true
    if (!isClosedPipe(error)) failure = error
  })
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      // Some pseudo-terminals say 0 before anybody has told them their size.
      return stream.isTTY === true && stream.columns !== 0 ? stream.columns : undefined
    },
    get closed() {
      return closed
    },
    write(text) {
      if (!closed && text !== '') stream.write(text)
    },
    async flush() {
      if (!closed) await new Promise<void>((resolve) => stream.write('', () => resolve()))
      // The error event follows the callback.
      await new Promise((resolve) => setImmediate(resolve))
      if (failure === undefined) return
      const cause = failure
      failure = undefined
      throw new KeymuxError(
        'output_failed',
        `the output cannot be written (${cause.code ?? cause.message})`,
        {
          hint: 'nothing more was printed; what the command changed stands',
        },
      )
    },
  }
}

/** A source on standard input, opened only when it is read. */
export function nodeSource(open: () => Readable & { isTTY?: boolean }): ByteSource {
  return {
    get isTTY() {
      return open().isTTY === true
    },
    async read(limit) {
      const chunks: Uint8Array[] = []
      let size = 0
      for await (const chunk of open()) {
        const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
        chunks.push(bytes)
        size += bytes.byteLength
        if (size > limit) break
      }
      return Buffer.concat(chunks)
    },
    lines: (limit) => linesOf(open(), limit),
  }
}

async function* linesOf(stream: Readable, limit: number): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const text: string = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.length <= limit) yield line
    if (rest.length > limit) return
  }
  if (rest !== '') yield rest
}

// EPIPE on POSIX; Windows says EOF or, for a vanished console, EBADF. ECONNRESET is a closed socket pair.
function isClosedPipe(error: NodeJS.ErrnoException): boolean {
  return ['EPIPE', 'EOF', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')
}
