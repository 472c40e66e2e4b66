import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ForwardingLab, openForwarding } from '../../test/support/forwarding.js'

// What no HTTP library would send: bytes written to the connection as they are.
let lab: ForwardingLab
let bytes: Buffer = Buffer.alloc(0)
const sockets = new Set<Socket>()
const server = createServer((socket) => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.once('data', () => socket.end(bytes))
})

beforeAll(async () => {
  lab = await openForwarding()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await lab.add('a', { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  server.close()
  await lab[Symbol.asyncDispose]()
})

async function outcome(answer: Buffer): Promise<{ status: number; statusText: string; body: string }> {
  bytes = answer
  await lab.handle.profiles.reset()
  const response = await lab
    .fetch()('https://api.openai.com/v1/models')
    .catch((error: unknown) => {
      expect(error).toBeInstanceOf(TypeError)
      return Response.error()
    })
  const { status, statusText } = response
  return { status, statusText, body: await response.text().catch(() => 'broken') }
}

test.each([
  ['a reason phrase in Latin-1', 'HTTP/1.1 200 D\xe9j\xe0 vu\r\ncontent-length: 2\r\n\r\nok', 200],
  [
    'a reason phrase in UTF-8',
    Buffer.from('HTTP/1.1 200 日本\r\ncontent-length: 2\r\n\r\nok').toString('latin1'),
    200,
  ],
  ['header values in Latin-1', 'HTTP/1.1 200 OK\r\nx: D\xe9j\xe0\r\ncontent-length: 2\r\n\r\nok', 200],
  ['control characters in a header', 'HTTP/1.1 200 OK\r\nx: a\x01b\x7f\r\ncontent-length: 2\r\n\r\nok', 0],
  ['no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', 200],
  ['HTTP/1.0 without a length', 'HTTP/1.0 200 OK\r\n\r\nok', 200],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok', 0],
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    0,
  ],
  ['chunks that are none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n', 0],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok', 0],
  ['a status of 999', 'HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\nok', 502],
  ['a switch of protocols', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 0],
  ['only informational answers', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n', 0],
  ['headers larger than they may be', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 0],
  [
    'two answers',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad',
    200,
  ],
])('%s', async (_name, text, status) => {
  const { status: got, body } = await outcome(Buffer.from(text, 'latin1'))
  expect(got).toBe(status)
  if (status === 200) expect(body).toBe('ok')
})

test('any bytes whatever: an answer or what fetch throws, never a crash', async () => {
  const head = fc.constantFrom(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n',
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n',
    'HTTP/1.1 429 Too Many Requests\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\n',
    'HTTP/1.1 500 \r\n',
    '',
  )
  await fc.assert(
    fc.asyncProperty(head, fc.uint8Array({ maxLength: 80 }), async (start, rest) => {
      const { status } = await outcome(Buffer.concat([Buffer.from(start), rest]))
      expect(status === 0 || (status >= 200 && status < 600)).toBe(true)
    }),
    { numRuns: 60 },
  )
})
