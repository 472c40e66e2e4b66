import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import type { LoginResult, LoginTarget } from '../../src/domain/logins.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'

const place = vi.hoisted(() => ({ tokenEndpoint: '' }))
vi.mock('../../src/providers/openrouter.js', async (original) => {
  const real = await original<typeof import('../../src/providers/openrouter.js')>()
  const moved = Object.defineProperty({ ...real.openrouter.login }, 'tokenEndpoint', {
    enumerable: true,
    get: () => place.tokenEndpoint,
  })
  return { openrouter: { ...real.openrouter, login: moved } }
})

let server: Server
let keymux: Keymux
/** Whose keys are given out; null where the provider does not say. */
let user: string | null = 'user-1'
let minted: string[] = []

beforeEach(async () => {
  minted = []
  server = createServer((request, response) => {
    request.resume()
    const key = `sk-or-v1-${String(minted.length).padStart(8, '0')}`
    minted.push(key)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ key, user_id: user }))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  place.tokenEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  keymux = await openKeymux({
    vault: createMemoryStore().connect(),
    unlock: { passphrase: 'test' },
    create: true,
  })
})
afterEach(async () => {
  await keymux.close()
  await new Promise((resolve) => server.close(resolve))
})

async function logIn(as: string | null, target: Partial<LoginTarget> = {}): Promise<LoginResult> {
  user = as
  const attempt = await (await keymux.logins()).browser({ provider: 'openrouter', ...target })
  try {
    const callback = new URL(attempt.url).searchParams.get('callback_url') ?? ''
    const completed = attempt.complete()
    completed.catch(() => {})
    await (await fetch(`${callback}?code=the-code`)).text()
    return await completed
  } finally {
    await attempt.close()
  }
}

async function keyOf(id: string): Promise<string | undefined> {
  return (await keymux.profiles.get(id))?.apiKey?.key
}

test('accounts stand side by side without being named, and each is renewed by its own login', async () => {
  expect(await logIn('user-1')).toEqual({ profileId: 'openrouter:default', renewed: false })
  expect(await logIn('user-2')).toEqual({ profileId: 'openrouter:default-2', renewed: false })
  expect(await logIn('user-1')).toEqual({ profileId: 'openrouter:default', renewed: true })
  expect(await logIn('user-2')).toEqual({ profileId: 'openrouter:default-2', renewed: true })
  expect(await logIn(null)).toEqual({ profileId: 'openrouter:default-3', renewed: false })
  expect(await keyOf('openrouter:default')).toBe(minted[2])
})

test('a key whose account is not known is refused before another one is made', async () => {
  await keymux.profiles.add({ provider: 'openrouter', name: 'byhand', secret: 'sk-or-v1-by-hand' })
  await expect(logIn('user-1', { name: 'byhand' })).rejects.toMatchObject({
    code: 'profile_exists',
    hint: expect.stringContaining('--replace'),
  })
  expect(minted).toEqual([])
  expect(await logIn('user-1')).toMatchObject({ profileId: 'openrouter:default' })
})

test('with replace it takes its place, also where the provider names nobody', async () => {
  expect(await logIn(null, { name: 'two' })).toMatchObject({ renewed: false })
  await expect(logIn(null, { name: 'two' })).rejects.toMatchObject({ code: 'profile_exists' })
  expect(minted).toHaveLength(1)
  expect(await logIn(null, { name: 'two', replace: true })).toMatchObject({ renewed: true })
  expect(await keyOf('openrouter:two')).toBe(minted[1])
})

test('the key of another account stays, and it is said where the new one can be deleted', async () => {
  await logIn('user-1', { name: 'work' })
  await expect(logIn('user-2', { name: 'work', replace: true })).rejects.toMatchObject({
    code: 'conflict',
    message: 'openrouter:work is the key of another account',
    hint: expect.stringMatching(/new key .* delete it at https:\/\/openrouter\.ai\/settings\/keys/),
  })
  expect(await keyOf('openrouter:work')).toBe(minted[0])
})

test('only the address that this login ends at is taken when it is pasted', async () => {
  const attempt = await (await keymux.logins()).browser({ provider: 'openrouter' })
  const callback = new URL(attempt.url).searchParams.get('callback_url') ?? ''
  const completed = attempt.complete()
  const wrong = ['code=X', `?code=X`, 'https://evil.example/?code=X', `${new URL(callback).origin}/?code=X`]
  for (const address of [...wrong, `${callback}/x?code=X`, callback.replace('http:', 'https:')])
    expect(() => attempt.paste(address)).toThrow('that is not the address this login ends at')
  expect(minted).toEqual([])
  attempt.paste(`${callback}?code=X`)
  expect(await completed).toMatchObject({ profileId: 'openrouter:default' })
  await attempt.close()
})
