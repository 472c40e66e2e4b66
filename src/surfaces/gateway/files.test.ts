import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readPrivateFile } from '../../system/safe-file.js'
import { GatewayFiles } from './files.js'
import { findGateway } from './find.js'
import { followToken, ownToken } from './own-token.js'
import { newToken, TokenCheck } from './token.js'

const VAULT = 'aabbccddeeff00112233445566778899'
let folder: string
let files: GatewayFiles

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-gateway-'))
  files = new GatewayFiles(folder, VAULT, readPrivateFile)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the files of a gateway', () => {
  test('are for their owner alone', async () => {
    await files.writeToken('a-token-of-some-length')
    await files.writeRecord({ url: 'http://127.0.0.1:1', pid: 7, startedAt: '2026-01-01T00:00:00Z' })
    for (const name of readdirSync(join(folder, 'gateways'))) {
      expect(statSync(join(folder, 'gateways', name)).mode & 0o777).toBe(0o600)
    }
    expect(statSync(join(folder, 'gateways')).mode & 0o777).toBe(0o700)
    expect(await files.readToken()).toBe('a-token-of-some-length')
  })

  test('are one token for all gateways that start at once on a vault that has none', async () => {
    const none = { token: undefined, rotate: false }
    const all = await Promise.all(Array.from({ length: 20 }, () => ownToken(files, none)))
    expect(new Set([...all, await files.readToken()]).size).toBe(1)
    expect(readdirSync(join(folder, 'gateways'))).toEqual([basename(files.tokenPath)])
  })

  test('an empty file is no token, and is written over', async () => {
    await files.writeToken('')
    const token = await ownToken(files, { token: undefined, rotate: false })
    expect(await files.readToken()).toBe(token)
  })

  test('a token that was rotated while the gateway began counts', async () => {
    const check = new TokenCheck(await ownToken(files, { token: undefined, rotate: false }))
    const rotated = await ownToken(files, { token: undefined, rotate: true })
    const heard = new Promise<void>((resolve) => {
      const set = check.set.bind(check)
      check.set = (token) => {
        set(token)
        resolve()
      }
    })
    const unfollow = followToken(files, check, undefined)
    await heard
    unfollow()
    expect(check.is(rotated)).toBe(true)
  })

  test('a token that others can read is refused, with the command that mends it', async () => {
    await files.writeToken('a-token-of-some-length')
    chmodSync(files.tokenPath, 0o644)
    await expect(files.readToken()).rejects.toMatchObject({
      code: 'unsafe_permissions',
      hint: expect.stringContaining('chmod 600'),
    })
  })

  test.skipIf(process.getuid?.() !== 0)("are not another user's, to root either", async () => {
    await files.writeToken('a-token-of-some-length')
    await files.writeRecord({ url: 'http://127.0.0.1:1', pid: 7, startedAt: '2026-01-01T00:00:00Z' })
    for (const name of readdirSync(join(folder, 'gateways'))) {
      chownSync(join(folder, 'gateways', name), 65_534, 0)
    }
    await expect(files.readToken()).rejects.toMatchObject({ code: 'unsafe_permissions' })
    expect(await files.records()).toEqual([])
  })

  test('records are told by vault, the latest first, and damaged ones left out', async () => {
    const other = new GatewayFiles(folder, '00'.repeat(16), readPrivateFile)
    await other.writeRecord({ url: 'http://127.0.0.1:9', pid: 9, startedAt: '2026-01-09T00:00:00Z' })
    await files.writeRecord({ url: 'http://127.0.0.1:1', pid: 1, startedAt: '2026-01-01T00:00:00Z' })
    await files.writeRecord({ socket: '/run/x', pid: 2, startedAt: '2026-01-02T00:00:00Z' })
    writeFileSync(join(folder, 'gateways', `${VAULT}.3.json`), '{"url":', { mode: 0o600 })
    writeFileSync(
      join(folder, 'gateways', `${VAULT}.4.json`),
      '{"url":"http://evil","pid":4,"started_at":"2026-01-04T00:00:00Z"}',
      { mode: 0o644 },
    )
    expect((await files.records()).map(({ pid }) => pid)).toEqual([2, 1])
    await files.removeRecord(2)
    expect((await files.records()).map(({ pid }) => pid)).toEqual([1])
  })
})

describe('finding the running gateway', () => {
  async function impostor(
    answer: (challenge: string, url: string) => string | Promise<string>,
  ): Promise<{ url: string; seen: string[]; close: () => void }> {
    const seen: string[] = []
    const server = createServer(async (request, response) => {
      seen.push(JSON.stringify([request.url, request.rawHeaders]))
      response.end(
        await answer(String(request.headers['x-keymux-challenge']), `http://${request.headers.host}`),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      seen,
      close: () => server.close(),
    }
  }

  test('takes the one that proves that it knows the token', async () => {
    const token = newToken()
    await files.writeToken(token)
    const real = await impostor((challenge, url) =>
      JSON.stringify({ status: 'ok', proof: new TokenCheck(token).prove(challenge, url) }),
    )
    await files.writeRecord({ url: real.url, pid: process.pid, startedAt: '2026-01-01T00:00:00Z' })
    expect(await findGateway(folder, VAULT, readPrivateFile)).toEqual({ url: real.url, token })
    real.close()
  })

  test('passes over one that has the question answered by the gateway itself', async () => {
    const token = newToken()
    await files.writeToken(token)
    const real = await impostor((challenge, url) =>
      JSON.stringify({ status: 'ok', proof: new TokenCheck(token).prove(challenge, url) }),
    )
    const fake = await impostor(async (challenge) => {
      const headers = { 'x-keymux-challenge': challenge }
      return (await fetch(`${real.url}/healthz`, { headers })).text()
    })
    await files.writeRecord({ url: fake.url, pid: process.pid, startedAt: '2026-01-01T00:00:00Z' })
    expect(await findGateway(folder, VAULT, readPrivateFile)).toBeUndefined()
    expect(real.seen).toHaveLength(1)
    expect(fake.seen.join()).not.toContain(token)
    for (const server of [real, fake]) server.close()
  })

  test.each([
    ['one that proves nothing', () => '{"status":"ok"}'],
    ['one that proves something else', () => '{"status":"ok","proof":"AAAA"}'],
    ['one that talks nonsense', () => '<html>'],
    ['one that talks without end', () => 'x'.repeat(100_000)],
  ])('passes over %s, and does not send it the token', async (_what, answer) => {
    const token = newToken()
    await files.writeToken(token)
    const fake = await impostor(answer)
    await files.writeRecord({ url: fake.url, pid: process.pid, startedAt: '2026-01-01T00:00:00Z' })
    expect(await findGateway(folder, VAULT, readPrivateFile)).toBeUndefined()
    expect(fake.seen).toHaveLength(1)
    expect(fake.seen.join()).not.toContain(token)
    fake.close()
  })

  test('passes over a process that is gone, without asking its address', async () => {
    await files.writeToken(newToken())
    const fake = await impostor(() => '{}')
    // Beyond any number that Linux, macOS or Windows gives to a process.
    await files.writeRecord({ url: fake.url, pid: 2 ** 30, startedAt: '2026-01-01T00:00:00Z' })
    expect(await findGateway(folder, VAULT, readPrivateFile)).toBeUndefined()
    expect(fake.seen).toEqual([])
    fake.close()
  })

  test('there is none without a token or a record', async () => {
    expect(await findGateway(folder, VAULT, readPrivateFile)).toBeUndefined()
    await files.writeToken(newToken())
    expect(await findGateway(folder, VAULT, readPrivateFile)).toBeUndefined()
  })
})
