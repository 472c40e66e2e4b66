import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { StateBatch, StateConflict, StateResult, Store } from '../../src/storage/contract.js'
import { bytes, comparableState, rowId, type StoreDriver } from './place.js'

/** A write of the property: `guess` picks what it expects, 0 the truth. */
interface Attempt {
  readonly id: number
  readonly guess: number
  readonly body: Uint8Array | undefined
}

interface Step {
  readonly handle: number
  readonly attempts: readonly Attempt[]
  /** Through a record transaction, that may fail. */
  readonly record: 'no' | 'commit' | 'fail'
  readonly line: boolean
  readonly term: number
}

const attempt: fc.Arbitrary<Attempt> = fc.record({
  id: fc.integer({ min: 0, max: 4 }),
  guess: fc.constantFrom(0, 0, 0, -1, 1),
  body: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
})
const step: fc.Arbitrary<Step> = fc.record({
  handle: fc.integer({ min: 0, max: 2 }),
  attempts: fc.array(attempt, { maxLength: 5 }),
  record: fc.constantFrom('no' as const, 'no' as const, 'no' as const, 'commit' as const, 'fail' as const),
  line: fc.boolean(),
  term: fc.constantFrom(0, 0, 0, 0, 1),
})

/** The rules, written down a second time. */
class Model {
  readonly rows = new Map<number, { revision: number; body: Uint8Array | undefined }>()
  readonly chains = [0, 0, 0]
  cursor = 0

  revision(id: number): number {
    return this.rows.get(id)?.revision ?? 0
  }

  /** @returns what a write that names `expected` meets */
  try({ id, body }: Attempt, expected: number): StateConflict | undefined {
    const found = this.rows.get(id)
    const revision = this.revision(id)
    if (revision !== expected) {
      const row = found?.body && { id: rowId(id), revision, body: found.body }
      return { id: rowId(id), revision, row }
    }
    this.rows.set(id, { revision: revision + 1, body })
    return undefined
  }

  listing(): string[] {
    return comparableState(
      [...this.rows].flatMap(([id, { revision, body }]) =>
        body === undefined ? [] : [{ id: rowId(id), revision, body }],
      ),
    )
  }
}

/** What one step asks of the store, and what the model says must come of it. */
function plan(
  model: Model,
  { attempts, handle, line, record, term }: Step,
): {
  readonly batch: StateBatch
  readonly expected: StateResult
} {
  const refused = term !== 0 && record === 'no'
  const before = new Map(model.rows)
  const conflicts: StateConflict[] = []
  const writes: StateBatch['writes'][number][] = []
  for (const each of attempts) {
    const expected = Math.max(model.revision(each.id) + each.guess, each.body === undefined ? 1 : 0)
    writes.push({ id: rowId(each.id), expected, body: each.body })
    const conflict = model.try(each, expected)
    if (conflict !== undefined) conflicts.push(conflict)
  }
  const wrote = conflicts.length < writes.length
  if (refused || record === 'fail') {
    model.rows.clear()
    for (const [id, row] of before) model.rows.set(id, row)
  } else if (wrote || record === 'commit') {
    model.cursor += 1
    if (wrote && line && record === 'no') model.chains[handle] = (model.chains[handle] ?? 0) + 1
  }
  const sequence = model.chains[handle] ?? 0
  const batch: StateBatch = {
    term,
    writes,
    line: line ? () => ({ writer: rowId(900 + handle), sequence, body: bytes(sequence % 256) }) : undefined,
  }
  const cursor = model.cursor
  return { batch, expected: refused ? { refused: 'term', conflicts: [], cursor } : { conflicts, cursor } }
}

async function run(store: Store, { record }: Step, batch: StateBatch, expected: StateResult): Promise<void> {
  if (record === 'no') {
    expect(await store.writeState(batch)).toEqual(expected)
    return
  }
  const writing = store.write(async (tx) => {
    expect(await tx.writeState(batch.writes)).toEqual(expected.conflicts)
    if (record === 'fail') throw new Error('planned')
  })
  if (record === 'fail') await expect(writing).rejects.toThrow('planned')
  else await writing
}

/** Follows one store's feed as a reader would. */
class Follower {
  readonly #store: Store
  readonly #known = new Map<string, { id: Uint8Array; revision: number; body: Uint8Array | undefined }>()
  #cursor = 0

  constructor(store: Store) {
    this.#store = store
  }

  async listing(): Promise<string[]> {
    const set = await this.#store.read((reader) => reader.changesSince(this.#cursor))
    expect(set.full).toBe(false)
    this.#cursor = set.cursor
    for (const row of set.state) this.#known.set(Buffer.from(row.id).toString('hex'), row)
    return comparableState([...this.#known.values()].filter(({ body }) => body !== undefined))
  }
}

export function stateProperty(driver: StoreDriver): void {
  it('behaves as a plain map of revisions would, for any batches of three stores', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const place = await driver.makePlace()
        const stores = [await place.connect(), await place.connect(), await place.connect()] as const
        const model = new Model()
        const follower = new Follower(stores[2])
        try {
          for (const [at, each] of steps.entries()) {
            const store = stores[each.handle] ?? stores[0]
            const { batch, expected } = plan(model, each)
            await run(store, each, batch, expected)
            const rows = await stores[at % 2 === 0 ? 0 : 1].read((reader) => reader.scanState())
            expect(comparableState(rows)).toEqual(model.listing())
            if (at % 3 === 2) expect(await follower.listing()).toEqual(model.listing())
          }
          expect(await follower.listing()).toEqual(model.listing())
          await stores[0].read(async (reader) => {
            expect(await reader.cursor()).toBe(model.cursor)
            const lengths = new Map((await reader.chains()).map(({ writer, last }) => [String(writer), last]))
            expect([0, 1, 2].map((n) => lengths.get(String(rowId(900 + n))) ?? 0)).toEqual(model.chains)
          })
          expect(await stores[0].integrityProblems()).toEqual([])
        } finally {
          await Promise.all(stores.map((store) => store.close()))
          await place.dispose()
        }
      }),
      { numRuns: 40 },
    )
  })

  it('lets nothing be lost between batches that are under way at the same time', async () => {
    const burst = fc.array(
      fc.record({
        handle: fc.integer({ min: 0, max: 2 }),
        ids: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(burst, async (adders) => {
        const place = await driver.makePlace()
        const stores = [await place.connect(), await place.connect(), await place.connect()] as const
        try {
          await Promise.all(
            adders.map(({ handle, ids }) => addOne(stores[handle] ?? stores[0], [...new Set(ids)])),
          )
          const rows = await stores[0].read((reader) => reader.scanState())
          const expected = [0, 1, 2, 3].map((id) => adders.filter(({ ids }) => ids.includes(id)).length)
          for (const [id, count] of expected.entries()) {
            const found = rows.find((row) => String(row.id) === String(rowId(id)))
            expect([found?.revision ?? 0, found?.body[0] ?? 0]).toEqual([count, count])
          }
        } finally {
          await Promise.all(stores.map((store) => store.close()))
          await place.dispose()
        }
      }),
      { numRuns: 20 },
    )
  })
}

/** Adds 1 to each of the rows, again where another writer was faster. */
async function addOne(store: Store, ids: readonly number[]): Promise<void> {
  let wanted = ids.map((id) => ({ id: rowId(id), expected: 0, body: bytes(1) }))
  while (wanted.length > 0) {
    const { conflicts } = await store.writeState({ term: 0, writes: wanted })
    wanted = conflicts.map(({ id, row }) => ({
      id,
      expected: row?.revision ?? 0,
      body: bytes((row?.body[0] ?? 0) + 1),
    }))
  }
}
