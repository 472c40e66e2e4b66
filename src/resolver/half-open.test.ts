import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import { MAX_WINDOW_WAIT_MS } from '../policy/cooldown.js'
import { STATED_TRIAL_INTERVAL_MS, TRIAL_INTERVAL_MS } from '../policy/half-open.js'
import { createMemoryStore } from '../storage/memory/index.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

async function withProfiles(...profiles: { name: string; account?: string }[]): Promise<TestHandle> {
  const handle = await openTestHandle()
  for (const { name, account } of profiles) {
    await handle.profiles.add({ provider: 'openai', name, secret: `sk-${name}`, account })
  }
  return handle
}

const limited = (retryAfterMs: number, model?: string) =>
  ({ retryAfterMs, model, certainty: 'stated' }) as const

describe('a trial of a long window', () => {
  test('goes out for a stated limit of hours, each half hour, and its success lifts it', async () => {
    const { profiles, resolver, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(5 * HOUR))
    const first = await resolver.resolveTrial('openai')
    expect(first).toMatchObject({ credential: 'sk-a', origin: { trial: true } })
    clock.advance(STATED_TRIAL_INTERVAL_MS - 1)
    expect(await resolver.resolveTrial('openai')).toBeUndefined()
    clock.advance(1)
    const second = await resolver.resolveTrial('openai')
    expect(second).toBeDefined()
    await profiles.markSuccess('openai:a', { origin: second?.origin })
    expect((await profiles.view('openai:a')).state).toBe('available')
    // What was sent before the window was lifted says nothing of what came after.
    await profiles.markFailure('openai:a', 'rate_limit', { ...limited(HOUR), origin: first?.origin })
    expect((await profiles.view('openai:a')).state).toBe('available')
  })

  test('is due at its length, not at what is left of it', async () => {
    const { profiles, resolver, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(HOUR))
    clock.advance(HOUR - 60_000)
    expect(await resolver.resolveTrial('openai')).toBeDefined()
  })

  test.each([30_000, 15 * 60_000])('never goes out for a limit of %d ms', async (ms) => {
    const { profiles, resolver } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(ms))
    expect(await resolver.resolveTrial('openai')).toBeUndefined()
  })

  test('waits until no short window is in the way', async () => {
    const { profiles, resolver, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'auth_permanent')
    await profiles.markFailure('openai:a', 'rate_limit', limited(60_000))
    expect(await resolver.resolveTrial('openai')).toBeUndefined()
    clock.advance(60_000)
    expect(await resolver.resolveTrial('openai')).toBeDefined()
  })

  test('goes out for a model that is set aside, for our own estimate each 10 minutes', async () => {
    const { profiles, resolver, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'model_not_found', { model: 'm', certainty: 'stated' })
    expect(await resolver.resolveTrial('openai')).toBeUndefined()
    expect(await resolver.resolveTrial('openai', undefined, { model: 'other' })).toBeUndefined()
    expect(await resolver.resolveTrial('openai', undefined, { model: 'm' })).toBeDefined()
    clock.advance(TRIAL_INTERVAL_MS - 1)
    expect(await resolver.resolveTrial('openai', undefined, { model: 'm' })).toBeUndefined()
    clock.advance(1)
    const trial = await resolver.resolveTrial('openai', undefined, { model: 'm' })
    await profiles.markSuccess('openai:a', { model: 'm', origin: trial?.origin })
    expect((await profiles.view('openai:a')).modelCooldowns).toEqual([])
  })

  test('lifts the window of one model, and leaves another one', async () => {
    const { profiles, resolver } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(5 * HOUR, 'opus'))
    await profiles.markFailure('openai:a', 'rate_limit', limited(5 * HOUR, 'sonnet'))
    const trial = await resolver.resolveTrial('openai', undefined, { model: 'opus' })
    await profiles.markSuccess('openai:a', { model: 'opus', origin: trial?.origin })
    expect((await profiles.view('openai:a')).modelCooldowns.map(({ model }) => model)).toEqual(['sonnet'])
  })

  test('any other success leaves a pause as it is', async () => {
    const { profiles } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(5 * HOUR))
    await profiles.markSuccess('openai:a')
    expect((await profiles.view('openai:a')).state).toBe('cooling')
  })
})

describe('the window of a subscription', () => {
  test('may last for days, and is tried each half hour', async () => {
    const { profiles, resolver, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(6 * DAY))
    const { unusableUntil } = await profiles.view('openai:a')
    expect(unusableUntil).toEqual(new Date(clock.now().getTime() + 6 * DAY))
    clock.advance(3 * DAY)
    const trial = await resolver.resolveTrial('openai')
    await profiles.markSuccess('openai:a', { origin: trial?.origin })
    expect((await profiles.view('openai:a')).state).toBe('available')
  })

  test('that is stated anew, and later, lasts as long', async () => {
    const { profiles, clock } = await withProfiles({ name: 'a' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(5 * DAY))
    clock.advance(HOUR)
    await profiles.markFailure('openai:a', 'rate_limit', limited(6 * DAY))
    const { unusableUntil } = await profiles.view('openai:a')
    expect(unusableUntil).toEqual(new Date(clock.now().getTime() + 6 * DAY))
  })

  test('is cut to 8 days, and to one where a caller says so', async () => {
    const { profiles, clock } = await withProfiles({ name: 'a' }, { name: 'b' })
    await profiles.markFailure('openai:a', 'rate_limit', limited(30 * DAY))
    await profiles.markFailure('openai:b', 'rate_limit', { retryAfterMs: 30 * DAY })
    const ahead = async (id: string): Promise<number> =>
      Number((await profiles.view(id)).unusableUntil) - Number(clock.now())
    expect(await ahead('openai:a')).toBe(MAX_WINDOW_WAIT_MS)
    expect(await ahead('openai:b')).toBe(DAY)
  })
})

describe('a window that an account shares', () => {
  test('is tried with one of its profiles at a time, in all processes', async () => {
    const memory = createMemoryStore()
    const one = await openTestHandle({ store: memory.connect() })
    for (const name of ['a', 'b', 'c']) {
      await one.profiles.add({ provider: 'openai', name, secret: `sk-${name}`, account: 'org' })
    }
    const two = await openTestHandle({ store: memory.connect(), clock: one.clock })
    await one.profiles.markFailure('openai:a', 'rate_limit', limited(5 * HOUR))
    const trials = await Promise.all(
      [one, two, one, two].map(({ resolver }) => resolver.resolveTrial('openai')),
    )
    expect(trials.filter((trial) => trial !== undefined)).toHaveLength(1)
    one.clock.advance(STATED_TRIAL_INTERVAL_MS)
    expect(await two.resolver.resolveTrial('openai')).toBeDefined()
    expect(await one.resolver.resolveTrial('openai')).toBeUndefined()
  })

  test('is lifted for all of them by one success', async () => {
    const { profiles, resolver } = await withProfiles(
      { name: 'a', account: 'org' },
      { name: 'b', account: 'org' },
    )
    await profiles.markFailure('openai:a', 'billing', { certainty: 'stated' })
    const trial = await resolver.resolveTrial('openai', 'b', { strict: true })
    expect(trial).toMatchObject({ credential: 'sk-b' })
    await profiles.markSuccess('openai:b', { origin: trial?.origin })
    expect((await profiles.view('openai:b')).state).toBe('available')
  })

  test('is its own count: another account is tried as well', async () => {
    const { profiles, resolver } = await withProfiles(
      { name: 'a', account: 'one' },
      { name: 'b', account: 'two' },
    )
    for (const id of ['openai:a', 'openai:b']) await profiles.markFailure(id, 'rate_limit', limited(HOUR))
    expect(await resolver.resolveTrial('openai')).toBeDefined()
    expect(await resolver.resolveTrial('openai')).toBeDefined()
    expect(await resolver.resolveTrial('openai')).toBeUndefined()
  })
})
