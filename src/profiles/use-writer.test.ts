import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Store } from '../storage/contract.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { loadDriver } from '../storage/sqlite/driver.js'
import { openSqliteStore } from '../storage/sqlite/index.js'
import { createFakeClock, type FakeClock } from '../testing/fake-clock.js'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const folder = mkdtempSync(join(tmpdir(), 'keymux-uses-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function withProfiles(store: Store, clock: FakeClock, names: readonly string[]): Promise<TestHandle> {
  const owner = await openTestHandle({ store, clock })
  for (const name of names)
    await owner.profiles.add({ provider: 'openai', name, account: `org-${name}`, secret: `sk-${name}` })
  return owner
}

/** Uses profiles and writes that down as after a minute. The first use is told to the audit, in the profile's row. */
async function use(handle: TestHandle, ...names: readonly string[]): Promise<void> {
  for (const name of names) await handle.profiles.markUsed(`openai:${name}`)
  await handle.profiles.flush()
}

const states = (store: Store): Promise<number> =>
  store.read(async (reader) => (await reader.scanState()).length)

const lastUsed = async (handle: TestHandle, name: string): Promise<number | undefined> =>
  (await handle.profiles.view(`openai:${name}`)).lastUsedAt?.getTime()

describe('times of use of a process that lives long', () => {
  test('go into one row together, and count for every process', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const names = ['a', 'b', 'c']
    const owner = await withProfiles(memory.connect(), clock, names)
    await use(owner, ...names)
    const before = await states(memory.connect())
    const other = await openTestHandle({ store: memory.connect(), clock })
    for (const round of [1, 2, 3]) {
      clock.advance(MINUTE_MS)
      const { cursor } = await memory.connect().read((reader) => reader.changesSince(0))
      await use(owner, ...names)
      const news = await memory.connect().read((reader) => reader.changesSince(cursor))
      expect({ round, rows: news.state.length }).toEqual({ round, rows: 1 })
      for (const name of names) expect(await lastUsed(other, name)).toBe(clock.now().getTime())
    }
    expect(await states(memory.connect())).toBe(before + 1)
    // The one that was used least recently goes first everywhere.
    clock.advance(MINUTE_MS)
    await use(owner, 'a', 'c')
    expect(await lastUsed(other, 'b')).toBe(clock.now().getTime() - MINUTE_MS)
  })

  test('go into the rows of the profiles when it ends', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const owner = await withProfiles(memory.connect(), clock, ['a'])
    await use(owner, 'a')
    const before = await states(memory.connect())
    clock.advance(MINUTE_MS)
    await use(owner, 'a')
    clock.advance(1_000)
    await owner.profiles.markUsed('openai:a')
    await owner.close()
    expect(await states(memory.connect())).toBe(before)
    const next = await openTestHandle({ store: memory.connect(), clock })
    expect(await lastUsed(next, 'a')).toBe(clock.now().getTime())
  })

  test('are taken over by another process when it was killed an hour ago', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const killed = await withProfiles(memory.connect(), clock, ['a', 'b'])
    await use(killed, 'a', 'b')
    clock.advance(MINUTE_MS)
    await use(killed, 'a')
    const at = clock.now().getTime()
    const before = await states(memory.connect())
    const other = await openTestHandle({ store: memory.connect(), clock })
    await use(other, 'b')
    expect(await states(memory.connect())).toBe(before + 1)
    clock.advance(61 * MINUTE_MS)
    await use(other, 'b')
    clock.advance(MINUTE_MS)
    await use(other, 'b')
    // Its own row is there, that of the killed one is not.
    expect(await states(memory.connect())).toBe(before)
    await other.close()
    expect(await states(memory.connect())).toBe(before - 1)
    expect(await lastUsed(await openTestHandle({ store: memory.connect(), clock }), 'a')).toBe(at)
    // It lives after all: nothing goes wrong.
    clock.advance(MINUTE_MS)
    await use(killed, 'b')
    expect(await lastUsed(await openTestHandle({ store: memory.connect(), clock }), 'b')).toBe(
      clock.now().getTime(),
    )
  })

  test('never go back, whatever processes do in whatever order', async () => {
    const step = fc.record({
      process: fc.nat(2),
      name: fc.constantFrom('a', 'b'),
      after: fc.constantFrom(1_000, MINUTE_MS, 70 * MINUTE_MS),
      end: fc.constantFrom('no', 'no', 'closed', 'killed'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const memory = createMemoryStore()
        const clock = createFakeClock()
        await (await withProfiles(memory.connect(), clock, ['a', 'b'])).close()
        const handles: (TestHandle | undefined)[] = []
        const latest = new Map<string, number>()
        for (const { process, name, after, end } of steps) {
          clock.advance(after)
          const handle = handles[process] ?? (await openTestHandle({ store: memory.connect(), clock }))
          handles[process] = handle
          await use(handle, name)
          latest.set(name, clock.now().getTime())
          if (end === 'closed') await handle.close()
          if (end !== 'no') handles[process] = undefined
          const fresh = await openTestHandle({ store: memory.connect(), clock })
          for (const [known, at] of latest) expect(await lastUsed(fresh, known)).toBe(at)
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('what belongs to no profile', () => {
  test('is removed after 30 days, and not before', async () => {
    const path = join(folder, 'strays.db')
    const clock = createFakeClock()
    const owner = await withProfiles(await openSqliteStore(path, { create: true }), clock, ['a', 'b'])
    for (const name of ['a', 'b']) await owner.profiles.markFailure(`openai:${name}`, 'rate_limit')
    const attacker = (await loadDriver()).open(`file:${path}`)
    attacker.exec('CREATE TEMP TABLE old AS SELECT id, revision, body FROM states')
    await owner.profiles.delete('openai:a')
    await owner.close()
    attacker.exec(
      'UPDATE states SET revision = old.revision, body = old.body FROM old WHERE states.id = old.id AND states.body IS NULL',
    )
    const count = (): number => {
      const [row] = attacker.prepare('SELECT count(*) AS n FROM states WHERE body IS NOT NULL').all()
      return Number((row as { n: number }).n)
    }
    const full = count()
    const run = async (): Promise<void> => {
      const handle = await openTestHandle({ store: await openSqliteStore(path, {}), clock })
      expect(await handle.profiles.view('openai:b')).toMatchObject({ errorCount: 1 })
      await use(handle, 'b')
      // The one of this hour goes to the audit, the next one is written with the others.
      clock.advance(MINUTE_MS)
      await use(handle, 'b')
      await handle.close()
    }
    clock.advance(29 * DAY_MS)
    await run()
    expect(count()).toBe(full)
    clock.advance(2 * DAY_MS)
    await run()
    expect(count()).toBe(full - 1)
    attacker.close()
  })

  test('is emptied where it is an account, whose profiles may come back', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const owner = await withProfiles(memory.connect(), clock, ['a', 'b'])
    await owner.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: MINUTE_MS })
    await owner.profiles.delete('openai:a')
    clock.advance(31 * DAY_MS)
    await use(owner, 'b')
    clock.advance(MINUTE_MS)
    await use(owner, 'b')
    await owner.profiles.add({ provider: 'openai', name: 'a', account: 'org-a', secret: 'sk-again' })
    await owner.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: MINUTE_MS })
    const other = await openTestHandle({ store: memory.connect(), clock })
    expect(await other.profiles.view('openai:a')).toMatchObject({ state: 'cooling', errorCount: 1 })
    expect(await other.vault.check()).toEqual([])
  })
})
