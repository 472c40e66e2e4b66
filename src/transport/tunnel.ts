import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { AnswerTunnel, Line, TunnelOver } from '../domain/forwarding.js'
import type { OutcomeOrigin } from '../domain/usage.js'
import type { BadAnswer } from './answer-verdict.js'
import { closeFrame, FrameScanner } from './frames.js'
import {
  BROKEN,
  isTelling,
  judgeClose,
  judgeMessage,
  type SessionContext,
  type SessionVerdict,
} from './session-judge.js'
import type { Timers } from './types.js'

/** What is kept for a caller who is not there yet. */
const HELD_BYTES = 65_536
/** How long who was sent a Close frame may take to answer it, in milliseconds. */
const CLOSING_MS = 10_000
/** The same where keymux ends the session, and how long a frame under way may take to come to its end. */
const ENDING_MS = 2_000
/** Not every message names the model in its beginning, which alone is looked at. */
const SETUP_MODEL = /"model"\s*:\s*"(?:models\/)?([^"\\]{1,256})"/

/** What the first word of a session was: one of them, an end of it, or a failure. */
export type Opening =
  | { readonly kind: 'begun' }
  | { readonly kind: 'refused'; readonly bad: BadAnswer; readonly payload: Buffer }
  | { readonly kind: 'ended' }

/** What a session is made of. */
export interface TunnelOptions {
  /** The upstream's connection after its 101. */
  readonly upstream: Duplex
  readonly protocol: string | undefined
  readonly context: SessionContext
  readonly timers: Timers
}

/**
 * A session between a caller and an upstream. Bytes pass as they are, as fast as the slower side takes them; what the
 * upstream says is read on the way as far as it tells something about the account.
 */
export class Tunnel implements AnswerTunnel {
  readonly protocol: string | undefined
  origin: OutcomeOrigin | undefined
  /** The model that the client named in its first message. */
  model: string | undefined
  readonly #upstream: Duplex
  readonly #timers: Timers
  readonly #context: SessionContext
  readonly #fromUpstream: FrameScanner
  readonly #fromCaller: FrameScanner
  #held: Buffer[] = []
  #heldBytes = 0
  #caller: Line | undefined
  #opening: ((opening: Opening) => void) | undefined
  #verdict: ((verdict: NonNullable<SessionVerdict>) => void) | undefined
  /** Verdicts that nobody has been told of yet. */
  #verdicts: NonNullable<SessionVerdict>[] = []
  #lastWasBad = false
  #spoke = false
  #end: Pick<TunnelOver, 'by' | 'code'> | undefined
  #ending: { readonly code: number; readonly reason: string } | undefined
  #said = false
  #over: ((over: TunnelOver) => void) | undefined
  #callerBytes = 0
  #providerBytes = 0
  #open = new Set<'caller' | 'provider'>(['provider'])
  #cancelTimer: () => void = () => {}

  constructor({ upstream, protocol, context, timers }: TunnelOptions) {
    this.#upstream = upstream
    this.protocol = protocol
    this.#context = context
    this.#timers = timers
    this.#fromUpstream = new FrameScanner({
      wants: (beginning) => this.#wants(beginning),
      message: (payload) => this.#heard(judgeMessage(context, payload), payload),
      close: (code, reason) => {
        this.#heard(
          judgeClose(context, code, reason),
          Buffer.from(JSON.stringify({ error: { message: reason } })),
        )
        this.#closing('provider', code)
      },
    })
    this.#fromCaller = new FrameScanner({
      wants: (beginning) => this.#isSetup(beginning),
      message: () => {},
      close: (code) => this.#closing('caller', code),
    })
    upstream.on('data', (chunk: Buffer) => this.#down(chunk))
    upstream.on('end', () => this.#left('provider'))
    upstream.on('error', () => {})
    upstream.on('close', () => this.#closed('provider'))
  }

  /** Tells of the first word, or of the end where there was none. */
  open(told: (opening: Opening) => void): void {
    this.#opening = told
  }

  /** Is told from now on what the session says of the account. */
  follow(told: (verdict: NonNullable<SessionVerdict>) => void): void {
    this.#verdict = told
    for (const verdict of this.#verdicts.splice(0)) told(verdict)
  }

  join(caller: Line, early: Buffer, over: (end: TunnelOver) => void): void {
    this.#over = over
    this.#caller = caller
    this.#open.add('caller')
    caller.on('data', (chunk) => this.#up(chunk))
    caller.on('end', () => this.#left('caller'))
    caller.on('error', () => {})
    caller.on('close', () => this.#closed('caller'))
    caller.on('drain', () => this.#upstream.resume())
    this.#upstream.on('drain', () => caller.resume())
    const held = this.#held
    this.#held = []
    if (early.length > 0) this.#up(early)
    this.#upstream.resume()
    for (const chunk of held) if (!caller.write(chunk)) this.#upstream.pause()
    caller.resume()
    if (caller.destroyed) this.#closed('caller')
    if (!this.#open.has('provider')) this.#letGo()
    else if (this.#ending !== undefined) this.#say()
  }

  close(code: number, reason: string): void {
    if (this.#ending !== undefined) return
    this.#ending = { code, reason }
    this.#end ??= { by: 'keymux', code }
    this.#hurry(ENDING_MS)
    if (this.#caller === undefined) this.abort()
    else this.#say()
  }

  /** Ends it at once, without a word. */
  abort(): void {
    this.#upstream.destroy()
    this.#caller?.destroy()
  }

  pause(): void {
    this.#upstream.pause()
  }

  resume(): void {
    this.#upstream.resume()
  }

  #wants(beginning: Buffer): boolean {
    if (isTelling(this.#context, beginning)) return true
    this.#begin({ kind: 'begun' })
    return false
  }

  /** Only a client's first message can be one that sets a session up. */
  #isSetup(beginning: Buffer): boolean {
    if (this.#spoke || this.#context.family !== 'gemini') return false
    this.#spoke = true
    this.model = SETUP_MODEL.exec(beginning.toString('utf8'))?.[1]
    return false
  }

  #down(chunk: Buffer): void {
    this.#providerBytes += chunk.length
    if (this.#said) return
    this.#fromUpstream.push(chunk)
    if (this.#caller === undefined) {
      this.#held.push(chunk)
      this.#heldBytes += chunk.length
      if (this.#heldBytes >= HELD_BYTES) {
        this.#upstream.pause()
        this.#begin({ kind: 'begun' })
      }
      return
    }
    if (!this.#caller.write(chunk)) this.#upstream.pause()
    if (this.#ending !== undefined) this.#say()
  }

  #up(chunk: Buffer): void {
    this.#callerBytes += chunk.length
    this.#fromCaller.push(chunk)
    if (this.#said || !this.#open.has('provider')) return
    if (!this.#upstream.write(chunk)) this.#caller?.pause()
    if (this.#ending !== undefined) this.#say()
  }

  #begin(opening: Opening): void {
    const told = this.#opening
    this.#opening = undefined
    told?.(opening)
  }

  #heard(verdict: SessionVerdict, payload: Buffer): void {
    if (this.#opening !== undefined && verdict?.kind === 'bad') {
      this.#begin({ kind: 'refused', bad: verdict, payload })
      return
    }
    this.#begin({ kind: 'begun' })
    if (verdict === undefined) return
    // The Close frame that follows on an error says the same once more.
    const again = verdict.kind === 'bad' && this.#lastWasBad
    this.#lastWasBad = verdict.kind === 'bad'
    if (again) return
    if (this.#verdict === undefined) this.#verdicts.push(verdict)
    else this.#verdict(verdict)
  }

  #closing(by: 'caller' | 'provider', code: number): void {
    if (this.#said) {
      // The answer to our own.
      if (by === 'caller') this.#caller?.end()
      return
    }
    if (this.#end !== undefined) return
    this.#end = { by, code }
    this.#hurry(CLOSING_MS)
  }

  /** One side sends no more. */
  #left(by: 'caller' | 'provider'): void {
    if (by === 'caller') this.#upstream.end()
    else this.#caller?.end()
    if (this.#end === undefined) this.#broke(by)
    if (this.#ending === undefined) this.#hurry(CLOSING_MS)
  }

  #closed(by: 'caller' | 'provider'): void {
    if (!this.#open.delete(by)) return
    if (this.#end === undefined) this.#broke(by)
    if (by === 'provider') {
      this.#begin({ kind: 'ended' })
      this.#letGo()
    } else this.#upstream.destroy()
    if (this.#open.size > 0) return
    this.#cancelTimer()
    const over = this.#over
    this.#over = undefined
    const { by: ended = by, code } = this.#end ?? {}
    const bytes = { callerBytes: this.#callerBytes, providerBytes: this.#providerBytes }
    over?.(code === undefined ? { by: ended, ...bytes } : { by: ended, code, ...bytes })
  }

  /** The upstream is gone: what it has sent still goes to the caller. */
  #letGo(): void {
    this.#caller?.end()
    if (this.#open.has('caller')) this.#hurry(CLOSING_MS)
  }

  #broke(by: 'caller' | 'provider'): void {
    this.#end = { by }
    if (by === 'provider' && this.#opening === undefined) this.#heard(BROKEN, Buffer.alloc(0))
  }

  /** Puts our own Close frames where no other frame is in the way. */
  #say(): void {
    const ending = this.#ending
    if (this.#said || ending === undefined || !this.#fromUpstream.isBetweenFrames) return
    this.#said = true
    this.#caller?.write(closeFrame(ending.code, ending.reason))
    if (this.#fromCaller.isBetweenFrames) this.#upstream.write(closeFrame(1001, '', randomBytes(4)))
    this.#upstream.end()
    // Whoever sends nothing any more can be read to the end.
    this.#caller?.resume()
    this.#upstream.resume()
  }

  #hurry(ms: number): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#timers.after(ms, () => this.abort())
  }
}
