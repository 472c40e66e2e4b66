import type { Readable } from 'node:stream'
import { KeymuxError } from '../domain/errors.js'
import type { EndSignal, RequestBody } from '../domain/forwarding.js'
import { unlessEnded } from './ending.js'

/** Options of holding a body. */
export interface HoldOptions {
  /** The most bytes that are kept so that the request can be sent a second time. */
  readonly limit: number
  /** The length that the request states. */
  readonly length?: number | undefined
  readonly signal?: EndSignal | undefined
}

/** A body that will be sent once anyway is looked into as far as this, for the model it names. */
const PEEK_BYTES = 65_536

/**
 * Reads a body up to the limit.
 *
 * @throws KeymuxError `aborted` when the body breaks off; the signal's reason
 */
export async function holdBody(
  source: AsyncIterable<Uint8Array>,
  options: HoldOptions,
): Promise<RequestBody> {
  const iterator = source[Symbol.asyncIterator]()
  const keep = bytesToKeep(options)
  const held: Uint8Array[] = []
  try {
    for (let size = 0; size <= keep; ) {
      const next = await unlessEnded(iterator.next(), options.signal)
      if (next.done === true) return { bytes: joined(held) }
      held.push(next.value)
      size += next.value.byteLength
    }
  } catch (error) {
    iterator.return?.().catch(() => undefined)
    throw error
  }
  return partial(held, { [Symbol.asyncIterator]: () => iterator }, options)
}

/** {@link holdBody} for Node's streams, such as the requests of a server: several times as fast. */
export function holdStream(stream: Readable, options: HoldOptions): Promise<RequestBody> {
  const keep = bytesToKeep(options)
  const held: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      stream.off('data', data).off('end', end).off('error', broken).off('close', broken)
      options.signal?.removeEventListener('abort', abort)
      outcome()
    }
    const data = (chunk: Buffer): void => {
      held.push(chunk)
      size += chunk.length
      if (size <= keep) return
      stream.pause()
      // From here to its next reader nobody else would hear of it.
      stream.on('error', () => undefined)
      // Whoever stops reading leaves the connection alone: the answer still goes over it.
      const rest = { [Symbol.asyncIterator]: () => stream.iterator({ destroyOnReturn: false }) }
      settle(() => resolve(partial(held, rest, options)))
    }
    const end = (): void => settle(() => resolve({ bytes: joined(held) }))
    const broken = (): void => {
      settle(() => reject(new KeymuxError('aborted', 'the request ended before its body did')))
    }
    const abort = (): void => settle(() => reject(options.signal?.reason))
    if (options.signal?.aborted === true) return abort()
    if (stream.readableEnded) return end()
    stream.on('data', data).on('end', end).on('error', broken).on('close', broken)
    options.signal?.addEventListener('abort', abort, { once: true })
  })
}

/** A body that is in memory already. */
export function wholeBody(bytes: Uint8Array): RequestBody {
  return { bytes: buffer(bytes) }
}

function bytesToKeep({ limit, length }: HoldOptions): number {
  return length !== undefined && length > limit ? Math.min(PEEK_BYTES, limit) : limit
}

function partial(
  held: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
  { length }: HoldOptions,
): RequestBody {
  return { bytes: joined(held), rest, ...(length === undefined ? {} : { length }) }
}

function joined(chunks: readonly Uint8Array[]): Buffer {
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? buffer(only) : Buffer.concat(chunks)
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
