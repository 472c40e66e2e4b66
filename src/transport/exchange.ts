import type { Duplex } from 'node:stream'
import type { AnswerBody, BodySink, EndSignal, RawHeaders } from '../domain/forwarding.js'
import type { AnswerOver, HowOver } from './answer-verdict.js'
import { AnswerWatch } from './answer-watch.js'
import { type Gate, type GateContext, gateFor, HELD_BYTES, type Ruling } from './gate.js'
import { handshakeFault, type Offer } from './handshake.js'
import { headerValue } from './headers.js'
import { statusOf } from './session-judge.js'
import { Silence } from './silence.js'
import type { Tail } from './tail.js'
import { type Opening, Tunnel } from './tunnel.js'
import type { Timers, UpstreamConnection, UpstreamHandler } from './types.js'

/** What a try came to: an answer to pass on, a failure, or none because the connection broke or nothing came. */
export type Outcome =
  | Exclude<Ruling, { readonly kind: 'hold' }>
  | { readonly kind: 'broken'; readonly error: unknown }
  | { readonly kind: 'silent' }

/** What an exchange is given. */
export interface ExchangeOptions extends Omit<GateContext, 'status' | 'headers'> {
  readonly timers: Timers
  /**
   * How long the upstream may be silent before its answer begins, in milliseconds, once it has the request. After ten
   * times as long it is given up.
   */
  readonly patienceMs: number
  /** How long it may be silent once its answer is passed on, in milliseconds. */
  readonly idleMs: number
  /** The last event for a caller whose answer has stopped; none where only a connection that breaks can tell it. */
  readonly lastEvent: (tail: Tail, how: HowOver) => Buffer | undefined
  /** The caller's signal: ends the exchange at any time. */
  readonly signal: EndSignal | undefined
  /** What it offers, where it asks for a WebSocket session. */
  readonly offer?: Offer | undefined
}

/**
 * One request to an upstream and its answer. The answer is held back, in memory and at most `HELD_BYTES` of
 * it, until it is clear what it is; then it is read as a body, or discarded.
 */
export class Exchange implements UpstreamHandler, AnswerBody {
  /** What it comes to; `undefined` when it has been silent for too long to wait for it alone. */
  readonly outcome: Promise<Outcome | undefined>
  status = 0
  statusText = ''
  headers: RawHeaders = []
  /** The session, where the upstream has changed protocols. */
  tunnel: Tunnel | undefined
  readonly #options: ExchangeOptions
  #settle: ((outcome: Outcome | undefined) => void) | undefined
  #inTheEnd: Promise<Outcome> | undefined
  #connection: UpstreamConnection | undefined
  #gate: Gate | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  #sink: BodySink | undefined
  #ended = false
  #failure: { readonly error: unknown } | undefined
  #paused = false
  #cancelTimer: () => void
  /** Of an answer that is none of an error. */
  #watch: AnswerWatch | undefined
  #silence: Silence | undefined
  #onOver: (() => void) | undefined
  readonly #abort = (): void => this.cancel(this.#options.signal?.reason)

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#cancelTimer = this.#startTimer()
    options.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** What one that is late comes to. */
  get inTheEnd(): Promise<Outcome> {
    return this.#inTheEnd ?? Promise.reject(new Error('this exchange is not late'))
  }

  /** The request is still going out, one more piece of it is handed over: the upstream's time begins anew. */
  sending(): void {
    if (this.#settle === undefined || this.status !== 0) return
    this.#cancelTimer()
    this.#cancelTimer = this.#startTimer()
  }

  /** The request waits for its caller: that is not the upstream's time. */
  waiting(): void {
    if (this.status === 0) this.#cancelTimer()
  }

  start(connection: UpstreamConnection): void {
    this.#connection = connection
    if (this.#failure !== undefined) connection.abort(asError(this.#failure.error))
  }

  head(status: number, statusText: string, headers: RawHeaders): void {
    // Informational answers (RFC 9110 section 15.2) come before the real one.
    if (this.#settle === undefined || (status >= 100 && status < 200)) return
    this.status = status
    // Other characters cannot be passed on: servers and `Response` refuse them.
    this.statusText = /^[\t\x20-\x7e]*$/.test(statusText) ? statusText : ''
    this.headers = headers
    const { provider, family, failureFamily, model, now, offer, due, rules } = this.#options
    if (offer !== undefined && status < 400) {
      this.#decide({
        kind: 'senseless',
        message: `it answered with the status ${status} instead of a WebSocket`,
      })
      return
    }
    const context = { provider, family, failureFamily, model, now, status, headers, due, rules }
    if (status < 400) this.#watch = new AnswerWatch(context)
    const gate = gateFor(context)
    if ('kind' in gate) this.#rule(gate)
    else this.#gate = gate
  }

  data(chunk: Buffer): void {
    this.#silence?.heard()
    this.#watch?.push(chunk)
    if (this.#sink !== undefined) {
      if (!this.#sink.data(chunk)) this.#pause()
      return
    }
    if (this.#failure !== undefined) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#settle !== undefined && this.#gate !== undefined) {
      this.#rule(this.#gate.data(chunk, () => this.#joined()))
      if (this.#heldBytes >= HELD_BYTES) this.#conclude(false)
    }
    // Nobody reads yet: the upstream has to wait.
    if (this.#heldBytes >= HELD_BYTES) this.#pause()
  }

  end(): void {
    if (this.#ended || this.#failure !== undefined) return
    this.#ended = true
    this.#release()
    this.#conclude(true)
    this.#watch?.end('whole')
    this.#sink?.end()
  }

  error(error: unknown): void {
    this.#breakOff(error, 'broken')
  }

  upgraded(headers: RawHeaders, connection: Duplex): void {
    const { provider, family, failureFamily, now, rules, timers, offer } = this.#options
    // Nobody listens to it any more, and errors of nobody's end the process.
    connection.on('error', () => {})
    if (this.#settle === undefined || offer === undefined) {
      connection.destroy()
      return
    }
    this.status = 101
    this.statusText = 'Switching Protocols'
    this.headers = headers
    const protocol = headerValue(headers, 'sec-websocket-protocol')
    const context = { provider, family, failureFamily, now, rules }
    const tunnel = new Tunnel({ upstream: connection, protocol, context, timers })
    this.#connection = tunnel
    connection.once('close', () => this.#gone())
    const fault = handshakeFault(headers, offer)
    if (fault !== undefined) {
      this.#decide({ kind: 'senseless', message: fault })
      return
    }
    this.tunnel = tunnel
    if (!offer.greets) {
      this.#decide({ kind: 'release' })
      return
    }
    this.#cancelTimer()
    this.#cancelTimer = timers.deadline(GREETING_MS, () => this.#decide({ kind: 'release' }))
    tunnel.open((opening) => this.#opened(opening))
  }

  /** Gives the session away: from now on it ends by itself alone. */
  handOver(): Tunnel | undefined {
    this.#options.signal?.removeEventListener('abort', this.#abort)
    return this.tunnel
  }

  /** The connection of a session is closed. */
  #gone(): void {
    if (this.#ended || this.#failure !== undefined) return
    this.#ended = true
    this.#release()
  }

  /** A session that is refused by its first message is an answer with an error, as it would be over HTTP. */
  #opened(opening: Opening): void {
    if (opening.kind === 'begun') this.#decide({ kind: 'release' })
    else if (opening.kind === 'ended') {
      this.#decide({ kind: 'senseless', message: 'it ended the session before it began' })
    } else {
      const { stated } = opening.bad
      this.tunnel?.abort()
      this.tunnel = undefined
      if (stated === undefined) {
        this.#decide({ kind: 'senseless', message: opening.bad.message })
        return
      }
      this.status = statusOf(stated)
      this.statusText = ''
      this.headers = ['content-type', 'application/json']
      this.#held = [opening.payload]
      this.#ended = true
      this.#release()
      this.#decide({ kind: 'failed', verdict: stated })
    }
  }

  /**
   * Tells how the answer ended, before whoever reads it hears of the end: who asks again then meets what was learnt
   * from it. At once where it is over.
   */
  follow(follower: (over: AnswerOver) => void): void {
    this.#watch?.follow(follower)
  }

  /** Calls `run` when it is over, however that comes; at once where it is. */
  onOver(run: () => void): void {
    if (this.#ended || this.#failure !== undefined) run()
    else this.#onOver = run
  }

  /** How the answer ended, where it has. */
  get over(): AnswerOver | undefined {
    return this.#watch?.over
  }

  whole(): Buffer | undefined {
    return this.#ended && this.#sink === undefined ? this.#joined() : undefined
  }

  /** The beginning of the body, as far as it is held. */
  beginning(): Buffer {
    return this.#joined()
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    let wanted = true
    for (const chunk of held) wanted = sink.data(chunk) && wanted
    if (this.#ended) sink.end()
    else if (this.#failure !== undefined) sink.fail(this.#failure.error)
    else {
      this.#listen()
      if (wanted) this.resume()
      else this.#pause()
    }
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection?.resume()
  }

  cancel(reason: unknown = new Error('the answer is not wanted any more')): void {
    // The connection may tell of its end at once, later, or, while it is still being made, never.
    if (!this.#break(reason, 'unwanted')) return
    this.#held = []
    this.#connection?.abort(asError(reason))
    this.#sink?.fail(reason)
  }

  /** Time is up: what talks is taken as it is, what is silent is given up. */
  hurry(): void {
    if (this.#heldBytes > 0 || this.status >= 400) this.#conclude(false)
    else this.#tooLate()
  }

  /** Whether it was not over before. */
  #break(error: unknown, how: HowOver): boolean {
    if (this.#ended || this.#failure !== undefined) return false
    this.#failure = { error }
    this.#release()
    this.#decide({ kind: 'broken', error })
    this.#watch?.end(how)
    return true
  }

  #listen(): void {
    const { timers, idleMs } = this.#options
    const isPaused = (): boolean => this.#paused
    this.#silence = new Silence(timers, idleMs, isPaused, () => this.#fallSilent())
  }

  #fallSilent(): void {
    const error = new Error('the answer stopped')
    if (this.#breakOff(error, 'silent')) this.#connection?.abort(error)
  }

  /** What has begun is ended with an error that its reader understands, where one can be put. */
  #breakOff(error: unknown, how: HowOver): boolean {
    const open = this.#watch?.open
    const last = open && this.#options.lastEvent(open, how)
    if (!this.#break(error, how)) return false
    if (last === undefined) this.#sink?.fail(error)
    else {
      this.#sink?.data(last)
      this.#sink?.end()
    }
    return true
  }

  #pause(): void {
    if (this.#paused || this.#ended) return
    this.#paused = true
    this.#connection?.pause()
  }

  #tooLate(): void {
    this.#decide({ kind: 'silent' })
    this.cancel()
  }

  #startTimer(): () => void {
    const { timers, patienceMs } = this.#options
    return timers.deadline(patienceMs, () => this.#lookAgain())
  }

  /**
   * The time is over. An error is judged by what is there of it. Without a head it is late. After a head, half of that
   * time more shows whether the upstream still talks (keep-alives): then it has had time enough, and is passed on.
   */
  #lookAgain(): void {
    const { timers, patienceMs } = this.#options
    if (this.status >= 400) this.#conclude(false)
    else if (this.status === 0) this.#beLate(patienceMs)
    else {
      const before = this.#heldBytes
      this.#cancelTimer = timers.deadline(patienceMs / 2, () => {
        if (this.#heldBytes > before) this.#conclude(false)
        else this.#beLate(patienceMs * 1.5)
      })
    }
  }

  /** Who works on an answer may be as silent as who is gone: both are waited for, while others are asked. */
  #beLate(waitedMs: number): void {
    const { timers, patienceMs } = this.#options
    const tell = this.#settle
    if (tell === undefined) return
    if (this.#inTheEnd === undefined) {
      this.#inTheEnd = new Promise<Outcome>((resolve) => {
        this.#settle = (outcome) => outcome && resolve(outcome)
      })
      tell(undefined)
    }
    this.#cancelTimer = timers.deadline(patienceMs * PATIENCE - waitedMs, () => this.hurry())
  }

  #conclude(complete: boolean): void {
    if (this.#settle === undefined || this.#gate === undefined) return
    this.#rule(this.#gate.end(this.#joined(), complete))
  }

  #rule(ruling: Ruling): void {
    if (ruling.kind !== 'hold') this.#decide(ruling)
  }

  #decide(outcome: Outcome): void {
    const settle = this.#settle
    if (settle === undefined) return
    this.#settle = undefined
    this.#cancelTimer()
    settle(outcome)
  }

  /** The caller's signal means nothing to an exchange that is over. */
  #release(): void {
    this.#silence?.end()
    this.#onOver?.()
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  #joined(): Buffer {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)]
    return this.#held[0] ?? NOTHING
  }
}

const NOTHING = Buffer.alloc(0)
/** How long the first message of a session may take that comes unasked; it is had then all the same. */
const GREETING_MS = 2_000
/** So many times as long as an upstream is waited for alone it is waited for in all. */
const PATIENCE = 10

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('the request was ended')
}
