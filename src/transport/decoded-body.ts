import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import type { AnswerBody, BodySink } from '../domain/forwarding.js'
import { isZlib } from './decode.js'

/** Decodes as the bytes arrive, as far as they go: a stream must not wait for its end. */
const FLUSHING = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }

/** Each is a decoder of its own. As many as curl takes, and the Fetch standard's implementations. */
const MAX_CODINGS = 5

/**
 * A body with its codings (RFC 9110 section 8.4) undone; the same body where one of them is not known, or where
 * there are more than anybody uses.
 */
export function decodedBody(body: AnswerBody, codings: string): AnswerBody {
  const names = codings
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  const known = names.length <= MAX_CODINGS && names.every((name) => KNOWN.has(name))
  return known ? names.reduceRight<AnswerBody>((inner, name) => new Decoded(inner, name), body) : body
}

class Decoded implements AnswerBody {
  readonly #inner: AnswerBody
  readonly #name: string
  /** Made with the first bytes: they tell what `deflate` is meant. */
  #decoder: Transform | undefined
  #sink: BodySink | undefined

  constructor(inner: AnswerBody, name: string) {
    this.#inner = inner
    this.#name = name
  }

  whole(): undefined {
    return undefined
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    this.#inner.pipe({
      data: (chunk) => this.#decoding(chunk).write(chunk),
      end: () => this.#decoding().end(),
      fail: (error) => this.#decoding().destroy(asError(error)),
    })
  }

  resume(): void {
    this.#decoder?.resume()
  }

  cancel(reason?: unknown): void {
    this.#inner.cancel(reason)
    this.#decoder?.destroy()
  }

  #decoding(first?: Buffer): Transform {
    this.#decoder ??= this.#start(decoderOf(this.#name, first) ?? createGunzip(FLUSHING))
    return this.#decoder
  }

  #start(decoder: Transform): Transform {
    const sink = this.#sink
    if (sink === undefined) return decoder
    decoder.on('data', (chunk: Buffer) => {
      if (!sink.data(chunk)) decoder.pause()
    })
    decoder.once('end', () => sink.end())
    decoder.once('error', (error) => {
      this.#inner.cancel(error)
      sink.fail(error)
    })
    decoder.on('drain', () => this.#inner.resume())
    return decoder
  }
}

const KNOWN: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br'])

/** What undoes one coding; `undefined` for an unknown one. @param first the first bytes of the body, where there are any */
export function decoderOf(name: string, first: Buffer | undefined): Transform | undefined {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip(FLUSHING)
    case 'deflate':
      return first === undefined || isZlib(first) ? createInflate(FLUSHING) : createInflateRaw(FLUSHING)
    case 'br':
      return createBrotliDecompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      })
    default:
      return undefined
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('the body broke off')
}
