import type { Socket } from 'node:net'
import { type ProxyAddress, proxyLabel } from '../domain/proxy.js'
import type { TunnelTarget } from './connect-answer.js'
import { ProxyError } from './proxy-error.js'

/**
 * Opens a way through a SOCKS 5 proxy (RFC 1928, RFC 1929) over a connection to it. The target's name goes to the proxy
 * as it is, which looks it up.
 *
 * @throws ProxyError
 */
export async function throughSocks(
  socket: Socket,
  address: ProxyAddress,
  { hostname, port }: TunnelTarget,
  timeoutMs: number,
): Promise<void> {
  const { SocksClient } = await import('socks')
  const { login } = address
  try {
    await SocksClient.createConnection({
      proxy: {
        host: address.host.replace(/^\[|\]$/g, ''),
        port: address.port,
        type: 5,
        ...(login === undefined ? {} : { userId: login.user, password: login.password }),
      },
      command: 'connect',
      destination: { host: hostname, port },
      // Its own must not be the first: whoever opens ways has one that is told as it is.
      timeout: timeoutMs * 2,
      existing_socket: socket,
    })
  } catch (error) {
    throw refused(error, address, `${hostname}:${port}`)
  }
}

/** The error of the library holds the login: nothing of it but its kind goes on. */
function refused(error: unknown, address: ProxyAddress, target: string): ProxyError {
  const proxy = proxyLabel(address)
  const said = error instanceof Error ? error.message : ''
  if (/authentication|no acceptable/i.test(said)) {
    return new ProxyError(`the proxy ${proxy} wants another login`, {
      proxy,
      hint: 'check the login of the proxy',
    })
  }
  if (/closed/i.test(said)) {
    return new ProxyError(`the proxy ${proxy} closed the connection`, { proxy, passing: true })
  }
  const why = / - (\w+)$/.exec(said)?.[1]
  return new ProxyError(
    `the proxy ${proxy} does not connect to ${target}${why === undefined ? '' : ` (${why})`}`,
    {
      proxy,
      hint: 'see whether it is one of SOCKS 5, and may connect to that host',
    },
  )
}
