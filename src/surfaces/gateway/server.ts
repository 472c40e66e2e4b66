import type { ServerOptions as HttpOptions, IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { rawRefusal } from './answers.js'
import { CallerLine } from './caller-line.js'
import { STAYS } from './guard.js'
import { type Refusal, refusal } from './refusal.js'

/** Long enough for any client's pool: who closes first should be the client. */
const KEEP_ALIVE_MS = 75_000
/** A head that takes longer is no client's, but somebody who wants to hold connections open. */
const HEADERS_MS = 15_000
const CHECK_EVERY_MS = 5_000
const LARGEST_HEAD = 32 * 1024
/** How much of a refused request's body is read so that its connection can be kept. */
const SMALL_BODY = 1024 * 1024
const LINGER_MS = 2_000

const MALFORMED = refusal(400, 'keymux_bad_request', 'the request is not well-formed HTTP/1.1')
const TOO_LARGE = refusal(431, 'keymux_headers_too_large', 'the headers are larger than 32 KiB')
const TOO_SLOW = refusal(408, 'keymux_request_timeout', 'the request took too long to arrive')
const NO_TUNNEL = refusal(405, 'keymux_method_not_allowed', 'the gateway is no forward proxy', {
  allow: 'GET, HEAD, POST, PUT, PATCH, DELETE',
})

/** What the server is given. */
export interface ServerOptions {
  /** Answers one request; `line` is there where it wants another protocol. */
  readonly serve: (request: IncomingMessage, response: ServerResponse, line?: CallerLine) => void
  /** How long a request may take to arrive, in milliseconds. */
  readonly requestTimeoutMs: number
  /** Answers one whose body cannot be read. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, why: Refusal) => void
  /** Told of every request of which not even the head could be read. */
  readonly onMalformed: (refusal: Refusal) => void
}

/** One connection. */
interface Line {
  answer: ServerResponse | undefined
}

/** A `node:http` server that answers what it cannot read, and ends in an orderly way. */
export class GatewayServer {
  readonly server: Server
  readonly #options: ServerOptions
  /**
   * A line per connection, with its answer under way: one at a time in HTTP/1.1. A map of the answers themselves
   * would gain and lose an entry with every request. Each time such a map makes room its old table, which still
   * points at what it held, points at its new one as well; the collector of young objects keeps such chains, and
   * with them everything that belongs to requests long answered.
   */
  readonly #lines = new Map<Socket, Line>()
  /** Connections that are HTTP's no longer, or are to become so. */
  readonly #upgraded = new Set<Socket>()
  #underWay = 0
  #draining: (() => void) | undefined
  #closing = false

  constructor(options: ServerOptions) {
    this.#options = options
    const settings: HttpOptions & { readonly shouldUpgradeCallback: typeof wantsUpgrade } = {
      maxHeaderSize: LARGEST_HEAD,
      // Node refuses one that is longer than the time for the whole request.
      headersTimeout: Math.min(HEADERS_MS, options.requestTimeoutMs),
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      insecureHTTPParser: false,
      // Refused by the guard, in the caller's shape.
      requireHostHeader: false,
      noDelay: true,
      // Node before 22.21 does not know it, and upgrades everything.
      shouldUpgradeCallback: wantsUpgrade,
    }
    this.server = createServer(settings)
    this.server.on('connection', (socket) => {
      this.#lines.set(socket, { answer: undefined })
      socket.once('close', () => this.#lines.delete(socket))
    })
    this.server.on('request', (request, response) => this.#take(request, response))
    this.server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#unreadable(error, socket as Socket),
    )
    this.server.on('connect', (_request, socket) => {
      options.onMalformed(NO_TUNNEL)
      socket.end(rawRefusal(NO_TUNNEL))
    })
  }

  /** How many answers are under way. */
  get underWay(): number {
    return this.#underWay
  }

  get closing(): boolean {
    return this.#closing
  }

  /**
   * Stops accepting, lets answers under way finish for `drainMs` milliseconds, then ends what is left.
   * Gives the number of answers that were cut.
   */
  async close(drainMs: number): Promise<number> {
    this.#closing = true
    const stopped = new Promise<void>((resolve) => this.server.close(() => resolve()))
    this.server.closeIdleConnections()
    if (this.#underWay > 0 && drainMs > 0) await this.#drained(drainMs)
    const cut = this.#underWay
    this.cut()
    await stopped
    return cut
  }

  /** Ends what a close() waits for. */
  cut(): void {
    this.server.closeAllConnections()
    for (const socket of this.#upgraded) socket.destroy()
  }

  #drained(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, drainMs)
      this.#draining = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const line = this.#lines.get(socket)
    if (line !== undefined) line.answer = response
    this.#underWay += 1
    response.once('close', () => {
      this.#underWay -= 1
      if (line?.answer === response) line.answer = undefined
      if (!this.#closing) return
      // Kept connections would hold the server open.
      socket.end()
      if (this.#underWay === 0) this.#draining?.()
    })
    if (this.#closing) response.setHeader('connection', 'close')
    this.#options.serve(request, response)
  }

  /** A request that wants another protocol: its connection is its own from now on. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (!wantsUpgrade(request)) {
      this.#readAgain(request, socket, head)
      return
    }
    const line = new CallerLine(request, socket, head)
    this.#upgraded.add(socket)
    this.#underWay += 1
    socket.once('close', () => {
      this.#upgraded.delete(socket)
      this.#underWay -= 1
      if (this.#closing && this.#underWay === 0) this.#draining?.()
    })
    this.#options.serve(request, line.response, line)
  }

  /** A request whose offer of another protocol is passed over is read once more, without it. */
  #readAgain({ method, url, httpVersion, rawHeaders }: IncomingMessage, socket: Socket, head: Buffer): void {
    const lines = [`${method} ${url} HTTP/${httpVersion}`]
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] ?? ''
      if (/^(?:upgrade|http2-settings)$/i.test(name)) continue
      const value = rawHeaders[index + 1] ?? ''
      const isConnection = name.toLowerCase() === 'connection'
      lines.push(`${name}: ${isConnection ? value.replace(/\bupgrade\b/i, 'keep-alive') : value}`)
    }
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
    this.server.emit('connection', socket)
  }

  /** A request that is no HTTP, too slow, too large, or whose body breaks off. */
  #unreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    const answer = this.#lines.get(socket)?.answer
    if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent === true) {
      socket.destroy()
      return
    }
    const why = refusalOf(error.code)
    if (answer === undefined) {
      this.#options.onMalformed(why)
      socket.end(rawRefusal(why))
      return
    }
    answer.once('finish', () => socket.destroySoon())
    answer.setHeader('connection', 'close')
    this.#options.refuse(answer.req, answer, why)
  }
}

/** Lets go of a request that is answered without its body: a small one is read, a large one not waited for. */
export function discardBody(request: IncomingMessage): void {
  const { 'content-length': stated, 'transfer-encoding': chunked } = request.headers
  if (request.complete || (stated === undefined && chunked === undefined)) return
  const length = Number(stated ?? Number.NaN)
  // Whoever was reading may let go only later: from then on it flows.
  request.on('data', () => {})
  request.resume()
  if (length <= SMALL_BODY) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  request.once('end', () => clearTimeout(timer))
}

function wantsUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() !== STAYS
}

function refusalOf(code: string | undefined): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return TOO_LARGE
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return TOO_SLOW
  return MALFORMED
}
