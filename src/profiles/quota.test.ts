import { afterEach, describe, expect, it } from 'vitest'
import { openTestHandle, type TestHandle, type TestOptions } from '../../test/support/handle.js'
import type { QuotaWindow } from '../domain/quota.js'
import { readQuota } from '../policy/quota-headers.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'

const handles: TestHandle[] = []

afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close()
})

async function open(options: TestOptions = {}): Promise<TestHandle> {
  const handle = await openTestHandle(options)
  handles.push(handle)
  return handle
}

async function opened(names: readonly string[] = ['a', 'b'], options: TestOptions = {}): Promise<TestHandle> {
  const handle = await open(options)
  for (const name of names) await handle.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
  return handle
}

interface Left {
  readonly remaining?: number
  readonly limit?: number
  readonly reset?: string
  readonly model?: string
  readonly good?: boolean
}

/** What an answer says of the requests that are left. */
function left(
  { clock }: TestHandle,
  { remaining = 50, limit = 100, reset = '60s', model = 'm', good = true }: Left = {},
): QuotaWindow[] {
  const headers = {
    'x-ratelimit-limit-requests': String(limit),
    'x-ratelimit-remaining-requests': String(remaining),
    'x-ratelimit-reset-requests': reset,
  }
  return readQuota(headers, { now: clock.now(), model, good })
}

/** What an answer says of the five hours of a plan. */
function plan({ clock }: TestHandle, used: number, resetSeconds: number, status = 'allowed'): QuotaWindow[] {
  const reset = Math.floor(clock.now().getTime() / 1_000) + resetSeconds
  const headers = {
    'anthropic-ratelimit-unified-5h-utilization': String(used),
    'anthropic-ratelimit-unified-5h-status': status,
    'anthropic-ratelimit-unified-5h-reset': String(reset),
  }
  return readQuota(headers, { now: clock.now(), good: true })
}

async function choose(
  { resolver }: TestHandle,
  options: Parameters<TestHandle['resolver']['resolve']>[2] = { model: 'm' },
): Promise<string> {
  return (await resolver.resolve('openai', undefined, options)).profile.name
}

describe('what a good answer says is used up', () => {
  it('is left alone until its reset, for that model, and is no failure', async () => {
    const handle = await opened()
    handle.profiles.noteQuota('openai:a', left(handle, { remaining: 0 }))
    expect(await choose(handle)).toBe('b')
    expect(await choose(handle, { model: 'n', preference: 'default' })).toBe('a')
    const view = await handle.profiles.view('openai:a')
    expect(view).toMatchObject({ state: 'available', errorCount: 0, failureCounts: {} })
    const until = new Date(handle.clock.now().getTime() + 60_000)
    expect(view.modelCooldowns).toEqual([{ model: 'm', until, reason: 'quota', certainty: 'stated' }])
    handle.clock.advance(60_000)
    expect((await handle.profiles.view('openai:a')).modelCooldowns).toEqual([])
    expect(await choose(handle, { model: 'm', preference: 'default' })).toBe('a')
  })

  it('sets the whole profile aside where it is the account’s', async () => {
    const handle = await opened()
    handle.profiles.noteQuota('openai:a', plan(handle, 1, 600, 'rejected'))
    expect(await choose(handle, {})).toBe('b')
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      state: 'cooling',
      unusableReason: 'quota',
    })
    handle.profiles.noteQuota('openai:b', plan(handle, 1, 300, 'rejected'))
    await expect(handle.resolver.resolve('openai')).rejects.toMatchObject({
      code: 'no_usable_profile',
      retryAt: new Date(handle.clock.now().getTime() + 300_000),
      reasons: [{ reason: 'quota' }, { reason: 'quota' }],
    })
    handle.clock.advance(300_000)
    expect(await choose(handle, {})).toBe('b')
  })

  it('is lifted by an answer that says otherwise, and a refusal outranks an answer that says so', async () => {
    const handle = await opened()
    const { profiles, clock } = handle
    profiles.noteQuota('openai:a', left(handle, { remaining: 0 }))
    clock.advance(1)
    profiles.noteQuota('openai:a', left(handle, { remaining: 3 }))
    expect(await choose(handle)).toBe('a')
    profiles.noteFailure('openai:a', 'rate_limit', { retryAfterMs: 20_000, model: 'm' })
    profiles.noteQuota('openai:a', left(handle, { remaining: 99 }))
    expect(await choose(handle)).toBe('b')
    clock.advance(20_000)
    expect((await profiles.view('openai:a')).modelCooldowns).toEqual([])
  })

  it('of a refusal is known, and has no wait beside that of the refusal', async () => {
    const handle = await opened()
    handle.profiles.noteQuota('openai:a', left(handle, { remaining: 0, good: false }))
    expect(await choose(handle, { model: 'm', preference: 'default' })).toBe('a')
    expect((await handle.profiles.view('openai:a')).quota).toMatchObject([{ remaining: 0 }])
  })

  it('holds for all keys of an account', async () => {
    const handle = await open()
    for (const name of ['a', 'b', 'c']) {
      const account = name === 'c' ? 'other' : 'shared'
      await handle.profiles.add({ provider: 'openai', name, account, secret: `sk-${name}` })
    }
    handle.profiles.noteQuota('openai:a', left(handle, { remaining: 0 }))
    expect(await choose(handle)).toBe('c')
    await handle.profiles.update('openai:b', { account: 'mine' })
    expect(await choose(handle, { model: 'm', preference: 'default' })).toBe('b')
  })
})

describe('what was known', () => {
  it('ends with a reset, and what was sent before one says nothing', async () => {
    for (const account of [undefined, 'org']) {
      const handle = await open()
      await handle.profiles.add({ provider: 'openai', name: 'a', account, secret: 'sk-a' })
      const { origin } = await handle.resolver.resolve('openai')
      handle.profiles.noteQuota('openai:a', left(handle, { remaining: 0 }), { origin })
      expect((await handle.profiles.view('openai:a')).quota).toHaveLength(1)
      expect(await handle.profiles.reset('openai:a')).toEqual(['openai:a'])
      expect((await handle.profiles.view('openai:a')).quota).toBeUndefined()
      handle.profiles.noteQuota('openai:a', left(handle, { remaining: 0 }), { origin })
      expect((await handle.profiles.view('openai:a')).quota).toBeUndefined()
      await handle.profiles.flush()
      expect(await handle.profiles.reset('openai:a')).toEqual([])
    }
  })

  it('ends with another key, but for what is the account’s', async () => {
    const handle = await opened(['a'])
    await handle.profiles.add({ provider: 'openai', name: 'b', account: 'org', secret: 'sk-b' })
    for (const name of ['a', 'b']) {
      handle.profiles.noteQuota(`openai:${name}`, left(handle))
      await handle.profiles.add({ provider: 'openai', name, secret: `sk-new-${name}` }, { replace: true })
    }
    expect((await handle.profiles.view('openai:a')).quota).toBeUndefined()
    expect((await handle.profiles.view('openai:b')).quota).toHaveLength(1)
  })

  it('follows a rename, and goes with its profile', async () => {
    const handle = await opened(['a'])
    handle.profiles.noteQuota('openai:a', left(handle))
    await handle.profiles.flush()
    await handle.profiles.rename('openai:a', 'z')
    expect((await handle.profiles.view('openai:z')).quota).toHaveLength(1)
    await handle.profiles.delete('openai:z')
    await handle.profiles.add({ provider: 'openai', name: 'z', secret: 'sk-z' })
    expect((await handle.profiles.view('openai:z')).quota).toBeUndefined()
    handle.profiles.noteQuota('openai:gone', left(handle))
  })

  it('is 32 windows at most', async () => {
    const handle = await opened(['a'])
    for (let index = 0; index < 100; index += 1) {
      handle.clock.advance(1)
      handle.profiles.noteQuota('openai:a', left(handle, { model: `m${index}` }))
    }
    const { quota } = await handle.profiles.view('openai:a')
    expect(quota).toHaveLength(32)
    expect(quota?.every(({ model }) => Number(model?.slice(1)) >= 68)).toBe(true)
  })

  it('of two processes is one: of each dimension what was seen last', async () => {
    const clock = createFakeClock()
    const memory = createMemoryStore()
    const one = await opened(['a'], { store: memory.connect(), clock })
    const other = await open({ store: memory.connect(), clock })
    one.profiles.noteQuota('openai:a', left(one, { remaining: 40 }))
    clock.advance(10)
    await other.profiles.list()
    other.profiles.noteQuota('openai:a', [...left(other, { remaining: 30 }), ...plan(other, 0.5, 600)])
    // The one that has less news writes last.
    await other.profiles.flush()
    await one.profiles.flush()
    for (const handle of [one, other]) {
      const { quota } = await handle.profiles.view('openai:a')
      expect(quota?.map(({ dimension, remaining }) => [dimension, remaining])).toEqual([
        ['requests', 30],
        ['5h', undefined],
      ])
    }
    const third = await open({ store: memory.connect(), clock })
    expect((await third.profiles.view('openai:a')).quota).toHaveLength(2)
  })
})

describe('the order by what is left', () => {
  it('takes whoever has most, by the window that has least; what is not known counts as untouched', async () => {
    const handle = await opened(['a', 'b', 'c'])
    const { profiles } = handle
    const by = { model: 'm', preference: 'quota' } as const
    profiles.noteQuota('openai:a', left(handle, { remaining: 20 }))
    profiles.noteQuota('openai:b', left(handle, { remaining: 80 }))
    expect(await choose(handle, by)).toBe('c')
    profiles.noteQuota('openai:c', [...left(handle, { remaining: 99 }), ...plan(handle, 0.9, 600)])
    expect(await choose(handle, by)).toBe('b')
    profiles.noteQuota('openai:b', left(handle, { remaining: 15 }))
    expect(await choose(handle, by)).toBe('a')
    expect(await choose(handle, { preference: 'quota' })).toBe('a')
    expect(await choose(handle, { model: 'other', preference: 'quota' })).not.toBe('c')
    handle.clock.advance(600_000)
    await profiles.update('openai:c', { priority: 1 })
    profiles.noteQuota('openai:c', left(handle, { remaining: 1 }))
    expect(await choose(handle, by)).toBe('c')
  })

  it('takes whoever is reset soonest', async () => {
    const handle = await opened(['a', 'b', 'c'])
    const by = { model: 'm', preference: 'reset' } as const
    handle.profiles.noteQuota('openai:b', plan(handle, 0.5, 7_200))
    expect(await choose(handle, by)).toBe('b')
    handle.profiles.noteQuota('openai:c', plan(handle, 0.5, 3_600))
    expect(await choose(handle, by)).toBe('c')
    handle.clock.advance(3_600_000)
    expect(await choose(handle, by)).toBe('b')
  })

  it('puts whoever has come to the reserve last, in every order, and not away', async () => {
    const handle = await opened(['a', 'b'], { reserve: 20 })
    await handle.profiles.update('openai:a', { priority: 9 })
    handle.profiles.noteQuota('openai:a', left(handle, { remaining: 20 }))
    for (const preference of ['default', 'valid', 'recent', 'type', 'quota', 'reset', 'weighted'] as const) {
      expect(await choose(handle, { model: 'm', preference })).toBe('b')
      expect(await choose(handle, { model: 'n', preference: 'valid' })).toBe('a')
    }
    expect((await handle.resolver.resolve('openai', 'a', { model: 'm' })).profile.name).toBe('a')
    await handle.profiles.update('openai:b', { enabled: false })
    expect(await choose(handle)).toBe('a')
  })

  it('is the same with many profiles, of which some cannot serve the model', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `p${String(index).padStart(2, '0')}`)
    const handle = await opened(names)
    const { profiles, clock } = handle
    for (const name of names.slice(0, 40)) {
      profiles.noteQuota(`openai:${name}`, left(handle, { remaining: 0, reset: '30s' }))
    }
    profiles.noteFailure('openai:p40', 'rate_limit', { model: 'm', retryAfterMs: 10_000 })
    for (const preference of ['default', 'valid', 'type', 'quota', 'weighted'] as const) {
      expect(await choose(handle, { model: 'm', preference })).toMatch(/^p4[1-9]$/)
    }
    const byName = { model: 'm', preference: 'default' } as const
    expect(await choose(handle, byName)).toBe('p41')
    clock.advance(10_000)
    expect(await choose(handle, byName)).toBe('p40')
    clock.advance(20_000)
    expect(await choose(handle, byName)).toBe('p00')
    await profiles.update('openai:p00', { models: ['n*'] })
    expect(await choose(handle, byName)).toBe('p01')
  })
})

describe('the order by weight', () => {
  const by = { preference: 'weighted' } as const

  async function weighted(options: TestOptions = {}): Promise<TestHandle> {
    const handle = await open(options)
    const weights = { a: 3, b: 1, c: 2 }
    for (const [name, weight] of Object.entries(weights)) {
      await handle.profiles.add({ provider: 'openai', name, weight, secret: `sk-${name}` })
    }
    return handle
  }

  it('is as often as the weights say, spread evenly', async () => {
    const handle = await weighted()
    const names: string[] = []
    for (let index = 0; index < 600; index += 1) names.push(await choose(handle, by))
    const count = (name: string, from = 0, to = 600): number =>
      names.slice(from, to).filter((one) => one === name).length
    expect([count('a'), count('b'), count('c')]).toEqual([300, 100, 200])
    for (let from = 0; from < 590; from += 6) {
      expect(Math.abs(count('a', from, from + 6) - 3)).toBeLessThanOrEqual(1)
    }
  })

  it('goes on where another process, or a command that has ended, left off', async () => {
    const clock = createFakeClock()
    const memory = createMemoryStore()
    const first = await weighted({ store: memory.connect(), clock })
    await first.profiles.flush()
    const counts: Record<string, number> = {}
    for (let index = 0; index < 60; index += 1) {
      clock.advance(1_000)
      const command = await openTestHandle({ store: memory.connect(), clock })
      const name = await choose(command, by)
      counts[name] = (counts[name] ?? 0) + 1
      await command.close()
    }
    expect(counts).toEqual({ a: 30, b: 10, c: 20 })
  }, 60_000)

  it('is not used alone that was away, and has a say within a priority alone', async () => {
    const handle = await weighted()
    await handle.profiles.update('openai:a', { enabled: false })
    for (let index = 0; index < 300; index += 1) await choose(handle, by)
    await handle.profiles.update('openai:a', { enabled: true })
    const names: string[] = []
    for (let index = 0; index < 12; index += 1) names.push(await choose(handle, by))
    expect(names.filter((name) => name === 'a').length).toBeLessThanOrEqual(7)
    await handle.profiles.update('openai:b', { priority: 1 })
    expect(await choose(handle, by)).toBe('b')
    expect(await choose(handle, by)).toBe('b')
  })

  it('wants a weight from 1 to 100', async () => {
    const handle = await opened(['a'])
    for (const weight of [0, -1, 1.5, 101, Number.NaN]) {
      await expect(handle.profiles.update('openai:a', { weight })).rejects.toMatchObject({
        code: 'invalid_value',
      })
    }
    expect((await handle.profiles.update('openai:a', { weight: 100 })).weight).toBe(100)
    expect((await handle.profiles.update('openai:a', { weight: null })).weight).toBeUndefined()
  })
})
