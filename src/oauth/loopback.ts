import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KeymuxError } from '../domain/errors.js'
import type { PageText } from './page.js'
import { PAGE_HEADERS, renderPage } from './page.js'

/** Where the browser is to come back to. */
export interface LoopbackOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  /** The place the provider insists on, `http://127.0.0.1` or `http://localhost`: its host, port and path are used. */
  readonly redirectUri?: string
  /** The path where nothing else says one. Default `/callback`. */
  readonly path?: string
  /** What the callback's `state` must be; undefined where the provider sends none, and the path is secret instead. */
  readonly state: string | undefined
}

/** A listener on this machine that waits for one answer of a browser. */
export interface Loopback {
  readonly redirectUri: string
  /** The parameters of the first right request. */
  readonly answer: Promise<URLSearchParams>
  /** Shows every browser that made a right request how it ended, those that come later too. */
  finish(page: PageText): Promise<void>
  /** Stops listening. */
  close(): Promise<void>
}

const PATH = '/callback'
/** How long a browser may take to come for the page after it has brought the answer, in milliseconds. */
const PAGE_LIMIT_MS = 2_000
const HOST = '127.0.0.1'

/**
 * Listens on 127.0.0.1 for the redirect at the end of a login (RFC 8252 section 7.3). Only a GET of the exact
 * path with this listener's own name as `Host` and the right `state` counts; anything else is turned away and
 * the login goes on waiting: a page that guesses must not be able to end it.
 *
 * @throws KeymuxError `login_failed` when the port is taken
 */
export async function listenOnLoopback(options: LoopbackOptions): Promise<Loopback> {
  const wanted = options.redirectUri === undefined ? undefined : new URL(options.redirectUri)
  const { path: plain = PATH } = options
  const secret = options.state === undefined ? `/${randomBytes(16).toString('hex')}` : ''
  const path = wanted?.pathname ?? `${plain}${secret}`
  const port = options.port ?? Number(wanted?.port || 0)
  const listener = new Listener(path, options.state, wanted?.hostname ?? HOST)
  await listener.listen(port, options.port === undefined && port !== 0)
  return listener
}

class Listener implements Loopback {
  readonly answer: Promise<URLSearchParams>
  redirectUri = ''
  readonly #server: Server
  readonly #path: string
  readonly #state: string | undefined
  readonly #host: string
  /** Where the page is: an address without code and state, which nobody else knows. */
  readonly #pagePath = `/done/${randomBytes(16).toString('hex')}`
  readonly #waiting = new Set<ServerResponse>()
  #authority = ''
  #accept: (params: URLSearchParams) => void = () => {}
  #shown: () => void = () => {}
  #page: PageText | undefined
  #taken = false

  constructor(path: string, state: string | undefined, host: string) {
    this.#path = path
    this.#state = state
    this.#host = host
    this.answer = new Promise((resolve) => {
      this.#accept = resolve
    })
    this.#server = createServer({ maxHeaderSize: 32 * 1024 }, (request, response) => {
      this.#serve(request, response)
    })
  }

  /** @param fixed whether the provider insists on this port */
  listen(port: number, fixed: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(port, error, fixed)))
      this.#server.listen(port, HOST, () => {
        this.#authority = `${this.#host}:${(this.#server.address() as AddressInfo).port}`
        this.redirectUri = `http://${this.#authority}${this.#path}`
        resolve()
      })
    })
  }

  async finish(page: PageText): Promise<void> {
    this.#page = page
    // Pasted: no browser comes.
    if (!this.#taken) return
    const shown = new Promise<void>((resolve) => {
      this.#shown = resolve
    })
    const timer = setTimeout(() => this.#shown(), PAGE_LIMIT_MS)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const response of waiting) this.#show(response, page)
    await shown
    clearTimeout(timer)
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume()
    response.on('error', () => {})
    const refusal = this.#refusal(request)
    if (refusal !== undefined) {
      send(response, refusal.status, refusal.page)
      return
    }
    const [path] = (request.url ?? '').split('?')
    if (path === this.#pagePath) {
      if (this.#page === undefined) this.#park(response)
      else this.#show(response, this.#page)
      return
    }
    // The first one counts. Code and state leave the address bar at once.
    response.writeHead(303, { ...PAGE_HEADERS, location: this.#pagePath }).end()
    if (this.#taken) return
    this.#taken = true
    this.#accept(paramsOf(request))
  }

  #park(response: ServerResponse): void {
    this.#waiting.add(response)
    response.once('close', () => this.#waiting.delete(response))
  }

  #show(response: ServerResponse, page: PageText): void {
    response.once('close', () => this.#shown())
    send(response, 200, page)
  }

  #refusal(request: IncomingMessage): { status: number; page: PageText } | undefined {
    const [path] = (request.url ?? '').split('?')
    if (request.headers.host !== this.#authority)
      return refused(421, NOTHING, 'This is not the address of this page.')
    if (path !== this.#path && path !== this.#pagePath)
      return refused(404, NOTHING, 'The login is still waiting for its answer.')
    if (request.method !== 'GET')
      return refused(405, NOTHING, 'Only a browser that comes back from a login is expected here.')
    if (path === this.#pagePath) return undefined
    const params = paramsOf(request)
    if (this.#state !== undefined && !isState(params.get('state'), this.#state))
      return refused(
        400,
        STRANGE,
        'It does not belong to the login that is under way. That one is still waiting.',
      )
    if (!params.has('code') && !params.has('error'))
      return refused(400, STRANGE, 'It holds no code. The login is still waiting.')
    return undefined
  }
}

const NOTHING = 'There is nothing to see here'
const STRANGE = 'This answer was not taken'

/** Compares without telling by its duration where they differ. */
export function isState(given: string | null, expected: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function paramsOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'))
}

function refused(status: number, title: string, line: string): { status: number; page: PageText } {
  return { status, page: { good: false, title, lines: [line] } }
}

function send(response: ServerResponse, status: number, page: PageText): void {
  const headers = status === 405 ? { ...PAGE_HEADERS, allow: 'GET' } : PAGE_HEADERS
  response.writeHead(status, headers).end(renderPage(page))
}

function cannotListen(port: number, error: NodeJS.ErrnoException, fixed: boolean): KeymuxError {
  const taken = error.code === 'EADDRINUSE'
  return new KeymuxError('login_failed', `port ${port} ${taken ? 'is taken' : 'cannot be listened on'}`, {
    hint: fixed
      ? 'the provider sends the browser back to this port: end the program that uses it'
      : 'choose another with --port, or none',
    cause: error,
  })
}
