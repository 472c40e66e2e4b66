import type { AnswerOver, BodyKind, HowOver } from './answer-verdict.js'
import { bodyKind, type GateContext, isCoded } from './gate.js'
import { headerValue } from './headers.js'
import { Tail } from './tail.js'
import { TailDecoder } from './tail-decoder.js'

const OPEN_BRACKET = 0x5b

/** Watches an answer go by, and tells how it ended. */
export class AnswerWatch {
  readonly #context: GateContext
  readonly #kind: BodyKind
  #tail: Tail | undefined
  readonly #decoder: TailDecoder | undefined
  #begun = false
  #how: HowOver | undefined
  #follower: ((over: AnswerOver) => void) | undefined

  constructor(context: GateContext) {
    this.#context = context
    this.#kind = bodyKind(context.headers)
    if (this.#kind !== 'events') return
    this.#tail = new Tail()
    if (!isCoded(context.headers)) return
    this.#decoder = new TailDecoder(this.#tail, headerValue(context.headers, 'content-encoding') ?? '')
  }

  push(chunk: Buffer): void {
    if (!this.#begun) this.#begin(chunk)
    if (this.#decoder !== undefined) this.#decoder.push(chunk)
    else this.#tail?.push(chunk)
  }

  /** It is over. Only the first time counts. */
  end(how: HowOver): void {
    if (this.#how !== undefined) return
    this.#how = how
    this.#tell()
  }

  /** Sets who is told, once: at once where it is over. What is encoded is told when it has been decoded. */
  follow(follower: (over: AnswerOver) => void): void {
    this.#follower = follower
    this.#tell()
  }

  /** How it ended, where it has and that can be told at once. */
  get over(): AnswerOver | undefined {
    return this.#how === undefined || this.#decoder !== undefined
      ? undefined
      : this.#describe(this.#how, this.#tail)
  }

  /** What it said last, where one more event can be put after that. */
  get open(): Tail | undefined {
    const isPlain =
      this.#decoder === undefined && headerValue(this.#context.headers, 'content-length') === undefined
    return isPlain && this.#kind === 'events' ? this.#tail : undefined
  }

  /** Of JSON the end matters where it is a list that is streamed: it has its error last. */
  #begin(chunk: Buffer): void {
    this.#begun = true
    if (this.#kind === 'json' && chunk[0] === OPEN_BRACKET) this.#tail = new Tail()
  }

  #tell(): void {
    const [how, follower] = [this.#how, this.#follower]
    if (how === undefined || follower === undefined) return
    this.#follower = undefined
    if (this.#decoder === undefined) follower(this.#describe(how, this.#tail))
    else this.#decoder.end((tail) => follower(this.#describe(how, tail)))
  }

  #describe(how: HowOver, tail: Tail | undefined): AnswerOver {
    return { how, tail, kind: this.#kind, context: this.#context }
  }
}
