import { Client, type Dispatcher } from 'undici'
import type { OutgoingAnswer, OutgoingRequest } from '../domain/egress.js'
import { KeymuxError } from '../domain/errors.js'
import { startDeadline } from './deadline.js'
import { type Connect, directConnect, type Opening } from './proxy-connector.js'
import { ProxyError, systemCode } from './proxy-error.js'

/** No answer came. */
export class NoAnswerError extends KeymuxError {
  override readonly name = 'NoAnswerError'
  /** Whether the request may have arrived. */
  readonly sent: boolean

  constructor(code: 'provider_unreachable' | 'proxy_failed', message: string, sent: boolean, cause: unknown) {
    super(code, message, { cause, hint: cause instanceof KeymuxError ? cause.hint : undefined })
    this.sent = sent
  }
}

/** An answer has a kilobyte or two. */
const BODY_LIMIT = 256 * 1024
const TIME_LIMIT_MS = 30_000

const directly = directConnect()

/**
 * Sends one request, on a connection of its own, and never again: a token request must not be repeated (RFC 6749 section
 * 10.4 spends refresh tokens). Redirects are answers like any other. What has arrived of an answer when it breaks off,
 * grows beyond 256 KiB or takes too long is given as it is.
 *
 * @param connect makes the connection; straight to the server by default
 * @throws NoAnswerError, which tells whether the request can have arrived; the signal's reason before it was sent
 */
export function sendOnce(request: OutgoingRequest, connect: Connect = directly): Promise<OutgoingAnswer> {
  return new Promise((resolve, reject) => {
    request.signal?.throwIfAborted()
    new Sending(request, connect, resolve, reject).begin()
  })
}

class Sending implements Dispatcher.DispatchHandler {
  readonly #request: OutgoingRequest
  readonly #url: URL
  readonly #client: Client
  readonly #resolve: (answer: OutgoingAnswer) => void
  readonly #reject: (error: Error) => void
  readonly #stopDeadline: () => void
  #opening: Opening | undefined
  #sent = false
  #over = false
  #head: Pick<OutgoingAnswer, 'status' | 'headers'> | undefined
  readonly #chunks: Buffer[] = []
  #size = 0
  readonly #abort = (): void => this.#end('aborted')

  constructor(
    request: OutgoingRequest,
    connect: Connect,
    resolve: (answer: OutgoingAnswer) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request
    this.#url = new URL(request.url)
    this.#resolve = resolve
    this.#reject = reject
    this.#client = new Client(this.#url.origin, {
      connect: (options, callback) => {
        this.#opening = connect(options, callback)
      },
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.#stopDeadline = startDeadline(request.timeoutMs ?? TIME_LIMIT_MS, () => this.#end('timeout'))
  }

  begin(): void {
    const { method, headers, body, signal } = this.#request
    signal?.addEventListener('abort', this.#abort, { once: true })
    const path = `${this.#url.pathname}${this.#url.search}`
    const own = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'keymux' }
    try {
      this.#client.dispatch(
        { method, path, headers: { ...own, ...headers }, body: body ?? null, reset: true },
        this,
      )
    } catch (error) {
      this.#end('failed', error)
    }
  }

  onRequestStart(): void {
    this.#sent = true
  }

  onResponseStart(
    _controller: unknown,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status >= 100 && status < 200) return
    const kept: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      const first = Array.isArray(value) ? value[0] : value
      if (first !== undefined) kept[name.toLowerCase()] = first
    }
    this.#head = { status, headers: kept }
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size > BODY_LIMIT) this.#end('too large')
  }

  onResponseEnd(): void {
    this.#end(undefined)
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end('failed', error)
  }

  #end(problem: string | undefined, cause?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#stopDeadline()
    this.#request.signal?.removeEventListener('abort', this.#abort)
    if (this.#head !== undefined) {
      const body = Buffer.concat(this.#chunks).subarray(0, BODY_LIMIT).toString()
      this.#resolve({ ...this.#head, body, complete: problem === undefined })
    } else this.#reject(this.#failure(problem, cause))
    void this.#client.destroy()
    if (!this.#sent) this.#opening?.destroy()
  }

  #failure(problem: string | undefined, cause: unknown): NoAnswerError {
    const sent = this.#sent
    if (cause instanceof ProxyError) return new NoAnswerError('proxy_failed', cause.message, sent, cause)
    const code = cause === undefined ? '' : ` (${systemCode(cause)})`
    const what =
      problem === 'timeout'
        ? 'did not answer in time'
        : sent
          ? `broke off${code}`
          : `cannot be reached${code}`
    return new NoAnswerError('provider_unreachable', `${this.#url.host} ${what}`, sent, cause)
  }
}
