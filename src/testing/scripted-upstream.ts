import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../domain/ports.js'
import { Delivery } from './upstream/delivery.js'
import { Recording } from './upstream/request.js'
import { ok } from './upstream/success.js'
import type { Answer, RecordedRequest, Script, Step, UpstreamProvider } from './upstream/types.js'

/** How a scripted upstream is set up. */
export interface ScriptedUpstreamOptions {
  /**
   * The provider it plays, whatever the request. By default each request tells: `/PROVIDER/…` by its first
   * segment, Anthropic, Gemini, Cohere, OpenRouter and DashScope by their marks, everything else is OpenAI's.
   */
  readonly provider?: UpstreamProvider
  /** What is answered to requests without a script of their own. Default: `ok()`. */
  readonly script?: Script
  /** Scripts by credential. */
  readonly scripts?: Readonly<Record<string, Script>>
  /** Dates requests and answers; the system's clock by default. Pauses are always real. */
  readonly clock?: Clock
}

/** A provider that does what it is told, on a port of 127.0.0.1. */
export interface ScriptedUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  /** Every request since the start, in order of arrival. The list grows and its members are live. */
  readonly requests: readonly RecordedRequest[]
  /** Sets what is answered from now on: to requests that carry `credential`, or to all the others. */
  respond(script: Script, credential?: string): void
  /** Waits until `count` requests have arrived and gives the last of them. Rejects when the upstream closes. */
  received(count: number): Promise<RecordedRequest>
  /** Ends every connection and stops listening. Pauses end with it. */
  close(): Promise<void>
}

/** Starts a scripted upstream. */
export async function startScriptedUpstream(
  options: ScriptedUpstreamOptions = {},
): Promise<ScriptedUpstream> {
  const upstream = new Upstream(options)
  await upstream.listen()
  return upstream
}

interface Waiter {
  readonly count: number
  readonly resolve: (request: RecordedRequest) => void
  readonly reject: (error: Error) => void
}

class Upstream implements ScriptedUpstream {
  readonly requests: Recording[] = []
  readonly #options: ScriptedUpstreamOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #scripts = new Map<string, Steps>()
  readonly #waiters = new Set<Waiter>()
  #fallback: Steps
  #closing: Promise<void> | undefined
  port = 0

  constructor(options: ScriptedUpstreamOptions) {
    this.#options = options
    this.#fallback = new Steps(options.script ?? ok())
    for (const [credential, script] of Object.entries(options.scripts ?? {})) this.respond(script, credential)
    // Node's own limits on slow requests would end what a test may want to stall.
    this.#server = createServer(
      { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
      (message, response) => {
        this.#serve(message, response)
      },
    )
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => {
        this.port = (this.#server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  respond(script: Script, credential?: string): void {
    if (credential === undefined) this.#fallback = new Steps(script)
    else this.#scripts.set(credential, new Steps(script))
  }

  received(count: number): Promise<RecordedRequest> {
    const there = this.requests[count - 1]
    if (there !== undefined) return Promise.resolve(there)
    if (this.#closing !== undefined) return Promise.reject(new Error('the scripted upstream is closed'))
    return new Promise((resolve, reject) => this.#waiters.add({ count, resolve, reject }))
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
      for (const waiter of this.#waiters) waiter.reject(new Error('the scripted upstream is closed'))
      this.#waiters.clear()
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #serve(message: IncomingMessage, response: ServerResponse): void {
    const request = this.#record(message)
    const gone = new AbortController()
    const delivery = new Delivery(response, gone.signal)
    response.once('close', () => {
      const over = response.writableFinished || delivery.cut || this.#closing !== undefined
      request.end(this.#now(), !over)
      gone.abort()
    })
    message.on('data', (chunk: Buffer) => request.take(chunk))
    message.on('error', () => {})
    message.once('end', () => {
      this.#answer(request)
        .then((answer) => delivery.send(answer))
        .catch((error: unknown) => {
          delivery.cut = true
          tellMistake(response, error)
        })
    })
  }

  async #answer(request: Recording): Promise<Answer> {
    const own = request.credential === undefined ? undefined : this.#scripts.get(request.credential)
    const step = (own ?? this.#fallback).next()
    const chosen = typeof step === 'function' ? await step(request) : step
    return chosen.answer(request)
  }

  #record(message: IncomingMessage): Recording {
    const request = new Recording(this.requests.length + 1, message, this.#options.provider, this.#now())
    this.requests.push(request)
    for (const waiter of this.#waiters) {
      if (waiter.count > request.index) continue
      this.#waiters.delete(waiter)
      waiter.resolve(request)
    }
    return request
  }

  #now(): Date {
    return this.#options.clock?.now() ?? new Date()
  }
}

/** A script that throws is a mistake in the test: it is told in a way nobody can take for a provider's. */
function tellMistake(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy()
  else response.writeHead(599).end(`the upstream's script failed: ${String(error)}`)
}

/** A script's steps, one after the other; the last one is repeated. */
class Steps {
  readonly #steps: readonly Step[]
  #next = 0

  constructor(script: Script) {
    this.#steps = Array.isArray(script) ? (script as readonly Step[]) : [script as Step]
  }

  next(): Step {
    const step = this.#steps[Math.min(this.#next, this.#steps.length - 1)]
    this.#next += 1
    return step ?? ok()
  }
}
