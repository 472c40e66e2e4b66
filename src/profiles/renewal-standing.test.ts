import { describe, expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { openKeymux } from '../compose.js'
import type { NoUsableProfileError } from '../domain/errors.js'
import type { OAuthTokenRefresher } from '../domain/ports.js'
import type { OAuthCredential } from '../domain/profile.js'
import type { FailureReason } from '../domain/usage.js'
import { OAuthError } from '../oauth/errors.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'

const MINUTE = 60_000
const ID = 'gemini:me'

type Tokens = Omit<OAuthCredential, 'provider' | 'profileName'>

function login(leftMs: number, now: Date, more: Partial<Tokens> = {}): Tokens {
  return {
    accessToken: 'at-1',
    refreshToken: 'rt-1',
    expiresAt: new Date(now.getTime() + leftMs),
    issuedAt: new Date(now.getTime() + leftMs - 60 * MINUTE),
    ...more,
  }
}

function failing(reason: FailureReason, retryAfterMs = 0): OAuthTokenRefresher & { calls: number } {
  const refresher = {
    calls: 0,
    refreshToken: async () => {
      refresher.calls += 1
      throw new OAuthError('refresh_failed', 'it failed', { reason, delivery: 'answered', retryAfterMs })
    },
  }
  return refresher
}

const refusal = async (work: Promise<unknown>): Promise<NoUsableProfileError> =>
  work.then(
    () => Promise.reject(new Error('it was handed out')),
    (error: unknown) => error as NoUsableProfileError,
  )

describe('a login that has expired and whose renewal failed', () => {
  test('waits: the first refusal, every further one and its state tell the same', async () => {
    const refresher = failing('auth_permanent')
    const { profiles, resolver, clock, close } = await openTestHandle({ refresher })
    await profiles.add({ provider: 'gemini', name: 'me', oauth: login(-MINUTE, clock.now()) })
    const retryAt = new Date(clock.now().getTime() + 5_000)
    const reasons = [{ profileId: ID, state: 'cooling', reason: 'auth_permanent', until: retryAt }]
    for (const error of [
      await refusal(resolver.resolve('gemini')),
      await refusal(resolver.resolve('gemini')),
    ]) {
      expect(error).toMatchObject({ code: 'no_usable_profile', retryAt, reasons })
      expect(error.hint).toContain('keymux login gemini:me --client-id')
    }
    expect(refresher.calls).toBe(1)
    expect(await profiles.view(ID)).toMatchObject({
      state: 'cooling',
      expired: true,
      unusableUntil: retryAt,
      unusableReason: 'auth_permanent',
      renewal: { retryAt, reason: 'auth_permanent' },
    })
    clock.advance(5_000)
    expect(await profiles.view(ID)).toMatchObject({ state: 'available', expired: true })
    await refusal(resolver.resolve('gemini'))
    expect(refresher.calls).toBe(2)
    await close()
  })

  test('is left for another one without being asked again, and reset lifts the wait', async () => {
    const refresher = failing('server_error')
    const { profiles, resolver, clock, close } = await openTestHandle({ refresher })
    await profiles.add({ provider: 'gemini', name: 'me', oauth: login(-MINUTE, clock.now()), priority: 9 })
    await profiles.add({ provider: 'gemini', name: 'key', secret: 'AIza' })
    for (const attempted of [[ID, 'gemini:key'], ['gemini:key']]) {
      expect((await resolver.resolve('gemini')).attemptedProfiles).toEqual(attempted)
    }
    expect(await profiles.reset(ID)).toEqual([ID])
    expect((await profiles.view(ID)).state).toBe('available')
    await resolver.resolve('gemini')
    expect(refresher.calls).toBe(2)
    await close()
  })

  test('is handed out as long as its token is good, and set aside by itself from then on', async () => {
    const refresher = failing('rate_limit', MINUTE)
    const { profiles, resolver, renewer, clock, close } = await openTestHandle({ refresher })
    await profiles.add({ provider: 'gemini', name: 'me', oauth: login(35_000, clock.now()) })
    await expect(renewer?.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    for (const ms of [0, 4_999]) {
      clock.advance(ms)
      expect(await profiles.view(ID)).toMatchObject({ state: 'available', expired: true })
      expect((await resolver.resolve('gemini')).credential).toBe('at-1')
    }
    clock.advance(1)
    const retryAt = new Date(clock.now().getTime() + 55_000)
    expect(await profiles.view(ID)).toMatchObject({ state: 'cooling', unusableUntil: retryAt })
    expect(await refusal(resolver.resolve('gemini'))).toMatchObject({ retryAt })
    expect(refresher.calls).toBe(1)
    await close()
  })

  test('waits in every process, under its new name too', async () => {
    const store = createMemoryStore()
    const refresher = failing('server_error')
    const clock = createFakeClock()
    const [one, two] = [
      await openTestHandle({ refresher, clock, store: store.connect() }),
      await openTestHandle({ refresher, clock, store: store.connect() }),
    ]
    await one.profiles.add({ provider: 'gemini', name: 'me', oauth: login(-MINUTE, clock.now()) })
    await refusal(one.resolver.resolve('gemini'))
    expect((await two.profiles.view(ID)).state).toBe('cooling')
    await two.profiles.rename(ID, 'other')
    for (const { profiles } of [one, two]) {
      expect((await profiles.view('gemini:other')).state).toBe('cooling')
    }
    await two.profiles.delete('gemini:other')
    await two.profiles.add({ provider: 'gemini', name: 'other', oauth: login(-MINUTE, clock.now()) })
    expect((await one.profiles.view('gemini:other')).state).toBe('available')
    await Promise.all([one.close(), two.close()])
  })
})

describe('a login that nothing can renew', () => {
  const corp = { oauth: { issuer: 'http://127.0.0.1:9', client_id: 'c' } }
  const settings = { label: 'Corp', base_url: 'http://127.0.0.1:9/v1', ...corp }

  async function open(providers: Record<string, Record<string, unknown>> = {}) {
    const clock = createFakeClock()
    const keymux = await openKeymux({
      vault: createMemoryStore().connect(),
      unlock: { passphrase: 'test' },
      create: true,
      clock,
      config: { providers },
    })
    return { keymux, clock }
  }

  test.each([
    ['gemini:me', {}, 'run keymux login gemini:me --client-id ID'],
    ['anthropic:me', { clientId: 'theirs' }, 'run keymux login anthropic:me'],
  ])('%s has expired for good once its token has', async (id, more, hint) => {
    const { keymux, clock } = await open()
    const [provider = '', name = ''] = id.split(':')
    await keymux.profiles.add({ provider, name, oauth: login(10 * MINUTE, clock.now(), more) })
    expect(await keymux.profiles.view(id)).toMatchObject({ state: 'available', renewable: false })
    clock.advance(6 * MINUTE)
    expect(await keymux.profiles.view(id)).toMatchObject({ state: 'expired', valid: false })
    expect(await refusal(keymux.resolver.resolve(provider))).toMatchObject({
      reasons: [{ state: 'expired' }],
      hint,
    })
    await keymux.close()
  })

  test('can be renewed with a client of its own', async () => {
    const { keymux, clock } = await open()
    await keymux.profiles.add({
      provider: 'gemini',
      name: 'me',
      oauth: login(-MINUTE, clock.now(), { clientId: 'mine' }),
    })
    expect(await keymux.profiles.view(ID)).toMatchObject({ state: 'available', renewable: true })
    await keymux.close()
  })

  test('counts again as soon as its provider is configured', async () => {
    const { keymux, clock } = await open({ corp: settings })
    await keymux.profiles.add({ provider: 'corp', name: 'me', oauth: login(-MINUTE, clock.now()) })
    expect(await keymux.profiles.view('corp:me')).toMatchObject({ state: 'available', renewable: true })
    const { config } = keymux
    keymux.reconfigure({ ...config, providers: {} })
    expect(await keymux.profiles.view('corp:me')).toMatchObject({
      state: 'expired',
      renewable: false,
      renewalHint: 'declare it again with keymux providers add FILE',
    })
    keymux.reconfigure(config)
    expect(await keymux.profiles.view('corp:me')).toMatchObject({ state: 'available', renewable: true })
    await keymux.close()
  })
})
