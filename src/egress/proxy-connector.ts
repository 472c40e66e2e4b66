import { Socket } from 'node:net'
import { buildConnector } from 'undici'
import { type ProxyAddress, proxyLabel } from '../domain/proxy.js'
import { isLoopbackHost } from '../domain/secure-url.js'
import { ProxyError, systemCode } from './proxy-error.js'
import { openTunnel } from './tunnel.js'

/** A connection that is being made. */
export interface Opening {
  destroy(): void
}

/** Makes connections for undici, as its own connectors do. What it gives ends the attempt. */
export type Connect = (
  options: buildConnector.Options,
  callback: buildConnector.Callback,
) => Opening | undefined

/** Connects straight to the server, however long the system takes. */
export function directConnect(): Connect {
  const connect = buildConnector({ timeout: 0 })
  return (options, callback) => {
    const socket: unknown = connect(options, callback)
    return socket instanceof Socket ? socket : undefined
  }
}

/** How long a proxy may take to open the way, and a server behind it for its part of TLS. In milliseconds. */
const TIME_LIMIT_MS = 10_000
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY|DECRYPT)|HOSTNAME_MISMATCH|INVALID_CA)/

interface Attempt {
  socket: Socket | undefined
}

/** Makes connections through one proxy, until it is closed. */
export class ProxyConnector {
  readonly connect: Connect
  readonly #address: ProxyAddress
  readonly #timeoutMs: number
  readonly #secure = buildConnector({ timeout: 0 })
  /** What is being opened. */
  readonly #opening = new Set<Socket>()

  constructor(address: ProxyAddress, timeoutMs: number = TIME_LIMIT_MS) {
    this.#address = address
    this.#timeoutMs = timeoutMs
    this.connect = (options, callback) => {
      const opening: Attempt = { socket: undefined }
      this.#connect(options, opening).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      )
      return { destroy: () => opening.socket?.destroy() }
    }
  }

  /** Ends what is being opened; what is open belongs to others. */
  close(): void {
    for (const socket of this.#opening) socket.destroy()
  }

  async #connect(options: buildConnector.Options, attempt: Attempt): Promise<Socket> {
    const { hostname, protocol, port } = options
    const isSecure = protocol === 'https:'
    if (!isSecure) this.#refuseClear()
    try {
      const tunnel = await openTunnel(
        this.#address,
        { hostname, port: Number(port || (isSecure ? 443 : 80)) },
        {
          timeoutMs: this.#timeoutMs,
          opening: (socket) => {
            attempt.socket = socket
            this.#opening.add(socket)
          },
        },
      )
      return isSecure ? await this.#handshake(options, tunnel) : tunnel
    } finally {
      if (attempt.socket !== undefined) this.#opening.delete(attempt.socket)
    }
  }

  /** TLS with the server itself: the proxy sees names and sizes, and nothing of what is said. */
  #handshake(options: buildConnector.Options, tunnel: Socket): Promise<Socket> {
    const proxy = proxyLabel(this.#address)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new ProxyError(`the proxy ${proxy} opened a way on which nobody answers`, { proxy }))
        tunnel.destroy()
      }, this.#timeoutMs)
      tunnel.once('close', () =>
        reject(new ProxyError(`the proxy ${proxy} closed the connection`, { proxy, passing: true })),
      )
      this.#secure({ ...options, httpSocket: tunnel }, (error, socket) => {
        clearTimeout(timer)
        if (error === null) resolve(socket)
        else {
          tunnel.destroy()
          reject(this.#notSecure(error, options.hostname))
        }
      })
    })
  }

  #notSecure(error: Error, hostname: string): ProxyError {
    const proxy = proxyLabel(this.#address)
    const code = systemCode(error)
    if (CERTIFICATE.test(code)) {
      const message = `the certificate that the proxy ${proxy} shows for ${hostname} is not accepted (${code})`
      const hint = 'a proxy that looks into connections needs its CA in NODE_EXTRA_CA_CERTS'
      return new ProxyError(message, { proxy, hint })
    }
    const passing = code === 'ECONNRESET' || code === 'EPIPE'
    return new ProxyError(`there is no TLS with ${hostname} through the proxy ${proxy} (${code})`, {
      proxy,
      passing,
    })
  }

  /** A proxy would read what is sent in the clear; one on this machine reads nothing that has left it. */
  #refuseClear(): void {
    if (isLoopbackHost(this.#address.host)) return
    const proxy = proxyLabel(this.#address)
    throw new ProxyError(`a key would reach the proxy ${proxy} in the clear`, {
      proxy,
      hint: 'plain http upstreams go without a proxy: set proxy: none for the profile',
    })
  }
}
