import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

/** One session as the upstream sees it. */
export interface UpstreamSession {
  readonly key: string
  readonly socket: WebSocket
  /** How it was asked for. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Messages of the caller, as text. */
  readonly received: string[]
}

/** What becomes of handshakes with a credential. */
export type Play =
  /** A session; `greet` says its first words. */
  | { readonly kind: 'session'; readonly greet?: (session: UpstreamSession) => void }
  /** The connection is left to this. */
  | { readonly kind: 'raw'; readonly answer: (socket: Socket, request: IncomingMessage) => void }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }

/** A provider's Realtime endpoint that plays what it is told, by credential. */
export interface RealtimeUpstream extends AsyncDisposable {
  readonly url: string
  readonly sessions: readonly UpstreamSession[]
  /** Credentials of every handshake, in order. */
  readonly asked: readonly string[]
  play(key: string, play: Play): void
}

/** What OpenAI says first. */
export const CREATED: string = JSON.stringify({ type: 'session.created', event_id: 'event_1', session: {} })

export const GREETED: Play = { kind: 'session', greet: ({ socket }) => socket.send(CREATED) }

export async function startRealtimeUpstream(port = 0): Promise<RealtimeUpstream> {
  const plays = new Map<string, Play>()
  const sessions: UpstreamSession[] = []
  const asked: string[] = []
  const open = new Set<Socket>()
  const server = createServer((_request, response) => response.writeHead(404).end())
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 0,
    handleProtocols: (offered) => (offered.has('realtime') ? 'realtime' : false),
  })
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.on('error', () => {})
  })
  server.on('upgrade', (request, socket, head) => {
    const key = keyOf(request)
    asked.push(key)
    const play = plays.get(key) ?? GREETED
    if (play.kind === 'raw') play.answer(socket as Socket, request)
    else if (play.kind === 'status') socket.end(answerOf(play))
    else {
      sockets.handleUpgrade(request, socket, head, (connection) => {
        const { url = '', headers } = request
        const session: UpstreamSession = { key, socket: connection, url, headers, received: [] }
        sessions.push(session)
        connection.on('error', () => {})
        connection.on('message', (data) => session.received.push(String(data)))
        play.greet?.(session)
      })
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    asked,
    play: (key, play) => plays.set(key, play),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function keyOf({ headers }: IncomingMessage): string {
  const named = headers['x-goog-api-key'] ?? headers['api-key']
  return typeof named === 'string' ? named : (headers.authorization ?? '').replace('Bearer ', '')
}

function answerOf({ status, body = '', headers = {} }: Extract<Play, { kind: 'status' }>): string {
  const lines = Object.entries({
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} Said`, ...lines, '', body].join('\r\n')
}

/** What a client meets: its 101, or the answer in its place. */
export type Met =
  | { readonly kind: 'open'; readonly headers: IncomingHttpHeaders }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly headers: IncomingHttpHeaders
      readonly text: string
    }
  | { readonly kind: 'error'; readonly message: string }

/** A client of a gateway that keeps what it hears. */
export class RealtimeClient {
  readonly socket: WebSocket
  readonly heard: string[] = []
  readonly met: Promise<Met>
  /** Code and reason of its end. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string }>

  constructor(
    url: string,
    protocols: string[] = [],
    options: ConstructorParameters<typeof WebSocket>[2] = {},
  ) {
    this.socket = new WebSocket(url, protocols, { maxPayload: 0, ...options })
    this.socket.on('message', (data) => this.heard.push(String(data)))
    this.ended = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }))
    })
    this.met = new Promise((resolve) => {
      this.socket.on('error', ({ message }) => resolve({ kind: 'error', message }))
      this.socket.once('upgrade', ({ headers }) => resolve({ kind: 'open', headers }))
      this.socket.once('unexpected-response', (request, response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += String(chunk)
        })
        response.on('end', () => {
          resolve({ kind: 'refused', status: response.statusCode ?? 0, headers: response.headers, text })
          request.destroy()
        })
      })
    })
  }

  /** Waits until so many messages were heard. */
  async hear(count: number): Promise<readonly string[]> {
    while (this.heard.length < count) await once(this.socket, 'message')
    return this.heard
  }
}
