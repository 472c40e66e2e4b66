import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A SOCKS 5 proxy on loopback (RFC 1928, RFC 1929). */
export interface TestSocksProxy {
  readonly port: number
  /** `HOST:PORT` as it was asked for, names as names. */
  readonly asked: string[]
  close(): Promise<void>
}

/**
 * @param target the port that every name stands for
 * @param login `USER:PASSWORD` that is wanted
 * @param reply the reply to requests; 0 opens the way
 */
export async function startSocksProxy({
  target,
  login,
  reply = 0,
}: {
  readonly target: number
  readonly login?: string
  readonly reply?: number
}): Promise<TestSocksProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client)
    client.on('error', () => {})
    client.once('data', (greeting: Buffer) => {
      const method = login === undefined ? 0 : 2
      const offered = greeting.subarray(2, 2 + (greeting[1] ?? 0)).includes(method)
      client.write(Buffer.from([5, offered ? method : 0xff]))
      if (method === 0) {
        client.once('data', request)
        return
      }
      client.once('data', (given: Buffer) => {
        const length = given[1] ?? 0
        const [user, password] = [given.subarray(2, 2 + length), given.subarray(3 + length)]
        const isRight = `${user}:${password}` === login
        client.write(Buffer.from([1, isRight ? 0 : 1]))
        if (isRight) client.once('data', request)
      })
    })
    const request = (bytes: Buffer): void => {
      const isName = bytes[3] === 3
      const host = isName
        ? bytes.toString('latin1', 5, 5 + (bytes[4] ?? 0))
        : [...bytes.subarray(4, 8)].join('.')
      asked.push(`${host}:${bytes.readUInt16BE(bytes.length - 2)}`)
      const answer = Buffer.from([5, reply, 0, 1, 127, 0, 0, 1, 0, 1])
      if (reply !== 0) {
        client.end(answer)
        return
      }
      const upstream = connect(target, '127.0.0.1', () => client.write(answer))
      sockets.add(upstream)
      upstream.on('error', () => client.destroy())
      upstream.pipe(client)
      client.pipe(upstream)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
