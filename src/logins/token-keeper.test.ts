import { afterEach, expect, test } from 'vitest'
import type { TestHandle, TestOptions } from '../../test/support/handle.js'
import { breakingPlace, ID, openRenewing } from '../../test/support/renewing.js'
import { MemoryLocks } from '../storage/memory/locks.js'

const handles: TestHandle[] = []
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close()
})

const timing = { storePausesMs: [1, 1] }

/** A login whose renewed tokens, `at-2` and `rt-2`, lie in a spill file; the vault works again. */
async function spilled(options: TestOptions = {}) {
  const place = breakingPlace()
  const breaking = () => {
    place.state.broken = true
    return {}
  }
  const parts = { store: place.connect(), spill: place.spill, timing, ...options }
  const renewing = await openRenewing([breaking], parts)
  handles.push(renewing.handle)
  await renewing.renewer.renew(ID).catch(() => undefined)
  place.state.broken = false
  return { ...place, ...renewing }
}

const BOB = {
  provider: 'gemini',
  name: 'me',
  oauth: { accessToken: 'bob', refreshToken: 'bob-rt', expiresAt: new Date(0), email: 'bob@x.com' },
}

test.each(['removed', 'replaced'])(
  'tokens spilled for a login that was %s are never handed out',
  async (how) => {
    const { profiles, renewer, refresher, state } = await spilled()
    if (how === 'removed') await profiles.delete(ID)
    await profiles.add(BOB, { replace: true })
    state.broken = true
    await expect(renewer.renew(ID)).rejects.toThrow('disk full')
    await expect(renewer.getValidToken(ID)).rejects.toThrow('disk full')
    state.broken = false
    const { email, refreshToken } = await renewer.renew(ID)
    expect({ email, refreshToken }).toEqual({ email: 'bob@x.com', refreshToken: 'rt-3' })
    expect(refresher.sent).toEqual(['rt-1', 'bob-rt'])
  },
)

test('who waited while another account logged in is not given tokens of the old one', async () => {
  const inner = new MemoryLocks()
  let tried = (): void => {}
  const locks: MemoryLocks['acquire'] = (...args) => {
    tried()
    return inner.acquire(...args)
  }
  const { profiles, renewer, refresher, state } = await spilled({ locks: { acquire: locks } })
  let asked: Promise<unknown> = Promise.resolve()
  await renewer.exclusively(ID, 1_000, async () => {
    const queued = new Promise<void>((resolve) => {
      tried = resolve
    })
    asked = renewer.renew(ID)
    await queued
    await profiles.add(BOB, { replace: true })
    state.broken = true
  })
  await expect(asked).rejects.toThrow('disk full')
  expect(refresher.sent).toEqual(['rt-1'])
})

test('a renamed login finds its spilled tokens, and sends nothing', async () => {
  const { profiles, renewer, refresher, files } = await spilled()
  await profiles.rename(ID, 'office')
  expect((await renewer.renew('gemini:office')).accessToken).toBe('at-2')
  expect((await profiles.get('gemini:office'))?.oauth).toMatchObject({
    refreshToken: 'rt-2',
    profileName: 'office',
    generation: 2,
  })
  expect(refresher.sent).toEqual(['rt-1'])
  expect(files.size).toBe(0)
})

test('so does one whose tokens are in memory alone', async () => {
  const { spill } = breakingPlace()
  const full = { ...spill, write: () => Promise.reject(new Error('disk full')) }
  const { profiles, renewer, refresher } = await spilled({ spill: full })
  await profiles.rename(ID, 'office')
  expect((await renewer.renew('gemini:office')).accessToken).toBe('at-2')
  expect(refresher.sent).toEqual(['rt-1'])
})

test('who has the login for himself, to log it out, meets the spilled tokens', async () => {
  const { renewer, stored, files } = await spilled()
  const { refreshToken } = await renewer.exclusively(ID, 1_000, stored)
  expect(refreshToken).toBe('rt-2')
  expect(files.size).toBe(0)
})

test('another login under the old name is renewed by itself', async () => {
  const { profiles, renewer, refresher } = await spilled()
  await profiles.rename(ID, 'office')
  await profiles.add(BOB)
  expect((await renewer.renew(ID)).refreshToken).toBe('rt-3')
  expect((await renewer.renew('gemini:office')).refreshToken).toBe('rt-2')
  expect(refresher.sent).toEqual(['rt-1', 'bob-rt'])
})

test('a change that leaves a spent refresh token in place does not lose what it was spent for', async () => {
  const { profiles, renewer, refresher, files } = await spilled()
  const profile = await profiles.get(ID)
  if (profile?.oauth === undefined) throw new Error('no login')
  await profiles.save({ ...profile, oauth: { ...profile.oauth, accessToken: 'by hand' } })
  expect(files.size).toBe(1)
  expect((await renewer.renew(ID)).refreshToken).toBe('rt-2')
  expect(refresher.sent).toEqual(['rt-1'])
})

test('a change during the request does not, either', async () => {
  const renewing = await openRenewing([
    async () => {
      const profile = await renewing.profiles.get(ID)
      if (profile?.oauth === undefined) throw new Error('no login')
      await renewing.profiles.save({ ...profile, oauth: { ...profile.oauth, accessToken: 'by hand' } })
      return {}
    },
  ])
  handles.push(renewing.handle)
  expect((await renewing.renewer.renew(ID)).refreshToken).toBe('rt-2')
  expect((await renewing.stored()).refreshToken).toBe('rt-2')
})

test('while it cannot be said whether tokens were spilled, no refresh token is sent', async () => {
  const { spill } = breakingPlace()
  const busy = { ...spill, read: () => Promise.reject(new Error('EMFILE')) }
  const renewing = await openRenewing([], { spill: busy })
  handles.push(renewing.handle)
  await expect(renewing.renewer.renew(ID)).rejects.toThrow('EMFILE')
  expect(renewing.refresher.sent).toEqual([])
})

test('tokens spilled while their attempt was waited out are found, and no spent token is sent', async () => {
  const { connect, state, spill } = breakingPlace()
  let answer = (): void => {}
  const gate = new Promise<void>((resolve) => {
    answer = resolve
  })
  let asked = (): void => {}
  const sent = new Promise<void>((resolve) => {
    asked = resolve
  })
  const first = await openRenewing(
    [
      () => {
        asked()
        return gate.then(() => ({}))
      },
    ],
    { store: connect(), spill, timing },
  )
  const second = await openRenewing([], { store: connect(), spill, timing, clock: first.clock })
  handles.push(first.handle, second.handle)
  const renewing = first.renewer.renew(ID)
  await sent
  // Under its new name the login has another lock.
  await first.profiles.rename(ID, 'office')
  const waiting = second.renewer.renew('gemini:office')
  await new Promise((resolve) => setTimeout(resolve, 5))
  state.broken = true
  answer()
  expect((await renewing).refreshToken).toBe('rt-2')
  state.broken = false
  first.clock.advance(35_000)
  expect((await waiting).refreshToken).toBe('rt-2')
  expect(second.refresher.sent).toEqual([])
})
