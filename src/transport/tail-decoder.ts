import type { Transform } from 'node:stream'
import { decoderOf } from './decoded-body.js'
import type { Tail } from './tail.js'

/** Reads the end of a body that is encoded, beside its delivery. */
export class TailDecoder {
  readonly #tail: Tail
  readonly #name: string
  #decoder: Transform | undefined
  #failed = false

  constructor(tail: Tail, coding: string) {
    this.#tail = tail
    this.#name = coding.trim().toLowerCase()
  }

  push(chunk: Buffer): void {
    this.#decoder ??= this.#start(chunk)
    if (!this.#failed) this.#decoder?.write(chunk)
  }

  /** Calls `done` with what it ended with; with nothing where that cannot be read. */
  end(done: (tail: Tail | undefined) => void): void {
    const decoder = this.#decoder
    const tell = (): void => done(this.#failed ? undefined : this.#tail)
    if (decoder === undefined || this.#failed) tell()
    else decoder.once('close', tell).end()
  }

  #start(first: Buffer): Transform | undefined {
    const decoder = decoderOf(this.#name, first)
    if (decoder === undefined) this.#failed = true
    decoder?.on('data', (chunk: Buffer) => this.#tail.push(chunk))
    decoder?.once('error', () => {
      this.#failed = true
    })
    return decoder
  }
}
