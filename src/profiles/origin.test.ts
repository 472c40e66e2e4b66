import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { AuthProfile } from '../domain/profile.js'
import { FAILURE_REASONS, type FailureReason, type OutcomeOrigin } from '../domain/usage.js'
import { RefreshLedger } from '../logins/refresh-ledger.js'
import { createMemoryStore } from '../storage/memory/index.js'

const MINUTE = 60_000
const OF_CREDENTIAL: readonly FailureReason[] = ['auth', 'auth_permanent', 'session_expired']

async function open(): Promise<{ handle: TestHandle; other: TestHandle }> {
  const memory = createMemoryStore()
  const handle = await openTestHandle({ store: memory.connect() })
  await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-old', account: 'org' })
  const other = await openTestHandle({ store: memory.connect(), clock: handle.clock })
  return { handle, other }
}

async function originOf({ resolver }: TestHandle, provider = 'openai'): Promise<OutcomeOrigin> {
  const { origin } = await resolver.resolve(provider)
  if (origin === undefined) throw new Error('no origin')
  return origin
}

const replaceKey = ({ profiles }: TestHandle, secret = 'sk-new'): Promise<AuthProfile> =>
  profiles.add({ provider: 'openai', name: 'a', secret, account: 'org' }, { replace: true })

const login = (accessToken: string, refreshToken = 'rt'): object => ({
  accessToken,
  refreshToken,
  expiresAt: new Date('2030-01-01T00:00:00Z'),
})

describe('a late failure of a key that was replaced', () => {
  test.each(FAILURE_REASONS)(
    '%s: touches nothing of the profile, in either process, noted or reported',
    async (reason) => {
      const { handle, other } = await open()
      const origin = await originOf(other)
      await replaceKey(handle)
      const { lastUsed: _used, ...before } = await handle.profiles.stats('openai:a')
      await handle.profiles.reportFailure('openai:a', reason, { origin, message: 'late' })
      // This process has not heard of the new key yet when it notes.
      other.profiles.noteFailure('openai:a', reason, { origin, message: 'late' })
      await other.profiles.flush()
      const { lastUsed: _usedSince, ...after } = await handle.profiles.stats('openai:a')
      expect(after).toEqual(before)
      for (const each of [handle, other]) {
        expect((await each.profiles.view('openai:a')).lastError).toBeUndefined()
        expect(await each.profiles.view('openai:a')).toMatchObject({ errorCount: 0 })
      }
    },
  )

  test('keeps its meaning for the account: a limit is one of the account, whatever its key', async () => {
    const { handle } = await open()
    await handle.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b', account: 'org' })
    const origin = await originOf(handle)
    await replaceKey(handle)
    await handle.profiles.reportFailure('openai:a', 'rate_limit', { origin, retryAfterMs: MINUTE })
    expect(await handle.profiles.view('openai:b')).toMatchObject({ state: 'cooling' })
  })

  test('a late success lifts no disable of the new key', async () => {
    const { handle } = await open()
    const origin = await originOf(handle)
    await replaceKey(handle)
    await handle.profiles.reportFailure('openai:a', 'auth_permanent')
    await handle.profiles.markSuccess('openai:a', { origin })
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled' })
  })
})

describe('an outcome from before a reset', () => {
  test.each(FAILURE_REASONS)('%s has no effect, on the profile and on its account', async (reason) => {
    const { handle, other } = await open()
    await handle.profiles.reportFailure('openai:a', 'billing')
    await handle.profiles.markSuccess('openai:a')
    const origin = await originOf(other)
    await handle.profiles.reportFailure('openai:a', 'billing')
    await handle.profiles.reset('openai:a')
    const before = await handle.profiles.stats('openai:a')
    other.profiles.noteFailure('openai:a', reason, { origin, retryAfterMs: MINUTE, message: 'late' })
    await other.profiles.flush()
    expect(await handle.profiles.stats('openai:a')).toEqual(before)
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
  })

  test('one from before a trial that lifted the disable has none either', async () => {
    const { handle } = await open()
    const origin = await originOf(handle)
    await handle.profiles.reportFailure('openai:a', 'billing', { origin })
    await handle.profiles.markSuccess('openai:a', { origin })
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
    await handle.profiles.reportFailure('openai:a', 'billing', { origin })
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
    await handle.profiles.reportFailure('openai:a', 'billing')
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled' })
  })
})

describe('a login that was renewed', () => {
  async function renewed(): Promise<{ handle: TestHandle; origin: OutcomeOrigin }> {
    const handle = await openTestHandle({
      refresher: { refreshToken: () => Promise.reject(new Error('none')) },
    })
    await handle.profiles.add({
      provider: 'gemini',
      name: 'me',
      mode: 'oauth',
      oauth: login('at-1') as never,
    })
    const origin = await originOf(handle, 'gemini')
    const { oauth } = (await handle.profiles.get('gemini:me')) ?? {}
    if (oauth === undefined) throw new Error('no login')
    const ledger = new RefreshLedger(handle.profiles.native.refreshes)
    await ledger.complete('gemini:me', { ...oauth }, { ...oauth, ...login('at-2', 'rt-2') })
    return { handle, origin }
  }

  test.each(OF_CREDENTIAL)('%s of the token before is dropped', async (reason) => {
    const { handle, origin } = await renewed()
    // A verdict on the newer token is there already.
    await handle.profiles.reportFailure('gemini:me', 'auth')
    const before = await handle.profiles.stats('gemini:me')
    await handle.profiles.reportFailure('gemini:me', reason, { origin })
    expect(await handle.profiles.stats('gemini:me')).toEqual(before)
  })

  test.each(FAILURE_REASONS.filter((reason) => !OF_CREDENTIAL.includes(reason)))(
    '%s of the token before counts: it holds for the account',
    async (reason) => {
      const { handle, origin } = await renewed()
      await handle.profiles.reportFailure('gemini:me', reason, { origin })
      expect(await handle.profiles.view('gemini:me')).toMatchObject({ failureCounts: { [reason]: 1 } })
    },
  )

  test.each(OF_CREDENTIAL)('a success of the token before lifts no %s of the present one', async (reason) => {
    const { handle, origin } = await renewed()
    const times = reason === 'auth' ? 2 : 1
    for (let turn = 0; turn < times; turn += 1) {
      await handle.profiles.reportFailure('gemini:me', reason, { message: 'refused' })
    }
    const before = await handle.profiles.view('gemini:me')
    await handle.profiles.markSuccess('gemini:me', { origin })
    const { lastUsedAt: _used, lastGood: _good, ...after } = await handle.profiles.view('gemini:me')
    expect(before).toMatchObject(after)
    // The third in a row, whatever the older token was good for.
    await handle.profiles.reportFailure('gemini:me', 'auth')
    const state = { auth: 'disabled', auth_permanent: 'disabled', session_expired: 'cooling' }[
      reason as 'auth'
    ]
    expect(await handle.profiles.view('gemini:me')).toMatchObject({ state, lastError: 'refused' })
  })

  test('a success of the token before says that the account pays', async () => {
    const { handle, origin } = await renewed()
    await handle.profiles.reportFailure('gemini:me', 'billing')
    await handle.profiles.markSuccess('gemini:me', { origin })
    expect(await handle.profiles.view('gemini:me')).toMatchObject({ state: 'available' })
  })

  test('an unpaid account is noted, whatever was said of the token before', async () => {
    const { handle, origin } = await renewed()
    await handle.profiles.reportFailure('gemini:me', 'auth_permanent', { origin })
    await handle.profiles.reportFailure('gemini:me', 'billing')
    expect(await handle.profiles.view('gemini:me')).toMatchObject({
      state: 'disabled',
      unusableReason: 'billing',
    })
  })

  test('a verdict on the token before counts as none once there is a newer one', async () => {
    const { handle, origin } = await renewed()
    await handle.profiles.reportFailure('gemini:me', 'auth_permanent', { origin })
    expect(await handle.profiles.view('gemini:me')).toMatchObject({ state: 'available' })
    await handle.profiles.reportFailure('gemini:me', 'rate_limit', { origin, retryAfterMs: MINUTE })
    expect(await handle.profiles.view('gemini:me')).toMatchObject({ state: 'cooling' })
  })
})

describe('a profile under another name', () => {
  test('keeps what is remembered of it, and outcomes in flight find it', async () => {
    const { handle, other } = await open()
    await handle.profiles.reportFailure('openai:a', 'format')
    await other.resolver.resolve('openai')
    other.profiles.noteFailure('openai:a', 'format')
    await handle.profiles.rename('openai:a', 'renamed')
    await other.profiles.flush()
    for (const each of [handle, other]) {
      expect(await each.profiles.view('openai:renamed')).toMatchObject({ failureCounts: { format: 2 } })
    }
  })

  test('a new profile under the old name hears nothing of the old one', async () => {
    const { handle, other } = await open()
    other.profiles.noteFailure('openai:a', 'auth_permanent')
    await handle.profiles.delete('openai:a')
    await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-other' })
    await other.profiles.flush()
    for (const each of [handle, other]) {
      expect(await each.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 0 })
    }
  })
})
