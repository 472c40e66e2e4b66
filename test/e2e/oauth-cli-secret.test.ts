import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type CliVault, makeCliVault } from '../support/cli-vault.js'
import type { Outcome } from '../transcripts/fake-host.js'

const place = vi.hoisted(() => ({ url: '' }))
vi.mock('../../src/providers/gemini.js', async (original) => {
  const real = await original<typeof import('../../src/providers/gemini.js')>()
  const moved = Object.defineProperties(
    { ...real.gemini.login },
    Object.fromEntries(
      ['authorization', 'token', 'revocation'].map((name) => [
        `${name}Endpoint`,
        { enumerable: true, get: () => `${place.url}/${name}` },
      ]),
    ),
  )
  return { gemini: { ...real.gemini, login: moved } }
})

const CLIENT = '123-abc.apps.googleusercontent.com'
const SECRET = `oauth-client:gemini:${CLIENT}`
const ID = 'gemini:me@example.com'

let server: Server
let vault: CliVault
let folder: string
/** The client secrets that the token endpoint was sent. */
let sent: string[]
beforeEach(async () => {
  sent = []
  server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  place.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  folder = mkdtempSync(join(tmpdir(), 'keymux-browser-'))
  const browser = join(folder, 'browser.mjs')
  writeFileSync(browser, `#!${process.execPath}\nawait (await fetch(process.argv[2])).text()\n`)
  chmodSync(browser, 0o755)
  vault = makeCliVault()
})
afterEach(async () => {
  vault.dispose()
  rmSync(folder, { recursive: true, force: true })
  await new Promise((resolve) => server.close(resolve))
})

const answer: Parameters<typeof createServer>[1] = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url ?? '/', place.url)
  if (url.pathname === '/authorization') {
    const back = new URL(url.searchParams.get('redirect_uri') ?? '')
    back.searchParams.set('state', url.searchParams.get('state') ?? '')
    back.searchParams.set('code', 'the-code')
    response.writeHead(302, { location: back.href }).end()
    return
  }
  const fields = new URLSearchParams(Buffer.concat(chunks).toString())
  if (url.pathname === '/token') sent.push(fields.get('client_secret') ?? '')
  const good = fields.get('client_secret') === 'right'
  const claims = { aud: CLIENT, iss: 'https://accounts.google.com', sub: '1', email: 'me@example.com' }
  const token = {
    access_token: 'at',
    refresh_token: 'rt',
    expires_in: 3_600,
    id_token: `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`,
  }
  response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' })
  response.end(JSON.stringify(good ? token : { error: 'invalid_client' }))
}

function login(args: readonly string[], answers?: readonly (string | undefined)[]): Promise<Outcome> {
  const env = { BROWSER: join(folder, 'browser.mjs') }
  return vault.run(['login', ...args], { env, ...(answers === undefined ? {} : { answers }) })
}

async function secrets(): Promise<string[]> {
  const handle = await vault.open()
  const names = await handle.vault.list()
  await handle.close()
  return names
}

test('a secret is kept with the login that it made, and a login again needs to be told nothing', async () => {
  expect(await login(['gemini', '--client-id', CLIENT], ['right'])).toMatchObject({ code: 0 })
  expect(await secrets()).toEqual([SECRET])
  expect((await vault.run(['refresh', ID])).code).toBe(0)
  expect((await vault.run(['logout', ID])).code).toBe(0)
  expect(await login([ID])).toMatchObject({ code: 0, stderr: '' })
  expect(sent).toEqual(['right', 'right', 'right'])
})

test('a mistyped secret is asked for again, and only the right one is kept', async () => {
  const { code, asked } = await login(['gemini', '--client-id', CLIENT], ['worng', 'right'])
  expect(code).toBe(0)
  expect(asked).toEqual([
    `Secret of the client ${CLIENT}: `,
    `The provider refused it. Secret of the client ${CLIENT}: `,
  ])
  expect(sent).toEqual(['worng', 'right'])
  const handle = await vault.open()
  expect(await handle.vault.get(SECRET)).toBe('right')
  await handle.close()
})

test('a secret that never was right leaves nothing behind', async () => {
  expect(await login(['gemini', '--client-id', CLIENT], ['worng', ''])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('invalid_client'),
  })
  expect(await secrets()).toEqual([])
})

test('a secret that is no longer right is asked for again and replaced', async () => {
  const handle = await vault.open()
  await handle.vault.set(SECRET, 'old')
  await handle.close()
  expect((await login(['gemini', '--client-id', CLIENT], ['right'])).code).toBe(0)
  expect(sent).toEqual(['old', 'right'])
  const after = await vault.open()
  expect(await after.vault.get(SECRET)).toBe('right')
  await after.close()
})

test('a login that is refused at the end keeps no secret', async () => {
  const handle = await vault.open()
  await handle.profiles.add({
    provider: 'gemini',
    name: 'work',
    mode: 'oauth',
    oauth: {
      accessToken: 'other',
      refreshToken: 'other',
      expiresAt: new Date('2026-02-01T00:00:00Z'),
      email: 'other@example.com',
    },
  })
  await handle.close()
  expect((await login(['gemini:work', '--client-id', CLIENT], ['right'])).code).toBe(7)
  expect(await secrets()).toEqual([])
})
