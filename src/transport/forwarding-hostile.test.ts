import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openForwarding, readBody } from '../../test/support/forwarding.js'
import { SELF_SIGNED } from '../../test/support/self-signed.js'
import type { Answer } from '../domain/forwarding.js'
import { badKey, garbage, redirect, reply, reset } from '../entries/testing.js'
import { headerObject } from './headers.js'

async function json(answer: Answer): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse((await readBody(answer)).toString())
}

describe('a server that cannot be trusted', () => {
  async function secureServer(): Promise<
    { readonly url: string; readonly seen: string[] } & AsyncDisposable
  > {
    const seen: string[] = []
    const server = createServer(SELF_SIGNED, (request, response) => {
      seen.push(request.headers.authorization ?? '')
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      url: `https://127.0.0.1:${port}`,
      seen,
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
    }
  }

  test('for its certificate: no credential is sent, the next profile is tried', async () => {
    await using server = await secureServer()
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: server.url, priority: 1 })
    const alone = await lab.forward()
    expect(alone).toMatchObject({ kind: 'unreachable', status: 502, attempts: 1 })
    expect((await json(alone)).error?.message).toMatch(/certificate of the server of openai .*SELF_SIGNED/)
    await lab.add('b')
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:b', attempts: 2 })
    expect(server.seen).toEqual([])
  })

  test('for it speaks no TLS where it should', async () => {
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: `https://127.0.0.1:${lab.upstream.port}` })
    expect(await lab.forward()).toMatchObject({ kind: 'unreachable', status: 502 })
    expect(lab.upstream.requests).toHaveLength(0)
  })

  test('for it speaks no TLS at all, on another machine', async () => {
    await using lab = await openForwarding()
    // The manager refuses such base URLs; one may come from elsewhere all the same.
    const view = lab.handle.resolver.resolve.bind(lab.handle.resolver)
    await lab.add('a')
    lab.handle.resolver.resolveNow = () => undefined
    lab.handle.resolver.resolve = async (...call) => {
      const found = await view(...call)
      return { ...found, profile: { ...found.profile, baseUrl: 'http://api.example.com/v1' } }
    }
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 502, attempts: 0 })
    expect((await json(answer)).error?.message).toContain('base URL')
  })
})

describe('secrets', () => {
  test('an error that repeats the key is passed on without it, compressed or not', async () => {
    const text = JSON.stringify({
      error: { message: 'Malformed request with key-marker-0123456789', type: 'invalid_request_error' },
    })
    for (const [body, headers] of [
      [text, {}],
      [gzipSync(text), { 'content-encoding': 'gzip' }],
    ] as const) {
      await using lab = await openForwarding({
        script: reply(400, body, {
          ...headers,
          'content-type': 'application/json',
          'x-echo': 'Bearer key-marker-0123456789',
        }),
      })
      await lab.add('a', { secret: 'key-marker-0123456789' })
      const answer = await lab.forward()
      const bytes = await readBody(answer)
      expect(bytes.toString()).toContain('[redacted]')
      expect(JSON.stringify(answer) + bytes.toString() + lab.logged.join()).not.toContain('key-marker')
      expect(headerObject(answer.headers)).toMatchObject({ 'content-length': String(bytes.length) })
      expect(headerObject(answer.headers)['content-encoding']).toBeUndefined()
    }
  })

  const KEY = 'sk-marker"with/quotes-0123456789'
  const FORMS = [KEY, JSON.stringify(KEY).slice(1, -1), btoa(`user:${KEY}`), encodeURIComponent(KEY)]

  test.each<[string, (response: ServerResponse) => void]>([
    ['the reason phrase', (response) => response.writeHead(400, `bad ${KEY}`).end('{}')],
    ['an error, in base64', (response) => response.writeHead(400).end(FORMS[2])],
    [
      'an error, in JSON',
      (response) => response.writeHead(400).end(JSON.stringify({ error: { message: KEY } })),
    ],
    [
      'an error larger than what is held',
      (response) => response.writeHead(400).end(`${'x'.repeat(65_530)}${KEY}${'y'.repeat(70_000)}${KEY}`),
    ],
    [
      'an error in an unknown coding',
      (response) => response.writeHead(400, { 'content-encoding': 'zstd' }).end(KEY),
    ],
    [
      'a large error that is compressed',
      (response) =>
        response
          .writeHead(400, { 'content-encoding': 'gzip' })
          .end(gzipSync(Buffer.concat([randomBytes(80_000), Buffer.from(KEY)]))),
    ],
    [
      'a header of a success, in base64',
      (response) =>
        response.writeHead(200, { 'x-debug': `Basic ${FORMS[2]}`, 'x-link': `?k=${FORMS[3]}` }).end('{}'),
    ],
    [
      'a success',
      (response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ echo: KEY, ok: 1 })),
    ],
  ])('%s that repeats the key is passed on without it', async (_what, respond) => {
    const server = createHttpServer((message, response) => {
      message.resume()
      respond(response)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using lab = await openForwarding()
    await lab.add('a', { secret: KEY, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const answer = await lab.forward()
    const bytes = await readBody(answer)
    const seen = [...answer.headers, answer.statusText, bytes.toString('latin1'), inflated(answer, bytes)]
    for (const form of FORMS) expect(seen.some((text) => text.includes(form))).toBe(false)
    const stated = headerObject(answer.headers)['content-length']
    if (stated !== undefined) expect(bytes.length).toBe(Number(stated))
    server.closeAllConnections()
    server.close()
  })

  function inflated(answer: Answer, bytes: Buffer): string {
    if (headerObject(answer.headers)['content-encoding'] !== 'gzip') return ''
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1')
  }

  test('pieces of a long error that hold no key come through as they are', async () => {
    const text = `{"error":"${'ü€😀'.repeat(12_000)}"}`
    const server = createHttpServer((message, response) => {
      message.resume()
      response.writeHead(400).end(text)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    expect((await readBody(await lab.forward())).toString()).toBe(text)
    server.closeAllConnections()
    server.close()
  })

  test('no credential in what is thrown, logged or kept', async () => {
    const marker = 'sk-marker-abcdefghijklmnop'
    for (const script of [
      badKey({ message: `Incorrect key: ${marker}` }),
      reset(),
      garbage({ http: false }),
      redirect(`https://x/${marker}`),
    ]) {
      await using lab = await openForwarding({ script })
      await lab.add('a', { secret: marker })
      const answer = await lab.forward()
      const view = await lab.handle.profiles.view('openai:a')
      const seen = [
        JSON.stringify(answer),
        (await readBody(answer)).toString(),
        answer.error?.stack,
        JSON.stringify(view),
        lab.logged.join(),
      ]
      expect(seen.join()).not.toContain(marker)
    }
  })
})
