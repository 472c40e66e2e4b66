import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { TEST_SERVER } from './test-ca.js'

/** What a proxy does with whoever asks for a way. */
export type ProxyMode =
  | 'works'
  /** Answers CONNECT with this status. */
  | number
  /** Says that the way is open, and then sends a page. */
  | 'page'
  /** The page comes after the client has begun to speak. */
  | 'late page'
  /** Says that the way is open, and closes it. */
  | 'closes'
  /** Takes the request and says nothing. */
  | 'hangs'
  /** Opens the way and lets nothing through. */
  | 'black hole'
  /** Answers with bytes that are no HTTP. */
  | 'garbage'
  /** A head that never ends. */
  | 'endless head'
  | { readonly resetAfterBytes: number }
  /** Stops after so many bytes of the answer. */
  | { readonly stallAfterBytes: number }

export interface TestProxy {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  mode: ProxyMode
  /** Where CONNECT asked to go, in order. */
  readonly asked: string[]
  /** What was asked for without CONNECT. */
  readonly others: string[]
  /** Everything that clients sent through open ways, as Latin-1. */
  readonly seen: () => string
  /** The `Proxy-Authorization` of each CONNECT. */
  readonly logins: (string | undefined)[]
  /** Resets every connection of a client. */
  cut(): void
  close(): Promise<void>
}

export interface TestProxyOptions {
  /** Whoever has no such login is told 407. */
  readonly login?: string
  /** It is spoken to over TLS. */
  readonly tls?: boolean
  /** The port of the server that every name stands for; what was asked for by default. */
  readonly target?: number
}

const PAGE = '<!doctype html><html><body>Sign in to the network</body></html>'
const PAGE_ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: ${PAGE.length}\r\n\r\n${PAGE}`

/** A proxy on loopback that opens ways by CONNECT, and can be made to fail in all the ways that proxies do. */
export async function startProxy({ login, tls, target }: TestProxyOptions = {}): Promise<TestProxy> {
  const sockets = new Set<Socket>()
  const proxy = { mode: 'works' as ProxyMode, asked: [] as string[], others: [] as string[] }
  const logins: (string | undefined)[] = []
  let seen = ''
  const onRequest = ({ url = '' }: IncomingMessage, response: import('node:http').ServerResponse): void => {
    proxy.others.push(url)
    response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
  }
  const server = tls === true ? createHttpsServer(TEST_SERVER, onRequest) : createHttpServer(onRequest)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  const clients = new Set<Socket>()
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    clients.add(client)
    client.on('error', () => {})
    const { mode } = proxy
    proxy.asked.push(request.url ?? '')
    const given = request.headers['proxy-authorization']
    logins.push(given)
    const expected = login && `Basic ${Buffer.from(login).toString('base64')}`
    if (expected !== undefined && given !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="x"\r\n\r\n')
      return
    }
    if (typeof mode === 'number') client.end(`HTTP/1.1 ${mode} No\r\ncontent-length: 0\r\n\r\n`)
    else if (mode === 'page') client.end(PAGE_ANSWER)
    else if (mode === 'late page') {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      client.once('data', () => client.end(PAGE_ANSWER))
    } else if (mode === 'closes') client.end('HTTP/1.1 200 OK\r\n\r\n')
    else if (mode === 'garbage') client.write('220 mail.example ESMTP\r\n')
    else if (mode === 'endless head') client.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}`)
    else if (mode === 'black hole') client.write('HTTP/1.1 200 OK\r\n\r\n')
    else if (mode !== 'hangs') open(request.url ?? '', client, head, mode)
  })

  function open(asked: string, client: Socket, head: Buffer, mode: ProxyMode): void {
    const colon = asked.lastIndexOf(':')
    const host = asked.slice(0, colon).replace(/^\[|\]$/g, '')
    const upstream =
      target === undefined ? connect(Number(asked.slice(colon + 1)), host) : connect(target, '127.0.0.1')
    sockets.add(upstream)
    let passed = 0
    upstream.on('error', () => client.destroy())
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n')
      if (head.length > 0) upstream.write(head)
      client.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1')
        upstream.write(chunk)
      })
      client.on('end', () => upstream.end())
      client.on('close', () => upstream.destroy())
      upstream.on('data', (chunk: Buffer) => {
        passed += chunk.length
        if (typeof mode === 'object' && 'stallAfterBytes' in mode && passed > mode.stallAfterBytes) return
        if (typeof mode === 'object' && 'resetAfterBytes' in mode && passed > mode.resetAfterBytes) {
          client.resetAndDestroy()
          return
        }
        client.write(chunk)
      })
      upstream.on('end', () => client.end())
    })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return Object.assign(proxy, {
    port,
    url: `${tls === true ? 'https' : 'http'}://127.0.0.1:${port}`,
    logins,
    seen: () => seen,
    cut: () => {
      for (const client of clients) client.resetAndDestroy()
    },
    close: () => closeAll(server, sockets),
  })
}

/** A server that speaks TLS, and hands what it hears to one on `port` that speaks plain. */
export async function startTlsFront(
  port: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createTlsServer({ ...TEST_SERVER, ALPNProtocols: ['http/1.1'] }, (client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.pipe(to)
    }
  })
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => closeAll(server, sockets) }
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await closeAll(server, new Set())
  return port
}

async function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
}
