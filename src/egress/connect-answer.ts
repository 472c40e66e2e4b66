import type { Socket } from 'node:net'
import { type ProxyAddress, proxyLabel } from '../domain/proxy.js'
import { ProxyError } from './proxy-error.js'

/** Where a tunnel leads. */
export interface TunnelTarget {
  /** A name, or an IP address without brackets. */
  readonly hostname: string
  readonly port: number
}

/** More than any proxy says before it lets a connection pass. */
const LONGEST_HEAD = 16_384
const LOGIN_HINT =
  'give its URL a login: keep http://USER:PASSWORD@HOST:PORT as a secret and name it, see docs/proxies.md'

/** The request for a way to `HOST:PORT` (RFC 9110 section 9.3.6). */
export function connectRequest(target: string, { login }: ProxyAddress): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (login !== undefined) {
    // RFC 7617: UTF-8, as this proxy is not asked what it prefers.
    lines.push(
      `Proxy-Authorization: Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`,
    )
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

/**
 * Reads a proxy's answer to CONNECT from its connection, and leaves the connection paused. Whoever is behind the proxy
 * has nothing to say yet, so bytes after the answer are a page of the proxy's own.
 */
export function readConnectAnswer(socket: Socket, address: ProxyAddress, target: string): Promise<void> {
  const proxy = proxyLabel(address)
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const stop = (): void => {
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('error', onError)
      socket.off('close', onEnd)
      socket.pause()
    }
    const fail = (error: ProxyError): void => {
      stop()
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      for (;;) {
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) {
          const speaks = 'HTTP/'.startsWith(head.toString('latin1', 0, 5))
          if (!speaks || head.length > LONGEST_HEAD) fail(senseless(proxy))
          return
        }
        const status = Number(
          /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head.toString('latin1', 0, 64))?.[1] ?? 0,
        )
        head = head.subarray(end + 4)
        // Informational answers (RFC 9110 section 15.2) come before the real one.
        if (status >= 100 && status < 200) continue
        if (status === 0 || (status < 300 && head.length > 0)) fail(senseless(proxy))
        else if (status >= 300) fail(refused(status, proxy, target))
        else {
          stop()
          resolve()
        }
        return
      }
    }
    const onEnd = (): void => fail(closed(proxy))
    const onError = (): void => fail(closed(proxy))
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onEnd)
  })
}

function refused(status: number, proxy: string, target: string): ProxyError {
  if (status === 407) {
    return new ProxyError(`the proxy ${proxy} wants a login (407)`, { proxy, hint: LOGIN_HINT })
  }
  const hint =
    status < 500
      ? 'see whether it may connect to that host; proxy: none goes without it'
      : 'see whether the proxy works'
  const message = `the proxy ${proxy} does not connect to ${target} (${status})`
  return new ProxyError(message, { proxy, hint, passing: status >= 500 })
}

function senseless(proxy: string): ProxyError {
  return new ProxyError(`the proxy ${proxy} does not answer as one`, {
    proxy,
    hint: 'check the address of the proxy',
  })
}

function closed(proxy: string): ProxyError {
  return new ProxyError(`the proxy ${proxy} closed the connection`, { proxy, passing: true })
}
