import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { AnswerBody, BodySink } from './types.js'

/** Decodes as the bytes arrive, as far as they go: a stream must not wait for its end. */
const FLUSHING = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }

/** A body with its codings (RFC 9110 section 8.4) undone; the same body where one of them is not known. */
export function decodedBody(body: AnswerBody, codings: string): AnswerBody {
  const names = codings
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  const known = names.every((name) => decoderOf(name) !== undefined)
  return known ? names.reduceRight<AnswerBody>((inner, name) => new Decoded(inner, name), body) : body
}

class Decoded implements AnswerBody {
  readonly #inner: AnswerBody
  readonly #decoder: Transform

  constructor(inner: AnswerBody, name: string) {
    this.#inner = inner
    this.#decoder = decoderOf(name)?.() ?? createGunzip(FLUSHING)
  }

  whole(): undefined {
    return undefined
  }

  pipe(sink: BodySink): void {
    const decoder = this.#decoder
    decoder.on('data', (chunk: Buffer) => {
      if (!sink.data(chunk)) decoder.pause()
    })
    decoder.once('end', () => sink.end())
    decoder.once('error', (error) => {
      this.#inner.cancel(error)
      sink.fail(error)
    })
    decoder.on('drain', () => this.#inner.resume())
    this.#inner.pipe({
      data: (chunk) => decoder.write(chunk),
      end: () => decoder.end(),
      fail: (error) => decoder.destroy(error instanceof Error ? error : new Error('the body broke off')),
    })
  }

  resume(): void {
    this.#decoder.resume()
  }

  cancel(reason?: unknown): void {
    this.#inner.cancel(reason)
    this.#decoder.destroy()
  }
}

function decoderOf(name: string): (() => Transform) | undefined {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return () => createGunzip(FLUSHING)
    case 'deflate':
      return () => createInflate(FLUSHING)
    case 'br':
      return () =>
        createBrotliDecompress({
          flush: constants.BROTLI_OPERATION_FLUSH,
          finishFlush: constants.BROTLI_OPERATION_FLUSH,
        })
    default:
      return undefined
  }
}
