import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TestHandle } from '../../test/support/handle.js'
import { openWatchedVault as open } from '../../test/support/outcomes.js'
import type { FailureReason } from '../domain/usage.js'

/** More than are kept while the vault takes nothing. */
const TOO_MANY = 1_500

/** Of profile `b`, which has no account, and without effect on whether it can be used. */
const note = ({ profiles }: TestHandle, times: number, reason: FailureReason = 'unknown'): void => {
  for (let index = 0; index < times; index += 1) profiles.noteFailure('openai:b', reason)
}
/** Lets what was begun come to where it waits for the vault. */
const settle = async (hops = 200): Promise<void> => {
  for (let hop = 0; hop < hops; hop += 1) await null
}
const prioritize = ({ profiles }: TestHandle, priority: number): Promise<unknown> =>
  profiles.change('openai:b', (known) => {
    if (known === undefined) throw new Error('there is no such profile')
    return { ...known, priority }
  })
const counts = async ({ profiles }: TestHandle): Promise<Partial<Record<FailureReason, number>>> =>
  (await profiles.stats('openai:b')).failureCounts

describe('more outcomes than are kept', () => {
  test('leave those that somebody waits for', async () => {
    const { handle, other, hold } = await open()
    const release = hold()
    note(handle, 1)
    // A write that does not come to its end, and one that waits for it.
    const writing = handle.profiles.flush()
    await settle()
    const recorded = handle.profiles.markFailure('openai:b', 'format')
    await settle()
    note(handle, TOO_MANY)
    release()
    await Promise.all([writing, recorded])
    expect(await counts(other)).toMatchObject({ format: 1 })
  })

  test('leave those that are being written', async () => {
    const { handle, other, hold } = await open()
    await handle.profiles.list()
    const release = hold()
    note(handle, 10, 'format')
    const writing = handle.profiles.flush()
    await settle()
    note(handle, TOO_MANY)
    // Another process was quicker: what is being written is worked out once more.
    await other.profiles.markFailure('openai:b', 'format')
    release()
    await writing
    await handle.profiles.flush()
    expect(await counts(other)).toMatchObject({ format: 11 })
  })

  test('leave those that a flush was asked for while another write was under way', async () => {
    const { handle, other, hold } = await open()
    const release = hold()
    note(handle, 1)
    const first = handle.profiles.flush()
    await settle()
    note(handle, 10, 'format')
    const second = handle.profiles.flush()
    note(handle, TOO_MANY)
    release()
    await Promise.all([first, second])
    expect(await counts(other)).toMatchObject({ format: 10 })
  })

  test('make the oldest go that nobody waits for', async () => {
    const { handle, other, refuse } = await open()
    refuse(new Error('disk full'))
    note(handle, 101, 'format')
    note(handle, 900)
    const recorded = handle.profiles.markFailure('openai:b', 'timeout')
    await expect(recorded).rejects.toThrow('disk full')
    refuse(undefined)
    await handle.profiles.flush()
    expect(await counts(other)).toEqual({ format: 1, unknown: 900 })
  })

  test('that are all waited for are all written', async () => {
    const { handle, other, hold } = await open()
    const release = hold()
    const recorded = Array.from({ length: TOO_MANY }, () => handle.profiles.markFailure('openai:b', 'format'))
    await settle()
    note(handle, 1)
    release()
    await Promise.all(recorded)
    await handle.profiles.flush()
    expect(await counts(other)).toEqual({ format: TOO_MANY, unknown: 1 })
  })
})

describe('outcomes that a transaction takes along', () => {
  const HOPS = Array.from({ length: 60 }, (_, hops) => hops)

  test.each(['flush', 'change'] as const)('are written once, whenever a %s comes', async (what) => {
    for (const hops of HOPS) {
      const { handle, other } = await open()
      note(handle, 1, 'format')
      const change = prioritize(handle, 9)
      await settle(hops)
      await Promise.all([change, what === 'flush' ? handle.profiles.flush() : prioritize(handle, 8)])
      await handle.profiles.flush()
      for (const each of [handle, other]) expect(await counts(each)).toEqual({ format: 1 })
    }
  })

  test('are written by a flush that was asked for meanwhile, should the transaction fail', async () => {
    const { handle, other } = await open()
    note(handle, 1, 'format')
    let flushed: Promise<void> | undefined
    const change = handle.profiles.change('openai:b', () => {
      flushed = handle.profiles.flush()
      throw new Error('changed my mind')
    })
    await expect(change).rejects.toThrow('changed my mind')
    await flushed
    expect(await counts(other)).toEqual({ format: 1 })
  })
})

test('nothing that was acknowledged is lost or counted twice, whatever the vault does meanwhile', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('note' as const), times: fc.constantFrom(1, 700) }),
    fc.record({ kind: fc.constantFrom('record', 'flush', 'change', 'foreign', 'hold', 'release', 'refuse') }),
    fc.record({ kind: fc.constant('wait' as const), hops: fc.nat({ max: 40 }) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { handle, other, refuse, hold } = await open()
      let release = (): void => {}
      let [noted, recorded, foreign] = [0, 0, 0]
      const running: Promise<unknown>[] = []
      const start = (work: Promise<unknown>): void => {
        running.push(work.catch((error: unknown) => expect(error).toMatchObject({ message: 'disk full' })))
      }
      for (const each of steps) {
        switch (each.kind) {
          case 'note':
            note(handle, each.times)
            noted += each.times
            break
          case 'record':
            start(handle.profiles.markFailure('openai:b', 'format').then(() => (recorded += 1)))
            break
          case 'flush':
            start(handle.profiles.flush())
            break
          case 'change':
            start(prioritize(handle, 3))
            break
          case 'foreign':
            await other.profiles.markFailure('openai:b', 'context_overflow')
            foreign += 1
            break
          case 'hold':
            release()
            release = hold()
            break
          case 'release':
            refuse(undefined)
            release()
            break
          case 'refuse':
            refuse(new Error('disk full'))
            break
          case 'wait':
            await settle(each.hops)
        }
      }
      refuse(undefined)
      release()
      await Promise.all(running)
      await handle.profiles.flush()
      const { format = 0, unknown = 0, context_overflow = 0 } = await counts(other)
      expect({ format, context_overflow }).toEqual({ format: recorded, context_overflow: foreign })
      expect(unknown).toBeLessThanOrEqual(noted)
      expect(unknown).toBeGreaterThanOrEqual(Math.min(noted, 901))
      expect(await counts(handle)).toEqual(await counts(other))
      expect(await other.vault.check()).toEqual([])
      await handle.close()
      await other.close()
    }),
    { numRuns: 80, seed: 5 },
  )
})
