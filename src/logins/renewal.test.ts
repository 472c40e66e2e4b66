import { afterEach, describe, expect, test } from 'vitest'
import type { TestHandle } from '../../test/support/handle.js'
import { openTestHandle } from '../../test/support/handle.js'
import { breakingPlace, failure, ID, openRenewing, refresherOf } from '../../test/support/renewing.js'
import { newStore } from '../compose-compat.js'
import { OAuthError } from '../oauth/errors.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'
import { createMemoryVault } from '../testing/memory-vault.js'
import { Renewer } from './renewal.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const handles: TestHandle[] = []
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close()
})

async function setUp(...args: Parameters<typeof openRenewing>): ReturnType<typeof openRenewing> {
  const renewing = await openRenewing(...args)
  handles.push(renewing.handle)
  return renewing
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('when', () => {
  test('a fresh token is served as it is', async () => {
    const { renewer, refresher } = await setUp([], {}, HOUR)
    expect((await renewer.getValidToken(ID)).accessToken).toBe('at-1')
    expect(refresher.sent).toEqual([])
  })

  test('a due one that is still good is served at once and renewed behind it', async () => {
    const { renewer, refresher, stored } = await setUp([], {}, 2 * MINUTE)
    expect((await renewer.getValidToken(ID)).accessToken).toBe('at-1')
    await tick()
    expect(refresher.sent).toEqual(['rt-1'])
    expect(await stored()).toMatchObject({ accessToken: 'at-2', refreshToken: 'rt-2', generation: 2 })
  })

  test('who is ready to wait gets the new one, as does a resolution', async () => {
    const first = await setUp([], {}, 2 * MINUTE)
    expect((await first.renewer.getValidToken(ID, { renewalWaitMs: 3_000 })).accessToken).toBe('at-2')
    const second = await setUp([], {}, 2 * MINUTE)
    const options = { renewalWaitMs: 3_000 }
    expect((await second.resolver.resolve('gemini', undefined, options)).credential).toBe('at-2')
    expect(second.refresher.sent).toEqual(['rt-1'])
  })

  test.each(['fails', 'takes longer'])('and the old one when that %s', async (how) => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = () => gate.then(() => ({}))
    const answer = how === 'fails' ? failure('server_error', 'answered') : slow
    const { resolver, clock, stored } = await setUp([answer], {}, 2 * MINUTE)
    const asked = resolver.resolve('gemini', undefined, { renewalWaitMs: 3_000 })
    await tick()
    if (how === 'takes longer') clock.advance(3_000)
    expect((await asked).credential).toBe('at-1')
    release()
    await tick()
    expect((await stored()).accessToken).toBe(how === 'fails' ? 'at-1' : 'at-2')
  })

  test('an abort ends that wait too', async () => {
    const { resolver } = await setUp([() => new Promise<never>(() => {})], {
      timing: { requestMs: 10, hardDeadlineMs: 30 },
    })
    const controller = new AbortController()
    const asked = resolver.resolve('gemini', undefined, {
      renewalWaitMs: 3_000,
      signal: controller.signal,
    })
    await tick()
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })

  test.each([
    ['a little', 4 * MINUTE, 0],
    ['much', 2 * HOUR, 1],
  ])('a login made under a clock that was %s ahead', async (_how, aheadMs, renewals) => {
    const clock = createFakeClock()
    clock.advance(aheadMs)
    const { renewer, resolver, refresher, stored } = await setUp([], { clock }, HOUR)
    const made = await stored()
    expect((await resolver.resolve('gemini')).credential).toBe('at-1')
    await renewer.saveCredential(ID, {
      ...(made as Parameters<Renewer['saveCredential']>[1]),
      issuedAt: clock.now(),
    })
    expect((await resolver.resolve('gemini')).credential).toBe('at-1')
    clock.advance(-aheadMs)
    await renewer.getValidToken(ID)
    await resolver.resolve('gemini')
    await tick()
    expect(refresher.sent).toHaveLength(renewals)
    await resolver.resolve('gemini')
    await tick()
    expect(refresher.sent).toHaveLength(renewals)
  })

  test('short-lived tokens are served for most of their life', async () => {
    const { profiles, renewer, refresher, clock } = await setUp()
    const profile = await profiles.get(ID)
    if (profile?.oauth === undefined) throw new Error('no login')
    const at = (ms: number) => new Date(clock.now().getTime() + ms)
    await profiles.save({ ...profile, oauth: { ...profile.oauth, issuedAt: at(0), expiresAt: at(2_000) } })
    expect((await renewer.getValidToken(ID)).accessToken).toBe('at-1')
    clock.advance(1_700)
    await renewer.getValidToken(ID)
    expect(refresher.sent).toEqual([])
    clock.advance(250)
    expect((await renewer.getValidToken(ID)).accessToken).toBe('at-2')
  })

  test('all who ask at once share one request', async () => {
    const { renewer, refresher } = await setUp()
    const all = await Promise.all(Array.from({ length: 20 }, () => renewer.getValidToken(ID)))
    expect(new Set(all.map(({ accessToken }) => accessToken))).toEqual(new Set(['at-2']))
    expect(refresher.sent).toEqual(['rt-1'])
  })

  test.each(['getValidToken', 'renew'] as const)('%s with an aborted signal begins nothing', async (ask) => {
    const { renewer, refresher } = await setUp([failure('server_error', 'answered')])
    const signal = AbortSignal.abort(new Error('gone'))
    await expect(renewer[ask](ID, { signal })).rejects.toThrow('gone')
    await tick()
    expect(refresher.sent).toEqual([])
  })

  test('an abort at any moment leaves no rejection that nobody hears of', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown): void => void unheard.push(error)
    process.on('unhandledRejection', hear)
    const fails = Array(40).fill(() => failure('server_error', 'answered'))
    const { resolver, renewer, profiles } = await setUp(fails)
    for (let ticks = 0; ticks < 20; ticks += 1) {
      for (const ask of [
        (signal: AbortSignal) => renewer.getValidToken(ID, { signal }),
        (signal: AbortSignal) => resolver.resolve('gemini', undefined, { signal }),
      ]) {
        const controller = new AbortController()
        const asked = ask(controller.signal)
        asked.catch(() => undefined)
        for (let turn = 0; turn < ticks; turn += 1) await Promise.resolve()
        controller.abort(new Error('gone'))
        await expect(asked).rejects.toThrow('gone')
        await tick()
        await profiles.reset(ID)
      }
    }
    process.off('unhandledRejection', hear)
    expect(unheard).toEqual([])
  })

  test('an abort ends the wait, not the work', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { renewer, stored } = await setUp([() => gate.then(() => ({}))])
    const controller = new AbortController()
    const asked = renewer.getValidToken(ID, { signal: controller.signal })
    await tick()
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    release()
    await tick()
    expect((await stored()).accessToken).toBe('at-2')
  })

  test('a refused token is renewed by force, unless a newer one is stored already', async () => {
    const { renewer, refresher } = await setUp([], {}, HOUR)
    const all = await Promise.all([
      renewer.renew(ID, { rejected: 'at-1' }),
      renewer.renew(ID, { rejected: 'at-1' }),
    ])
    expect(all.map(({ accessToken }) => accessToken)).toEqual(['at-2', 'at-2'])
    expect((await renewer.renew(ID, { rejected: 'at-1' })).accessToken).toBe('at-2')
    expect(refresher.sent).toEqual(['rt-1'])
  })

  test('logins are kept fresh ahead of time', async () => {
    const { renewer, refresher, clock, stored } = await setUp([], {}, HOUR)
    const controller = new AbortController()
    const kept = renewer.keepFresh(controller.signal)
    await tick()
    for (let minutes = 0; minutes < 54; minutes += 1) {
      clock.advance(MINUTE)
      await tick()
    }
    expect(refresher.sent).toEqual([])
    clock.advance(MINUTE)
    await tick()
    expect(refresher.sent).toEqual(['rt-1'])
    expect((await stored()).accessToken).toBe('at-2')
    controller.abort()
    await kept
  })
})

describe('kept fresh', () => {
  test('tokens that live for seconds are renewed again and again', async () => {
    const clock = createFakeClock()
    const short = () => ({ expiresAt: new Date(clock.now().getTime() + 12_000) })
    const { renewer, refresher } = await setUp(Array(10).fill(short), { clock })
    const controller = new AbortController()
    const kept = renewer.keepFresh(controller.signal)
    for (let seconds = 0; seconds < 60; seconds += 1) {
      await tick()
      clock.advance(1_000)
    }
    expect(refresher.sent.length).toBeGreaterThanOrEqual(5)
    controller.abort()
    await kept
  })

  test('many logins that are due at once are not renewed all at once', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { renewer, refresher, profiles, clock } = await setUp(Array(40).fill(() => gate.then(() => ({}))))
    for (let index = 0; index < 20; index += 1) {
      const oauth = { accessToken: `at-${index}`, refreshToken: `rt-${index}`, expiresAt: clock.now() }
      await profiles.add({ provider: 'gemini', name: `n${index}`, oauth })
    }
    const controller = new AbortController()
    const kept = renewer.keepFresh(controller.signal)
    while (refresher.sent.length < 8) await tick()
    await tick()
    expect(refresher.sent).toHaveLength(8)
    release()
    while (refresher.sent.length < 21) await tick()
    controller.abort()
    await kept
  })
})

describe('what comes back', () => {
  test('a missing refresh token keeps the old one, and all else the answer does not mention', async () => {
    const { renewer, stored, resolver } = await setUp([
      { refreshToken: undefined as unknown as string, expiresAt: new Date('2026-01-01T02:00:00Z') },
    ])
    await renewer.renew(ID)
    expect(await stored()).toMatchObject({ accessToken: 'at-2', refreshToken: 'rt-1', email: 'me@x.com' })
    expect((await resolver.resolve('gemini')).credential).toBe('at-2')
  })

  test.each([
    [{ email: 'you@x.com' }, { email: 'me@x.com' }],
    [{ metadata: { subject: '2' } }, { metadata: { subject: '1' } }],
  ])('another account (%j) is refused, not adopted', async (fresh, known) => {
    const { renewer, profiles, stored } = await setUp([fresh])
    const profile = await profiles.get(ID)
    if (profile?.oauth === undefined) throw new Error('no login')
    await profiles.save({ ...profile, oauth: { ...profile.oauth, ...known } })
    await expect(renewer.renew(ID)).rejects.toMatchObject({
      code: 'conflict',
      hint: `nothing was changed; run keymux login ${ID} with the account it is meant for`,
    })
    expect(await stored()).toMatchObject({ accessToken: 'at-1', refreshToken: 'rt-1' })
  })

  test.each([{ accessToken: '' }, { accessToken: 7 as unknown as string }])(
    'an answer without a token: %j',
    async (answer) => {
      const { renewer, stored } = await setUp([answer])
      await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
      expect((await stored()).refreshToken).toBe('rt-1')
    },
  )

  test('rate-limit windows outlive a renewal, and end with a login', async () => {
    const { renewer, profiles, stored } = await setUp()
    await profiles.markFailure(ID, 'rate_limit', { retryAfterMs: HOUR })
    await renewer.renew(ID)
    expect((await profiles.view(ID)).state).toBe('cooling')
    await renewer.saveCredential(ID, {
      ...(await stored()),
      accessToken: 'new',
      refreshToken: 'new',
    } as Parameters<Renewer['saveCredential']>[1])
    expect(await profiles.view(ID)).toMatchObject({ state: 'available', generation: 3 })
  })
})

describe('who was faster', () => {
  test('tokens that others have stored meanwhile stand, and ours are dropped', async () => {
    const memory = createMemoryStore()
    const there = await openTestHandle({ store: memory.connect() })
    handles.push(there)
    const here = await setUp(
      [
        async () => {
          const profile = await there.profiles.get(ID)
          if (profile?.oauth === undefined) throw new Error('no login')
          const oauth = { ...profile.oauth, accessToken: 'login', refreshToken: 'login-rt' }
          await there.profiles.save({ ...profile, oauth: { ...oauth, expiresAt: new Date('2027-01-01') } })
          return {}
        },
      ],
      { store: memory.connect(), clock: there.clock },
    )
    expect((await here.renewer.renew(ID)).accessToken).toBe('login')
    expect(await here.stored()).toMatchObject({
      accessToken: 'login',
      refreshToken: 'login-rt',
      generation: 2,
    })
  })

  test('invalid_grant means nothing when the tokens are no longer those', async () => {
    const memory = createMemoryStore()
    const there = await openTestHandle({ store: memory.connect() })
    handles.push(there)
    const here = await setUp(
      [
        async () => {
          const profile = await there.profiles.get(ID)
          if (profile?.oauth === undefined) throw new Error('no login')
          const oauth = { ...profile.oauth, accessToken: 'login', refreshToken: 'login-rt' }
          await there.profiles.save({ ...profile, oauth: { ...oauth, expiresAt: new Date('2027-01-01') } })
          return failure('session_expired', 'answered')
        },
      ],
      { store: memory.connect(), clock: there.clock },
    )
    expect((await here.renewer.renew(ID)).accessToken).toBe('login')
    expect((await here.stored()).loginNeeded).toBeUndefined()
  })

  test('a profile that is saved as it was before a renewal is refused', async () => {
    const { renewer, profiles, stored } = await setUp()
    const read = await profiles.get(ID)
    if (read === undefined) throw new Error('no profile')
    const old = { ...read, oauth: { ...read.oauth } } as typeof read
    await renewer.renew(ID)
    await expect(profiles.save({ ...old, priority: 5 })).rejects.toMatchObject({ code: 'conflict' })
    expect((await stored()).refreshToken).toBe('rt-2')
    expect((await profiles.update(ID, { priority: 5 })).oauth?.refreshToken).toBe('rt-2')
  })

  test('a profile renamed or changed during its renewal gets the tokens all the same', async () => {
    const { renewer, profiles } = await setUp([
      async () => {
        await profiles.update(ID, { priority: 7 })
        await profiles.rename(ID, 'other')
        return {}
      },
    ])
    expect((await renewer.renew(ID)).accessToken).toBe('at-2')
    const renamed = await profiles.get('gemini:other')
    expect(renamed?.priority).toBe(7)
    expect(renamed?.oauth).toMatchObject({ refreshToken: 'rt-2', profileName: 'other', generation: 2 })
  })

  test('a profile deleted during its renewal stays deleted', async () => {
    const { renewer, profiles } = await setUp([
      async () => {
        await profiles.delete(ID)
        return {}
      },
    ])
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'profile_not_found' })
    expect(await profiles.list()).toEqual([])
  })
})

describe('failures', () => {
  test('session_expired is terminal, keeps the row, and a new login lifts it', async () => {
    const { renewer, profiles, stored, refresher } = await setUp([failure('session_expired', 'answered')])
    await expect(renewer.getValidToken(ID)).rejects.toMatchObject({ hint: `run keymux login ${ID}` })
    await expect(renewer.renew(ID)).rejects.toMatchObject({ hint: `run keymux login ${ID}` })
    expect(refresher.sent).toEqual(['rt-1'])
    expect(await stored()).toMatchObject({ accessToken: 'at-1', refreshToken: 'rt-1', loginNeeded: true })
    expect((await profiles.view(ID)).state).toBe('invalid')
  })

  test('nothing was sent: backoff of 5 s doubling to 60 s, lifted by reset, ended by a success', async () => {
    const down = failure('timeout', 'not_sent')
    const { renewer, refresher, clock, profiles } = await setUp(Array(9).fill(down))
    const waits: number[] = []
    for (let round = 0; round < 6; round += 1) {
      await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
      const sent = refresher.sent.length
      const { renewal } = await profiles.view(ID)
      const waitMs = (renewal?.retryAt.getTime() ?? 0) - clock.now().getTime()
      waits.push(waitMs)
      clock.advance(waitMs - 1)
      await expect(renewer.renew(ID)).rejects.toMatchObject({ hint: expect.stringContaining('keymux reset') })
      expect(refresher.sent).toHaveLength(sent)
      clock.advance(1)
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    expect(await profiles.reset(ID)).toEqual([ID])
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    expect(refresher.sent).toHaveLength(8)
    expect((await profiles.view(ID)).renewal?.reason).toBe('timeout')
  })

  test('an unknown outcome holds the token back until the request has certainly ended, reset or not', async () => {
    const { renewer, refresher, clock, profiles } = await setUp([failure('timeout', 'unknown')])
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    clock.advance(10_000)
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    await profiles.reset(ID)
    const waiting = renewer.renew(ID)
    await tick()
    expect(refresher.sent).toHaveLength(1)
    clock.advance(25_000)
    expect((await waiting).accessToken).toBe('at-3')
    expect(refresher.sent).toEqual(['rt-1', 'rt-1'])
  })

  test('Retry-After is obeyed, and a clock that jumped cannot hold a login for ever', async () => {
    const { renewer, refresher, clock } = await setUp([
      failure('rate_limit', 'answered', { retryAfterMs: 120_000 }),
      failure('server_error', 'answered'),
    ])
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    clock.advance(119_000)
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    expect(refresher.sent).toHaveLength(1)
    clock.advance(1_000)
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    clock.advance(-2 * HOUR)
    expect((await renewer.renew(ID)).accessToken).toBe('at-4')
  })

  test('a token that is still good is served whatever happens to its renewal', async () => {
    const { renewer, profiles } = await setUp(
      Array(3).fill(failure('server_error', 'answered')),
      {},
      2 * MINUTE,
    )
    for (let round = 0; round < 3; round += 1) {
      expect((await renewer.getValidToken(ID)).accessToken).toBe('at-1')
      await tick()
    }
    expect((await profiles.view(ID)).state).toBe('available')
  })

  test.each(['timeout', 'session_expired'] as const)(
    '%s while the profile is renamed is written down all the same',
    async (reason) => {
      const { renewer, profiles, clock } = await setUp([
        async () => {
          await profiles.rename(ID, 'other')
          return failure(reason, 'answered')
        },
      ])
      await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
      const { loginNeeded, renewal } = await profiles.view('gemini:other')
      if (reason === 'session_expired') expect(loginNeeded).toBe(true)
      else expect(renewal?.retryAt.getTime()).toBe(clock.now().getTime() + 5_000)
    },
  )

  test('a failure tells when the next try is, and the next one why it waits', async () => {
    const { renewer, clock } = await setUp([failure('server_error', 'answered')])
    clock.set(new Date('2026-05-01T12:00:00Z'))
    const hint = `it is tried again at 2026-05-01T12:00:05Z; keymux reset ${ID} lifts the wait`
    await expect(renewer.renew(ID)).rejects.toMatchObject({
      message: `${ID} could not be renewed (server_error): it failed`,
      hint,
    })
    await expect(renewer.renew(ID)).rejects.toMatchObject({
      message: `${ID} could not be renewed a moment ago (server_error)`,
      hint,
    })
  })

  test('auth_permanent says which setting', async () => {
    const error = new OAuthError(
      'refresh_failed',
      'the authorization server answered invalid_client',
      { reason: 'auth_permanent', delivery: 'answered' },
      { hint: 'check the client id' },
    )
    const { renewer } = await setUp([error])
    await expect(renewer.renew(ID)).rejects.toMatchObject({
      message: `${ID} could not be renewed (auth_permanent): the authorization server answered invalid_client`,
      hint: 'check the client id',
    })
  })

  test('a refresher that never answers is given up at the hard deadline', async () => {
    const { renewer, stored } = await setUp([() => new Promise<never>(() => {})], {
      timing: { requestMs: 10, hardDeadlineMs: 30 },
    })
    await expect(renewer.renew(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
    expect((await stored()).refreshToken).toBe('rt-1')
  })
})

describe('a vault that takes nothing', () => {
  const timing = { storePausesMs: [1, 1] }

  test('new tokens go to a sealed spill file and are served; another process stores them', async () => {
    const { connect, state, files, spill } = breakingPlace()
    const clock = createFakeClock()
    const breaking = () => {
      state.broken = true
      return { expiresAt: new Date(clock.now().getTime() + HOUR) }
    }
    const first = await setUp([breaking], { store: connect(), spill, timing, clock })
    expect((await first.renewer.renew(ID)).accessToken).toBe('at-2')
    expect(files.size).toBe(1)
    const [sealed = new Uint8Array()] = files.values()
    expect(Buffer.from(sealed).includes('at-2')).toBe(false)
    // Asked again, while nothing can be stored: the same tokens, no second request.
    expect((await first.renewer.getValidToken(ID)).accessToken).toBe('at-2')
    expect(first.refresher.sent).toEqual(['rt-1'])
    state.broken = false
    const second = await setUp([], { store: connect(), spill, timing, clock })
    expect((await second.renewer.getValidToken(ID)).accessToken).toBe('at-2')
    expect(second.refresher.sent).toEqual([])
    expect(await second.stored()).toMatchObject({ accessToken: 'at-2', refreshToken: 'rt-2', generation: 2 })
    expect(files.size).toBe(0)
  })

  test('where nothing can be written at all, nobody gets the tokens until they are on disk', async () => {
    const { connect, state, spill } = breakingPlace()
    const fails = { ...spill, write: () => Promise.reject(new Error('disk full')) }
    const breaking = () => {
      state.broken = true
      return {}
    }
    const { renewer, stored, refresher } = await setUp([breaking], { store: connect(), spill: fails, timing })
    await expect(renewer.renew(ID)).rejects.toThrow('disk full')
    await expect(renewer.renew(ID)).rejects.toThrow('disk full')
    state.broken = false
    expect((await renewer.renew(ID)).accessToken).toBe('at-2')
    expect(await stored()).toMatchObject({ refreshToken: 'rt-2' })
    expect(refresher.sent).toEqual(['rt-1'])
  })

  test('a spill file that a login has overtaken is thrown away', async () => {
    const { connect, state, files, spill } = breakingPlace()
    const breaking = () => {
      state.broken = true
      return {}
    }
    const { renewer, profiles, stored } = await setUp([breaking], { store: connect(), spill, timing })
    await renewer.renew(ID)
    state.broken = false
    const profile = await profiles.get(ID)
    if (profile?.oauth === undefined) throw new Error('no login')
    const login = {
      ...profile.oauth,
      accessToken: 'login',
      refreshToken: 'login-rt',
      expiresAt: new Date('2027-01-01'),
    }
    await profiles.save({ ...profile, oauth: login })
    await renewer.renew(ID)
    expect((await stored()).refreshToken).not.toBe('rt-2')
    expect(files.size).toBe(0)
  })

  test('an attempt that cannot be recorded is not made', async () => {
    const { connect, state, spill } = breakingPlace()
    const { renewer, refresher } = await setUp([], { store: connect(), spill, timing })
    state.broken = true
    await expect(renewer.renew(ID)).rejects.toThrow('disk full')
    expect(refresher.sent).toEqual([])
  })

  test.each(['garbage', ''])('a damaged spill file (%j) is no obstacle', async (text) => {
    const { connect, spill } = breakingPlace()
    const damaged = { ...spill, read: async () => new TextEncoder().encode(text) }
    const { renewer } = await setUp([], { store: connect(), spill: damaged, timing })
    expect((await renewer.renew(ID)).accessToken).toBe('at-2')
  })
})

test('closing waits for a request under way, and its tokens are stored', async () => {
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const memory = createMemoryStore()
  const refresher = refresherOf([() => gate.then(() => ({}))])
  const handle = await openTestHandle({ store: memory.connect(), refresher })
  await handle.profiles.add({
    provider: 'gemini',
    name: 'me',
    oauth: { accessToken: 'at-1', refreshToken: 'rt-1', expiresAt: handle.clock.now() },
  })
  const asked = handle.renewer?.renew(ID)
  await tick()
  const closed = handle.close()
  await tick()
  release()
  await Promise.all([asked, closed])
  const again = await openTestHandle({ store: memory.connect() })
  handles.push(again)
  expect((await again.profiles.get(ID))?.oauth?.refreshToken).toBe('rt-2')
})

test('over a vault of somebody else the same rules hold, as far as it can keep them', async () => {
  const clock = createFakeClock()
  const vault = createMemoryVault()
  const refresher = refresherOf([failure('server_error', 'answered')])
  const store = newStore({ vault, clock })
  const renewer = new Renewer({ store, refresher, clock })
  await store.save({
    id: ID,
    provider: 'gemini',
    name: 'me',
    mode: 'oauth',
    priority: 0,
    enabled: true,
    createdAt: clock.now(),
    updatedAt: clock.now(),
    oauth: {
      provider: 'gemini',
      profileName: 'me',
      accessToken: 'at-1',
      refreshToken: 'rt-1',
      expiresAt: clock.now(),
    },
  })
  await expect(renewer.getValidToken(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
  await expect(renewer.getValidToken(ID)).rejects.toMatchObject({ code: 'refresh_failed' })
  expect(refresher.sent).toHaveLength(1)
  clock.advance(5_000)
  expect((await renewer.getValidToken(ID)).accessToken).toBe('at-3')
  expect((await store.get(ID))?.oauth?.refreshToken).toBe('rt-3')
})
