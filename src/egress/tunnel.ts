import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type ProxyAddress, proxyLabel } from '../domain/proxy.js'
import { connectRequest, readConnectAnswer, type TunnelTarget } from './connect-answer.js'
import { ProxyError, systemCode } from './proxy-error.js'

/** What a tunnel is opened with. */
export interface TunnelOptions {
  /** Until the way is open, in milliseconds. */
  readonly timeoutMs: number
  /** Is told of the connection to the proxy as soon as there is one to be closed. */
  readonly opening?: (socket: Socket) => void
}

/**
 * Opens a way through a proxy. The target's name is looked up by the proxy. The connection is paused.
 *
 * @throws ProxyError
 */
export async function openTunnel(
  address: ProxyAddress,
  target: TunnelTarget,
  { timeoutMs, opening }: TunnelOptions,
): Promise<Socket> {
  const proxy = proxyLabel(address)
  const socket = dial(address)
  // Errors that nobody waits for any more must not end the process.
  socket.on('error', () => {})
  opening?.(socket)
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    const error = new ProxyError(`the proxy ${proxy} did not answer in time`, { proxy })
    timer = setTimeout(() => reject(error), timeoutMs)
  })
  try {
    await Promise.race([through(socket, address, target, timeoutMs), tooLate])
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function through(
  socket: Socket,
  address: ProxyAddress,
  target: TunnelTarget,
  timeoutMs: number,
): Promise<void> {
  await connected(socket, address)
  socket.setNoDelay(true)
  if (address.protocol === 'socks5') {
    const { throughSocks } = await import('./socks.js')
    await throughSocks(socket, address, target, timeoutMs)
    return
  }
  const { hostname, port } = target
  const where = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
  socket.write(connectRequest(where, address))
  await readConnectAnswer(socket, address, where)
}

function dial({ protocol, host, port }: ProxyAddress): Socket {
  const bare = host.replace(/^\[|\]$/g, '')
  if (protocol !== 'https') return connectTcp({ host: bare, port })
  const isName = /[a-z]/i.test(bare) && !bare.includes(':')
  return connectTls({
    host: bare,
    port,
    ALPNProtocols: ['http/1.1'],
    ...(isName ? { servername: bare } : {}),
  })
}

function connected(socket: Socket, address: ProxyAddress): Promise<void> {
  const proxy = proxyLabel(address)
  return new Promise((resolve, reject) => {
    socket.once(address.protocol === 'https' ? 'secureConnect' : 'connect', () => resolve())
    socket.once('error', (error) => {
      const message = `the proxy ${proxy} cannot be reached (${systemCode(error)})`
      reject(new ProxyError(message, { proxy, hint: 'check its address, or go without it: proxy: none' }))
    })
    socket.once('close', () =>
      reject(new ProxyError(`the proxy ${proxy} closed the connection`, { proxy, passing: true })),
    )
  })
}
