import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openWatchedVault as open } from '../../test/support/outcomes.js'
import type { FailureReason } from '../domain/usage.js'

const MINUTE = 60_000

describe('outcomes that are noted', () => {
  test('count here at once and elsewhere once they are written', async () => {
    const { handle, other, written } = await open()
    handle.profiles.noteFailure('openai:a', 'billing', { message: 'no money' })
    expect(written()).toBe(0)
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      state: 'disabled',
      errorCount: 1,
      failureCounts: { billing: 1 },
      lastError: 'no money',
    })
    expect((await handle.resolver.resolve('openai')).profile.id).toBe('openai:b')
    expect((await other.resolver.resolve('openai')).profile.id).toBe('openai:a')
    await handle.profiles.flush()
    expect((await other.resolver.resolve('openai')).profile.id).toBe('openai:b')
    expect(await other.profiles.view('openai:a')).toMatchObject({ state: 'disabled', errorCount: 1 })
    expect((await handle.profiles.view('openai:a')).failureCounts).toEqual({ billing: 1 })
  })

  test('hold for the profiles of the account', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'rate_limit', { retryAfterMs: MINUTE })
    expect((await handle.profiles.view('openai:c')).state).toBe('cooling')
    await handle.profiles.flush()
    expect((await other.profiles.view('openai:c')).state).toBe('cooling')
    expect((await handle.profiles.view('openai:c')).state).toBe('cooling')
  })

  test('are written by themselves, all in one transaction', async () => {
    const { handle, other, written } = await open()
    for (let index = 0; index < 50; index += 1) {
      handle.profiles.noteFailure(`openai:${index % 2 === 0 ? 'a' : 'b'}`, 'timeout')
    }
    while (written() === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await handle.profiles.flush()
    expect(written()).toBe(1)
    expect((await other.profiles.view('openai:a')).failureCounts).toEqual({ timeout: 25 })
    expect((await other.profiles.view('openai:b')).failureCounts).toEqual({ timeout: 25 })
    expect(await other.vault.check()).toEqual([])
  })

  test('a success sets last-good and lifts a disable, here at once', async () => {
    const { handle, other } = await open()
    await handle.profiles.markFailure('openai:b', 'billing')
    handle.profiles.noteSuccess('openai:b')
    expect(await handle.profiles.view('openai:b')).toMatchObject({ state: 'available', lastGood: true })
    await handle.profiles.flush()
    expect(await other.profiles.view('openai:b')).toMatchObject({ state: 'available', lastGood: true })
  })

  test('a success without news is not written', async () => {
    const { handle, written } = await open()
    handle.profiles.noteSuccess('openai:b')
    await handle.profiles.flush()
    const before = written()
    for (let index = 0; index < 10; index += 1) handle.profiles.noteSuccess('openai:b', { model: 'm' })
    handle.clock.advance(10)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(written()).toBe(before)
  })

  test('of a profile that is gone are passed over', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:nobody', 'billing')
    handle.profiles.noteSuccess('openai:nobody')
    handle.profiles.noteFailure('openai:b', 'billing')
    await other.profiles.delete('openai:b')
    await handle.profiles.flush()
    expect((await handle.profiles.list()).map(({ name }) => name)).toEqual(['a', 'c'])
    expect(await handle.vault.check()).toEqual([])
  })
})

describe('what is written before them', () => {
  test('comes after them: a reset lifts what was noted', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'billing')
    expect(await handle.profiles.reset('openai:a')).toEqual(['openai:a'])
    await handle.profiles.flush()
    expect(await other.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 1 })
    expect(await handle.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 1 })
  })

  test('takes them along: a renamed profile keeps its window', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:b', 'billing')
    await handle.profiles.rename('openai:b', 'd')
    expect(await other.profiles.view('openai:d')).toMatchObject({ state: 'disabled', errorCount: 1 })
  })

  test('builds on them, and counts none twice', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'rate_limit')
    await other.profiles.markFailure('openai:a', 'rate_limit')
    handle.profiles.noteFailure('openai:a', 'rate_limit')
    await handle.profiles.markFailure('openai:a', 'rate_limit')
    await handle.profiles.markFailure('openai:c', 'rate_limit')
    for (const { profiles } of [handle, other]) {
      expect((await profiles.view('openai:a')).failureCounts).toEqual({ rate_limit: 4 })
      expect((await profiles.view('openai:c')).failureCounts).toEqual({ rate_limit: 1 })
    }
  })

  test('does not swallow what is noted while it is under way', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'timeout')
    await handle.profiles.change('openai:a', (known) => {
      if (known === undefined) throw new Error('there is no such profile')
      handle.profiles.noteFailure('openai:a', 'timeout')
      handle.profiles.noteFailure('openai:b', 'timeout')
      return { ...known, priority: 9 }
    })
    await handle.profiles.flush()
    for (const { profiles } of [handle, other]) {
      expect((await profiles.view('openai:a')).failureCounts).toEqual({ timeout: 2 })
      expect((await profiles.view('openai:b')).failureCounts).toEqual({ timeout: 1 })
    }
  })
})

describe('outcomes of several processes on one profile', () => {
  test('add up, whoever is quicker', async () => {
    const { handle, other } = await open()
    for (let turn = 0; turn < 20; turn += 1) {
      handle.profiles.noteFailure('openai:a', 'format')
      other.profiles.noteFailure('openai:a', 'format')
      await Promise.all([
        handle.profiles.flush(),
        other.profiles.reportFailure('openai:a', 'unknown'),
        other.profiles.flush(),
      ])
    }
    for (const { profiles } of [handle, other]) {
      expect((await profiles.view('openai:a')).failureCounts).toEqual({ format: 40, unknown: 20 })
    }
  })

  test('leave no line of audit: the lane of state has none', async () => {
    const { handle } = await open()
    const before = (await handle.vault.audit()).length
    await handle.profiles.reportFailure('openai:a', 'billing')
    await handle.profiles.markSuccess('openai:a')
    expect(await handle.vault.audit()).toHaveLength(before)
    expect(await handle.vault.check()).toEqual([])
  })
})

describe('a write of outcomes that meets another process', () => {
  test('hears all of what that one wrote, not only the row it lost', async () => {
    const { handle, other } = await open()
    await handle.resolver.resolve('openai')
    handle.profiles.noteFailure('openai:a', 'format')
    await handle.profiles.flush()
    handle.profiles.noteFailure('openai:a', 'format')
    await other.profiles.add(
      { provider: 'openai', name: 'a', secret: 'sk-new', priority: 2, account: 'org' },
      { replace: true },
    )
    await handle.profiles.flush()
    expect((await handle.resolver.resolve('openai')).credential).toBe('sk-new')
    await handle.vault.set('S', 'value')
    await other.vault.set('T', 'value')
    expect(await handle.vault.check()).toEqual([])
  })

  test('of a profile that is gone leaves nothing behind', async () => {
    const { handle, other } = await open()
    await handle.profiles.reportFailure('openai:b', 'format')
    await other.profiles.list()
    other.profiles.noteFailure('openai:b', 'format')
    await handle.profiles.delete('openai:b')
    await other.profiles.flush()
    expect(await handle.vault.check()).toEqual([])
    expect(await other.vault.check()).toEqual([])
  })
})

describe('times of use of two profiles of one account', () => {
  test('end when an outcome of the account waits, and count it once', async () => {
    const { handle, other } = await open()
    for (const name of ['a', 'c']) await handle.profiles.markUsed(`openai:${name}`)
    await handle.profiles.flush()
    handle.clock.advance(MINUTE)
    await handle.profiles.reportFailure('openai:a', 'rate_limit', { retryAfterMs: MINUTE })
    for (const name of ['a', 'c']) await handle.profiles.markUsed(`openai:${name}`)
    handle.profiles.noteFailure('openai:a', 'rate_limit', { retryAfterMs: 2 * MINUTE })
    await handle.profiles.flush()
    expect((await other.profiles.view('openai:a')).failureCounts).toEqual({ rate_limit: 2 })
  })

  test('end when a clock that was wrong has left windows too long', async () => {
    const { handle, other } = await open()
    for (const name of ['a', 'c']) await handle.profiles.markUsed(`openai:${name}`)
    await handle.profiles.flush()
    await handle.profiles.reportFailure('openai:a', 'rate_limit', { retryAfterMs: 24 * 60 * MINUTE })
    handle.clock.set(new Date(handle.clock.now().getTime() - 10 * MINUTE))
    await handle.profiles.views()
    for (const name of ['a', 'c']) await handle.profiles.markUsed(`openai:${name}`)
    await handle.profiles.flush()
    expect(await other.vault.check()).toEqual([])
  })
})

describe('a transaction that fails', () => {
  test('leaves outcomes to be written one time', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'auth')
    await expect(handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })).rejects.toMatchObject({
      code: 'profile_exists',
    })
    await handle.profiles.markError('openai:a', new Error('odd'))
    await handle.profiles.flush()
    for (const { profiles } of [handle, other]) {
      expect((await profiles.view('openai:a')).failureCounts).toEqual({ auth: 1 })
    }
  })
})

describe('a change that replaces the key', () => {
  test('ends the say of what was noted of the old one while it was under way', async () => {
    const { handle, other } = await open()
    handle.profiles.noteFailure('openai:a', 'timeout')
    await handle.profiles.change('openai:a', (known) => {
      if (known === undefined) throw new Error('there is no such profile')
      handle.profiles.noteFailure('openai:a', 'timeout')
      handle.profiles.noteFailure('openai:b', 'timeout')
      return { ...known, apiKey: { key: 'sk-new' } }
    })
    await handle.profiles.flush()
    for (const { profiles } of [handle, other]) {
      expect((await profiles.view('openai:a')).failureCounts).toEqual({ timeout: 1 })
      expect((await profiles.view('openai:b')).failureCounts).toEqual({ timeout: 1 })
    }
  })
})

describe('a vault that takes nothing', () => {
  test('loses nothing: they count here, and are written when it takes something again', async () => {
    const { handle, other, refuse } = await open()
    refuse(new Error('disk full'))
    handle.profiles.noteFailure('openai:a', 'billing')
    await expect(handle.profiles.flush()).rejects.toThrow('disk full')
    await expect(handle.profiles.markFailure('openai:b', 'timeout')).rejects.toThrow('disk full')
    expect((await handle.profiles.view('openai:a')).state).toBe('disabled')
    expect((await handle.profiles.view('openai:b')).errorCount).toBe(0)
    refuse(undefined)
    await handle.profiles.markFailure('openai:b', 'timeout')
    expect((await other.profiles.view('openai:a')).failureCounts).toEqual({ billing: 1 })
    expect((await other.profiles.view('openai:b')).failureCounts).toEqual({ timeout: 1 })
  })

  test('is not waited for when the handle is closed', async () => {
    const { handle, refuse } = await open()
    refuse(new Error('disk full'))
    handle.profiles.noteFailure('openai:a', 'billing')
    await handle.close()
  })

  test('makes the oldest go when there are too many', async () => {
    const { handle, other, refuse } = await open()
    refuse(new Error('disk full'))
    for (let index = 0; index < 1_001; index += 1) handle.profiles.noteFailure('openai:b', 'timeout')
    refuse(undefined)
    await handle.profiles.flush()
    expect((await other.profiles.view('openai:b')).failureCounts).toEqual({ timeout: 901 })
  })
})

test('closing a handle writes them', async () => {
  const { handle, other } = await open()
  handle.profiles.noteFailure('openai:a', 'billing')
  await handle.close()
  expect((await other.profiles.view('openai:a')).state).toBe('disabled')
})

test('any history leaves what the same outcomes leave when each is written at once', async () => {
  const REASONS: readonly FailureReason[] = ['rate_limit', 'billing', 'timeout', 'auth', 'overloaded']
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    reason: fc.option(fc.constantFrom(...REASONS), { nil: undefined }),
    durable: fc.boolean(),
    flush: fc.boolean(),
    advanceMs: fc.nat({ max: 20_000 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const [noted, plain] = [await open(), await open()]
      for (const { name, reason, durable, flush, advanceMs } of steps) {
        const id = `openai:${name}`
        for (const { handle } of [noted, plain]) handle.clock.advance(advanceMs)
        if (reason === undefined) await plain.handle.profiles.markSuccess(id)
        else await plain.handle.profiles.markFailure(id, reason)
        const { profiles } = noted.handle
        if (durable && reason !== undefined) await profiles.markFailure(id, reason)
        else if (durable) await profiles.markSuccess(id)
        else if (reason !== undefined) profiles.noteFailure(id, reason)
        else profiles.noteSuccess(id)
        if (flush) await profiles.flush()
        expect(await profiles.views()).toEqual(await plain.handle.profiles.views())
      }
      await noted.handle.profiles.flush()
      await plain.handle.profiles.flush()
      expect(await noted.other.profiles.views()).toEqual(await plain.other.profiles.views())
      expect(await noted.other.vault.check()).toEqual([])
      for (const { handle, other } of [noted, plain]) {
        await handle.close()
        await other.close()
      }
    }),
    { numRuns: 60, seed: 11 },
  )
})
