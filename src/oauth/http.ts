import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { startDeadline } from './deadline.js'
import type { Delivery } from './errors.js'
import { OAuthError } from './errors.js'

/** A request to an authorization server. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** Until the end of the answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number
}

/** An answer, or as much of it as arrived. */
export interface HttpAnswer {
  readonly status: number
  /** Names in lower case; the first of several of one name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Whether nothing of the body is missing. */
  readonly complete: boolean
}

/** A token answer has a kilobyte or two. */
const BODY_LIMIT = 256 * 1024
const TIME_LIMIT_MS = 30_000

/**
 * Sends one request, on a connection of its own, and never again: a token request must not be repeated
 * (RFC 6749 section 10.4 spends refresh tokens). Redirects are answers like any other. What has arrived of
 * an answer when it breaks off, grows beyond 256 KiB or takes too long is given as it is.
 *
 * @throws OAuthError with the reason `timeout` when there is no answer; its delivery tells whether the request
 *   can have arrived
 */
export function sendOnce(request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    request.signal?.throwIfAborted()
    const url = new URL(request.url)
    let sent = false
    let answer: IncomingMessage | undefined
    const chunks: Buffer[] = []
    let size = 0
    const stopDeadline = startDeadline(request.timeoutMs ?? TIME_LIMIT_MS, () => end('timeout'))
    const abort = (): void => end('aborted')
    const message = open(url, request)

    function end(problem: string | undefined, cause?: unknown): void {
      stopDeadline()
      request.signal?.removeEventListener('abort', abort)
      if (answer !== undefined) resolve(answerOf(answer, chunks, problem === undefined))
      else reject(failure(sent ? 'unknown' : 'not_sent', problem ?? 'closed', cause, url))
      message.destroy()
    }

    request.signal?.addEventListener('abort', abort, { once: true })
    message.on('error', (error) => end('failed', error))
    message.on('close', () => end('closed'))
    message.on('socket', (socket) => {
      const event = url.protocol === 'https:' ? 'secureConnect' : 'connect'
      socket.once(event, () => {
        sent = true
        message.end(request.body)
      })
    })
    message.on('response', (response) => {
      answer = response
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > BODY_LIMIT) end('too large')
      })
      response.on('end', () => end(response.complete ? undefined : 'cut'))
      response.on('error', () => end('cut'))
    })
  })
}

function open(url: URL, { method, headers = {}, body }: HttpRequest): ClientRequest {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  return send(url, {
    method,
    agent: false,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'keymux',
      connection: 'close',
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    },
  })
}

function answerOf(message: IncomingMessage, chunks: readonly Buffer[], complete: boolean): HttpAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.headers)) {
    const first = Array.isArray(value) ? value[0] : value
    if (first !== undefined) headers[name] = first
  }
  const body = Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString()
  return { status: message.statusCode ?? 0, headers, body, complete }
}

function failure(delivery: Delivery, problem: string, cause: unknown, url: URL): OAuthError {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  const what =
    problem === 'timeout'
      ? 'did not answer in time'
      : delivery === 'not_sent'
        ? `cannot be reached${code}`
        : `broke off${code}`
  return new OAuthError(
    'provider_unreachable',
    `${url.host} ${what}`,
    { reason: 'timeout', delivery },
    { cause },
  )
}
