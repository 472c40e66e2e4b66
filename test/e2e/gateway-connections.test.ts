import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.js'

// Bodies beyond this are streamed.
const REPLAY_LIMIT_MB = 1
const LARGE = 3_000_000

let upstream: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
let started: TestGateway

beforeEach(async () => {
  upstream = createServer((message, response) => answer(message, response))
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  started = await startTestGateway([{ provider: 'openai', name: 'a', secret: 'sk-a-1234567890', baseUrl }], {
    gateway: { replayLimitMb: REPLAY_LIMIT_MB },
  })
})
afterEach(async () => {
  await started.close()
  upstream.closeAllConnections()
  await new Promise((resolve) => upstream.close(resolve))
})

describe('an upload that is streamed', () => {
  test('and answered early leaves its connection fit for the next request', async () => {
    answer = (message, response) => {
      // Reads nothing.
      if (message.method === 'POST') response.writeHead(400).end('{"error":{"message":"no"}}')
      else response.end('{"data":[]}')
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect(await send(agent, 'POST', Buffer.alloc(LARGE, 'a'))).toBe(400)
    expect(await send(agent, 'GET')).toBe(200)
    agent.destroy()
  })

  test('ends upstream when the caller hangs up, and is nobody’s failure', async () => {
    const begun = new Promise<IncomingMessage>((resolve) => {
      answer = (message) => {
        message.resume()
        resolve(message)
      }
    })
    const { port, hostname } = new URL(started.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /openai/files HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${started.token}\r\ncontent-length: ${LARGE}\r\n\r\n`,
    )
    socket.write(Buffer.alloc(LARGE / 2, 'a'))
    const message = await begun
    const closed = new Promise<void>((resolve) => message.once('error', () => {}).once('close', resolve))
    socket.end()
    await closed
    expect(message.complete).toBe(false)
    expect(await started.keymux.profiles.view('openai:a')).toMatchObject({ errorCount: 0, failureCounts: {} })
    socket.destroy()
  })
})

describe('callers that hold connections open', () => {
  // In real time: the server's own time for a head, 15 s, looked at every 5 s.
  test('are told that they are too slow and cut off, while others are served', {
    timeout: 60_000,
  }, async () => {
    answer = (message, response) => {
      message.resume()
      response.end('{"data":[]}')
    }
    const { port, hostname } = new URL(started.url)
    const ends = Array.from({ length: 100 }, () => {
      const socket = connect(Number(port), hostname)
      let text = ''
      socket.setEncoding('latin1')
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('error', () => {})
      socket.write('POST /openai/files HTTP/1.1\r\n')
      const dripping = setInterval(() => socket.write('x'), 500)
      return new Promise<string>((resolve) => {
        socket.once('close', () => {
          clearInterval(dripping)
          resolve(text.split('\r\n', 1)[0] ?? '')
        })
      })
    })
    const agent = new Agent({ keepAlive: true })
    expect(await send(agent, 'GET')).toBe(200)
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['HTTP/1.1 408 Request Timeout']))
    expect(await send(agent, 'GET')).toBe(200)
    agent.destroy()
  })
})

function send(agent: Agent, method: string, body?: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${started.token}` }
    const sent = request(`${started.url}/openai/files`, { agent, method, headers }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject)
    sent.end(body)
  })
}
