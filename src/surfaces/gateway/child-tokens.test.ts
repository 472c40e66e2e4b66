import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { composeKeymux } from '../../compose.js'
import type { Keymux } from '../../domain/keymux.js'
import { ok, startScriptedUpstream } from '../../entries/testing.js'
import { createMemoryStore } from '../../storage/memory/index.js'
import { readPrivateFile } from '../../system/safe-file.js'
import type { ScriptedUpstream } from '../../testing/scripted-upstream.js'
import { childToken } from './find.js'
import { serveGateway } from './gateway.js'
import { newToken, TokenCheck } from './token.js'
import type { Gateway, GatewayOptions } from './types.js'

let folder: string
let handle: Keymux
let upstream: ScriptedUpstream
let gateway: Gateway

const start = (options: GatewayOptions = {}): Promise<Gateway> =>
  serveGateway(handle, { port: 0, stateFolder: folder, readFile: readPrivateFile, ...options })
const running = (): { url: string; token: string } => ({ url: gateway.url ?? '', token: gateway.token })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-child-'))
  handle = await composeKeymux({
    vault: createMemoryStore().connect(),
    unlock: { keyFile: join(folder, 'key') },
    create: true,
    config: { chains: { all: ['openai', 'anthropic'] } },
    env: { XDG_STATE_HOME: folder },
  })
  upstream = await startScriptedUpstream({ script: ok() })
  for (const provider of ['openai', 'anthropic']) {
    const baseUrl = `${upstream.url}/v1`
    await handle.profiles.add({ provider, name: 'a', secret: `sk-${provider}-1234567890`, baseUrl })
  }
  gateway = await start()
})
afterEach(async () => {
  await gateway.close({ drainMs: 0 })
  await upstream.close()
  await handle.close()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(path: string, token: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${gateway.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
  })
  await response.text()
  return response.status
}
const chat = { method: 'POST', body: JSON.stringify({ model: 'gpt-4o', messages: [] }) }

describe('the token of one program', () => {
  test('opens the accounts of its providers, and nothing else', async () => {
    const child = await childToken(running(), ['openai'])
    expect(child.token).not.toBe(gateway.token)
    expect(await ask('/openai/chat/completions', child.token, chat)).toBe(200)
    expect(await ask('/openai:a/chat/completions', child.token, chat)).toBe(200)
    for (const path of [
      '/anthropic/v1/messages',
      '/@all/chat/completions',
      '/api/profiles',
      '/api/tools',
      '/api/child-tokens',
      '/metrics',
    ]) {
      expect([path, await ask(path, child.token, path.startsWith('/a') ? chat : {})]).toEqual([path, 403])
    }
    expect(await ask('/api/profiles', gateway.token)).toBe(200)
    child.release()
  })

  test('is gone with the connection that it was asked for on', async () => {
    const [one, two] = [await childToken(running(), ['openai']), await childToken(running(), ['openai'])]
    one.release()
    await expect.poll(() => ask('/openai/chat/completions', one.token, chat)).toBe(401)
    expect(await ask('/openai/chat/completions', two.token, chat)).toBe(200)
    two.release()
  })

  test('does not keep the gateway from ending', async () => {
    const child = await childToken(running(), ['openai'])
    expect(await gateway.close({ drainMs: 60_000 })).toBe(0)
    child.release()
  })

  test('is asked for with the gateway’s own token, for providers that are there', async () => {
    const mint = (token: string, body: unknown): Promise<number> =>
      ask('/api/child-tokens', token, { method: 'POST', body: JSON.stringify(body) })
    const child = await childToken(running(), ['openai'])
    expect(await mint(child.token, { providers: ['openai'] })).toBe(403)
    expect(await mint(newToken(), { providers: ['openai'] })).toBe(401)
    for (const body of [{}, { providers: [] }, { providers: ['nobody'] }, { providers: [7] }, [], 'x']) {
      expect([body, await mint(gateway.token, body)]).toEqual([body, 400])
    }
    child.release()
  })

  test('is the only one of a gateway that one program starts', async () => {
    await gateway.close({ drainMs: 0 })
    gateway = await start({ announce: false, providers: ['openai'] })
    expect(await ask('/openai/chat/completions', gateway.token, chat)).toBe(200)
    for (const path of ['/anthropic/v1/messages', '/api/profiles', '/metrics', '/@all/chat/completions'])
      expect([path, await ask(path, gateway.token, {})]).toEqual([path, 403])
    await expect(childToken(running(), ['openai'])).rejects.toMatchObject({ code: 'gateway_not_found' })
  })
})

describe('who took the port of a gateway that has ended', () => {
  test('and knows no token gets none', async () => {
    const seen: string[] = []
    const squatter = createServer((request, response) => {
      seen.push(JSON.stringify(request.rawHeaders))
      response.end('{"status":"ok","proof":"made-up"}')
    })
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(squatter.address() as AddressInfo).port}`
    const token = newToken()
    await expect(childToken({ url, token }, ['openai'])).rejects.toMatchObject({ code: 'gateway_not_found' })
    expect(seen).toHaveLength(1)
    expect(seen.join()).not.toContain(token)
    squatter.close()
  })

  test('between the proof and the question gets none either', async () => {
    const token = newToken()
    const received: string[] = []
    const sockets: Socket[] = []
    const port = await new Promise<number>((resolve) => {
      const server = createNetServer((socket) => {
        sockets.push(socket)
        const first = sockets.length === 1
        socket.on('error', () => {})
        socket.on('data', (bytes) => {
          received.push(bytes.toString('latin1'))
          if (!first) return
          const challenge = /x-keymux-challenge: (\S+)/i.exec(bytes.toString())?.[1] ?? ''
          const { port: own } = server.address() as AddressInfo
          const proof = new TokenCheck(token).prove(challenge, `http://127.0.0.1:${own}`)
          const body = JSON.stringify({ status: 'ok', proof })
          // The gateway proves itself, and ends: the next connection is somebody else's.
          socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
        })
      })
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
      server.unref()
    })
    const asked = childToken({ url: `http://127.0.0.1:${port}`, token }, ['openai'])
    await expect(asked).rejects.toMatchObject({ code: 'gateway_not_found' })
    expect(received.join()).not.toContain(token)
    for (const socket of sockets) socket.destroy()
  })
})
