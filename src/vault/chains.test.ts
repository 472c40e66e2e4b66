import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Store } from '../storage/contract.js'
import { createMemoryStore, type MemoryStore } from '../storage/memory/index.js'
import { type Database, loadDriver } from '../storage/sqlite/driver.js'
import { openSqliteStore } from '../storage/sqlite/index.js'
import { createFakeClock, type FakeClock } from '../testing/fake-clock.js'

const folder = mkdtempSync(join(tmpdir(), 'keymux-chains-'))
afterAll(() => rmSync(folder, { recursive: true }))

const DAY_MS = 24 * 3_600_000
const NAMES = ['a', 'b', 'c']
let vaults = 0

const codes = async (handle: TestHandle): Promise<string[]> =>
  (await handle.vault.verifyAudit()).map(({ code }) => code).sort()

async function withProfiles(store: Store, clock: FakeClock): Promise<TestHandle> {
  const owner = await openTestHandle({ store, clock })
  for (const name of NAMES) await owner.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
  return owner
}

/** A vault in a file, an owner who has written several rows of state, and somebody who can write the bytes. */
async function inFile(): Promise<{
  readonly owner: TestHandle
  readonly attacker: Database
  readonly again: () => Promise<TestHandle>
}> {
  vaults += 1
  const path = join(folder, `${vaults}.db`)
  const clock = createFakeClock()
  const owner = await withProfiles(await openSqliteStore(path, { create: true }), clock)
  for (const reason of ['format', 'format', 'billing'] as const) {
    for (const name of NAMES) await owner.profiles.markFailure(`openai:${name}`, reason)
  }
  const { open } = await loadDriver()
  return {
    owner,
    attacker: open(`file:${path}`),
    again: async () => openTestHandle({ store: await openSqliteStore(path, {}), clock }),
  }
}

/** The lines of every chain as somebody without the key sees them. */
async function linesOf(store: Store): Promise<{ writer: string; lines: number }[]> {
  return store.read(async (reader) => {
    const heads = await reader.chains()
    return heads.map(({ writer, last }) => ({ writer: Buffer.from(writer).toString('hex'), lines: last }))
  })
}

describe('who writes the bytes and has no key', () => {
  const attacks: Record<string, { readonly sql: string; readonly code: string }> = {
    'puts back a row of state': {
      sql: 'UPDATE states SET revision = old.revision, body = old.body FROM old WHERE states.id = old.id',
      code: 'state_rolled_back',
    },
    'cuts the last line of a chain': {
      sql: 'DELETE FROM chains WHERE sequence = (SELECT max(sequence) FROM chains)',
      code: 'chain_cut',
    },
    'removes a chain': { sql: 'DELETE FROM chains', code: 'chain_cut' },
    'removes a line in the middle': { sql: 'DELETE FROM chains WHERE sequence = 2', code: 'chain_cut' },
    'damages a line': {
      sql: 'UPDATE chains SET body = zeroblob(length(body)) WHERE sequence = 2',
      code: 'chain_change',
    },
    'exchanges two lines': {
      sql: `UPDATE chains SET sequence = 1000 WHERE sequence = 2;
            UPDATE chains SET sequence = 2 WHERE sequence = 3;
            UPDATE chains SET sequence = 3 WHERE sequence = 1000`,
      code: 'chain_swap',
    },
    'files a chain under another writer': {
      sql: "UPDATE chains SET writer = x'00112233445566778899aabbccddeeff'",
      code: 'chain_change',
    },
  }

  test.each(Object.entries(attacks))('%s: is noticed, and hinders nobody', async (_, { sql, code }) => {
    const { owner, attacker, again } = await inFile()
    attacker.exec('CREATE TEMP TABLE old AS SELECT id, revision, body FROM states')
    await owner.profiles.markFailure('openai:a', 'billing')
    // The audit knows of the chain from here on.
    await owner.close()
    attacker.exec(sql)
    const next = await again()
    expect(await codes(next)).toContain(code)
    expect((await next.vault.check()).map((problem) => problem.code)).toContain(code)
    for (const name of NAMES) await next.profiles.markFailure(`openai:${name}`, 'format')
    expect((await next.profiles.views()).map(({ errorCount }) => errorCount)).toHaveLength(NAMES.length)
    const lenient = await again()
    await lenient.vault.acceptRollback(async () => {})
    for (const handle of [lenient, next]) {
      await handle.profiles.markFailure('openai:b', 'format')
      expect(await codes(handle)).toEqual([])
    }
    attacker.close()
    await next.close()
  })

  test('a row that was put back is named after others have written over it', async () => {
    const { owner, attacker, again } = await inFile()
    attacker.exec('CREATE TEMP TABLE old AS SELECT id, revision, body FROM states')
    for (const name of NAMES) await owner.profiles.markFailure(`openai:${name}`, 'format')
    await owner.close()
    attacker.exec(
      'UPDATE states SET revision = old.revision, body = old.body FROM old WHERE states.id = old.id',
    )
    const next = await again()
    for (let times = 0; times < 5; times += 1) {
      for (const name of NAMES) await next.profiles.markFailure(`openai:${name}`, 'format')
    }
    expect(await codes(next)).toContain('state_rolled_back')
    attacker.close()
    await next.close()
  })

  test.each([2 ** 48, Number.MAX_SAFE_INTEGER])(
    'and puts the revision %i there hinders nobody for long',
    async (revision) => {
      for (const mend of ['drop', 'rotate', 'failure'] as const) {
        const { owner, attacker, again } = await inFile()
        await owner.close()
        attacker.exec(`UPDATE states SET revision = ${revision}`)
        const next = await again()
        expect((await next.vault.check()).map(({ code }) => code)).toContain('vault_corrupt')
        if (mend === 'drop') await next.vault.dropDamaged()
        else if (mend === 'rotate') await next.vault.rotate()
        for (const name of NAMES) await next.profiles.markFailure(`openai:${name}`, 'billing')
        expect(await next.profiles.view('openai:b')).toMatchObject({ state: 'disabled', errorCount: 1 })
        const other = await again()
        expect(await other.profiles.view('openai:b')).toMatchObject({ state: 'disabled' })
        await next.profiles.markFailure('openai:b', 'format')
        await other.profiles.markFailure('openai:b', 'format')
        expect(await other.profiles.view('openai:b')).toMatchObject({ errorCount: 3 })
        attacker.close()
        await next.close()
        await other.close()
      }
    },
  )

  test('a process whose chain is cut goes on and loses nothing', async () => {
    const { owner, attacker, again } = await inFile()
    attacker.exec('DELETE FROM chains')
    for (let times = 0; times < 3; times += 1) await owner.profiles.markFailure('openai:a', 'format')
    expect(await owner.profiles.view('openai:a')).toMatchObject({ errorCount: 6 })
    await owner.close()
    const next = await again()
    expect(await next.profiles.view('openai:a')).toMatchObject({ errorCount: 6 })
    attacker.close()
    await next.close()
  })
})

describe('a chain', () => {
  test('is told to the audit with the next record, and in any case when its process ends', async () => {
    const memory = createMemoryStore()
    const owner = await withProfiles(memory.connect(), createFakeClock())
    const noted = async (): Promise<number> =>
      (await owner.vault.audit()).filter(({ event }) => event === 'chain').length
    await owner.profiles.markFailure('openai:a', 'format')
    expect(await noted()).toBe(0)
    await owner.profiles.update('openai:a', { priority: 3 })
    expect(await noted()).toBe(1)
    await owner.profiles.update('openai:a', { priority: 4 })
    expect(await noted()).toBe(1)
    await owner.profiles.markFailure('openai:a', 'format')
    await owner.close()
    const next = await openTestHandle({ store: memory.connect() })
    expect((await next.vault.audit()).filter(({ event }) => event === 'chain')).toHaveLength(2)
    expect(await codes(next)).toEqual([])
  })

  test('ends with a rotation, which seals every row anew', async () => {
    const memory = createMemoryStore()
    const owner = await withProfiles(memory.connect(), createFakeClock())
    const other = await openTestHandle({ store: memory.connect() })
    for (const handle of [owner, other]) await handle.profiles.markFailure('openai:a', 'format')
    expect(await linesOf(memory.connect())).toHaveLength(2)
    await owner.vault.rotate()
    expect(await linesOf(memory.connect())).toEqual([])
    for (const handle of [other, owner]) await handle.profiles.markFailure('openai:a', 'format')
    expect(await owner.profiles.view('openai:a')).toMatchObject({ errorCount: 4 })
    expect(await linesOf(memory.connect())).toHaveLength(2)
    expect(await codes(other)).toEqual([])
    expect(await codes(owner)).toEqual([])
  })

  test('of a process that is gone stays for 30 days, and is removed by one that is told of later', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const gone = await withProfiles(memory.connect(), clock)
    await gone.profiles.markFailure('openai:a', 'format')
    await gone.close()
    const run = async (): Promise<number> => {
      const handle = await openTestHandle({ store: memory.connect(), clock })
      await handle.profiles.markFailure('openai:b', 'format')
      await handle.close()
      return (await linesOf(memory.connect())).length
    }
    clock.advance(29 * DAY_MS)
    expect(await run()).toBe(2)
    clock.advance(2 * DAY_MS)
    expect(await run()).toBe(2)
    const last = await openTestHandle({ store: memory.connect(), clock })
    expect((await last.vault.audit()).map(({ event }) => event)).toContain('chain_ended')
    expect(await codes(last)).toEqual([])
  })

  test('that is long is ended, and the next one says again what it said', async () => {
    const memory = createMemoryStore()
    const owner = await withProfiles(memory.connect(), createFakeClock())
    await owner.profiles.markFailure('openai:b', 'format')
    for (let lines = 1; lines < 1_000; lines += 1) await owner.profiles.markFailure('openai:a', 'format')
    expect(await linesOf(memory.connect())).toMatchObject([{ lines: 1_000 }])
    await owner.close()
    expect(await linesOf(memory.connect())).toEqual([])
    const next = await openTestHandle({ store: memory.connect() })
    expect(await next.profiles.view('openai:a')).toMatchObject({ errorCount: 999 })
    expect(await codes(next)).toEqual([])
  })

  test.each([
    ['its owner accepts what is there', async (by: TestHandle) => by.vault.acceptRollback(async () => {})],
    [
      'a process with another clock takes it for an old one',
      async (by: TestHandle) => {
        by.clock.advance(40 * DAY_MS)
        await by.profiles.markFailure('openai:c', 'format')
        await by.close()
      },
    ],
  ])('that is no more is not told of later: %s', async (_, end) => {
    for (const later of ['close', 'record', 'outcome'] as const) {
      const memory = createMemoryStore()
      const owner = await withProfiles(memory.connect(), createFakeClock())
      await owner.profiles.markFailure('openai:a', 'format')
      await end(await openTestHandle({ store: memory.connect(), clock: createFakeClock() }))
      if (later === 'record') await owner.profiles.update('openai:a', { priority: 2 })
      if (later === 'outcome') await owner.profiles.markFailure('openai:a', 'format')
      await owner.close()
      const next = await openTestHandle({ store: memory.connect() })
      expect([later, await codes(next)]).toEqual([later, []])
    }
  })

  test('never accuses anybody, whatever processes do in whatever order', async () => {
    type Step = readonly [process: number, what: number]
    const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(2), fc.nat(9))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const memory: MemoryStore = createMemoryStore()
        const clock = createFakeClock()
        const owner = await withProfiles(memory.connect(), clock)
        const handles: (TestHandle | undefined)[] = [owner]
        const use = async (index: number): Promise<TestHandle> => {
          const handle = handles[index] ?? (await openTestHandle({ store: memory.connect(), clock }))
          handles[index] = handle
          return handle
        }
        for (const [index, what] of steps) {
          const handle = await use(index)
          if (what < 3) await handle.profiles.markFailure(`openai:${NAMES[what]}`, 'format')
          else if (what === 3) await handle.profiles.reset()
          else if (what === 4) await handle.profiles.update('openai:b', { priority: index })
          else if (what === 5) await handle.vault.rotate()
          else if (what === 6) clock.advance(20 * DAY_MS)
          else if (what === 7) handles[index] = undefined
          else if (what === 8) await handle.vault.acceptRollback(async () => {})
          else {
            await handle.close()
            handles[index] = undefined
          }
          expect(await codes(await use(2))).toEqual([])
        }
      }),
      { numRuns: 40 },
    )
  })
})
