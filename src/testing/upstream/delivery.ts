import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type { Answer, Interruption, Pause } from './types.js'

interface Cut extends Interruption {
  readonly at: number
}

/** The sending of one answer, faults included. */
export class Delivery {
  /** Whether the answer's own script ended the connection. */
  cut = false
  readonly #response: ServerResponse
  readonly #gone: AbortSignal

  /** @param gone fires when there is nobody left to send to */
  constructor(response: ServerResponse, gone: AbortSignal) {
    this.#response = response
    this.#gone = gone
  }

  /** Resolves when everything has been handed to the connection, the script cut it, or the client is gone. */
  async send(answer: Answer): Promise<void> {
    const faults = answer.interruptions ?? []
    for (const fault of faults.filter(({ at }) => at === 'start')) {
      if (await this.#interrupt(fault)) return
    }
    if (answer.bare === true) return this.#sendBare(answer)
    const cuts = faults
      .filter((fault): fault is Cut => typeof fault.at === 'number')
      .sort((a, b) => a.at - b.at)
    this.#response.writeHead(answer.status, answer.headers)
    const whole = cuts.length === 0 ? wholeBody(answer) : undefined
    if (whole === undefined && !(await this.#sendPieces(answer, cuts))) return
    this.#response.end(whole)
  }

  /** Whether the body came to its proper end. */
  async #sendPieces(answer: Answer, cuts: Cut[]): Promise<boolean> {
    this.#response.flushHeaders()
    let sent = 0
    for (const piece of answer.pieces) {
      if (sent > 0) await this.#pause(answer.gapMs ?? 0)
      let rest = typeof piece === 'string' ? Buffer.from(piece) : piece
      for (let cut = cuts[0]; cut !== undefined && cut.at <= sent + rest.length; cut = cuts[0]) {
        cuts.shift()
        const head = rest.subarray(0, Math.max(0, cut.at - sent))
        await this.#write(head)
        sent += head.length
        rest = rest.subarray(head.length)
        if (await this.#interrupt(cut)) return false
      }
      await this.#write(rest)
      sent += rest.length
      if (this.#gone.aborted) return false
    }
    for (const cut of cuts) if (await this.#interrupt(cut)) return false
    return !this.#gone.aborted
  }

  #sendBare(answer: Answer): void {
    this.cut = true
    const { socket } = this.#response
    for (const piece of answer.pieces) socket?.write(piece)
    socket?.destroySoon()
  }

  /** Writes, and waits until the operating system has taken it. */
  async #write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.#gone.aborted) return
    await this.#unlessGone(new Promise<void>((resolve) => this.#response.write(bytes, () => resolve())))
  }

  /** Whether this was the end of the connection. */
  async #interrupt({ kind, pause }: Interruption): Promise<boolean> {
    if (kind === 'pause' || pause !== undefined) await this.#pause(pause ?? 'forever')
    if (this.#gone.aborted) return true
    if (kind === 'pause') return false
    const { socket } = this.#response
    await this.#unlessGone(new Promise<void>((resolve) => socket?.write('', () => resolve())))
    this.cut = true
    if (kind === 'reset') socket?.resetAndDestroy()
    else socket?.destroy()
    return true
  }

  async #pause(pause: Pause): Promise<void> {
    if (pause === 'forever') return this.#unlessGone(new Promise(() => {}))
    if (typeof pause !== 'number') return this.#unlessGone(pause)
    if (pause <= 0) return this.#unlessGone(nextTurn())
    const timer = new AbortController()
    await this.#unlessGone(wait(pause, undefined, { signal: timer.signal }))
    timer.abort()
  }

  /** Waits until the work is over, well or badly, or there is nobody left to do it for. */
  #unlessGone(work: Promise<unknown>): Promise<void> {
    const gone = this.#gone
    return new Promise((resolve) => {
      const stop = (): void => {
        gone.removeEventListener('abort', stop)
        resolve()
      }
      work.then(stop, stop)
      if (gone.aborted) stop()
      else gone.addEventListener('abort', stop, { once: true })
    })
  }
}

/** The body where it is one piece: it goes out together with the headers. */
function wholeBody({ pieces }: Answer): string | Uint8Array | undefined {
  if (!Array.isArray(pieces) || pieces.length > 1) return undefined
  const [only = ''] = pieces as (string | Uint8Array)[]
  return only
}
