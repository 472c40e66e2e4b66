import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Affinity } from '../domain/affinity.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { DIGEST_BYTES, entriesOf, entryCount, type Remembered, withEntries } from './segments.js'

const DAY = 24 * 3_600_000

function affinityOf(handle: TestHandle): Affinity {
  const { affinity } = handle.profiles
  if (affinity === undefined) throw new Error('there is none')
  return affinity
}

async function add(handle: TestHandle, ...names: string[]): Promise<void> {
  for (const name of names) await handle.profiles.add({ provider: 'openai', name, secret: `key-${name}` })
}

describe('a segment', () => {
  test('gives back what was put into it', () => {
    const digest = fc
      .uint8Array({ minLength: DIGEST_BYTES, maxLength: DIGEST_BYTES })
      .filter((bytes) => bytes.some((byte) => byte !== 0))
      .map((bytes) => Buffer.from(bytes).toString('latin1'))
    const seconds = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    const value = fc
      .record({
        uid: fc.constantFrom('u1', 'u2', 'u3'),
        at: seconds,
        mark: fc.option(digest, { nil: undefined }),
      })
      .map(
        ({ uid, at, mark }): Remembered => ({
          uid,
          atMs: at * 1_000,
          ...(mark === undefined ? {} : { mark }),
        }),
      )
    fc.assert(
      fc.property(fc.array(fc.tuple(digest, value)), fc.array(fc.tuple(digest, value)), (first, second) => {
        const segment = withEntries(withEntries(undefined, first), second)
        expect([...entriesOf(segment)]).toEqual([...first, ...second])
        expect(entryCount(segment)).toBe(first.length + second.length)
      }),
    )
  })

  test('takes whatever a clock says', () => {
    for (const atMs of [-1, 0, 5e15, Number.MAX_SAFE_INTEGER]) {
      expect([
        ...entriesOf(withEntries(undefined, [['d'.repeat(DIGEST_BYTES), { uid: 'u', atMs }]])),
      ]).toHaveLength(1)
    }
  })

  test.each([
    { uids: [], entries: 'AAAA' },
    { uids: [], entries: Buffer.alloc(60).toString('base64') },
    { uids: ['u'], entries: '!!' },
  ])('of another making is read as far as it makes sense: %#', (segment) => {
    expect([...entriesOf(segment)]).toEqual([])
  })
})

describe('what processes remember together', () => {
  test('is what each of them has put there last, whoever writes when', async () => {
    const puts = fc.array(
      fc.record({
        process: fc.nat(2),
        object: fc.nat(400),
        profile: fc.constantFrom('a', 'b'),
        flush: fc.boolean(),
      }),
      { minLength: 1, maxLength: 600 },
    )
    await fc.assert(
      fc.asyncProperty(puts, async (steps) => {
        const memory = createMemoryStore()
        const handles: TestHandle[] = []
        for (let index = 0; index < 3; index += 1)
          handles.push(await openTestHandle({ store: memory.connect() }))
        const [first] = handles as [TestHandle]
        await add(first, 'a', 'b')
        const expected = new Map<number, string>()
        for (const { process, object, profile, flush } of steps) {
          const handle = handles[process] ?? first
          // One process alone speaks of an object: which of several was last is not told.
          const mine = object * 3 + process
          handle.clock.advance(100)
          await handle.profiles.list()
          const affinity = affinityOf(handle)
          if (expected.has(mine)) continue
          void affinity.own(`openai:${profile}`, [affinity.digest(`object-${mine}`)], 'leisure')
          expected.set(mine, `openai:${profile}`)
          if (flush) await handle.profiles.flush()
        }
        await Promise.all(handles.map((handle) => handle.profiles.flush()))
        for (const handle of handles) {
          handle.clock.advance(100)
          await handle.profiles.list()
          const affinity = affinityOf(handle)
          for (const [object, owner] of expected) {
            expect(affinity.ownerOf(affinity.digest(`object-${object}`))).toBe(owner)
          }
          await handle.close()
        }
      }),
      { numRuns: 15 },
    )
  })

  test('is bounded: the oldest goes, in its time too', async () => {
    const memory = createMemoryStore()
    const handle = await openTestHandle({ store: memory.connect() })
    await add(handle, 'a')
    const affinity = affinityOf(handle)
    const batch = async (from: number, count: number): Promise<void> => {
      const digests = Array.from({ length: count }, (_, index) => affinity.digest(`o-${from + index}`))
      void affinity.own('openai:a', digests, 'leisure')
      await handle.profiles.flush()
    }
    for (let from = 0; from < 18_000; from += 1_000) await batch(from, 1_000)
    const knows = (object: number): boolean => affinity.ownerOf(affinity.digest(`o-${object}`)) !== undefined
    expect([knows(0), knows(17_999), knows(17_999 - 16_000)]).toEqual([false, true, true])
    handle.clock.advance(31 * DAY)
    expect(knows(17_999)).toBe(false)
    for (let day = 0; day < 3; day += 1) await batch(20_000 + day, 1)
    const again = await openTestHandle({ store: memory.connect() })
    expect(affinityOf(again).hasOwners).toBe(true)
    await again.close()
    await handle.close()
  })

  test('follows a rotation of the keys', async () => {
    const handle = await openTestHandle()
    await add(handle, 'a')
    const affinity = affinityOf(handle)
    await affinity.own('openai:a', [affinity.digest('file-1')], 'once')
    await handle.profiles.flush()
    await handle.vault.rotate()
    expect(affinity.ownerOf(affinity.digest('file-1'))).toBe('openai:a')
    await affinity.own('openai:a', [affinity.digest('file-2')], 'once')
    await handle.profiles.flush()
    expect(affinity.ownerOf(affinity.digest('file-2'))).toBe('openai:a')
    await handle.close()
  })
})
