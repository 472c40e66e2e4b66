import { describe, expect, it } from 'vitest'
import type {
  StateBatch,
  StateResult,
  StateRow,
  StateWrite,
  Store,
  StoreTransaction,
} from '../../src/storage/contract.js'
import {
  bytes,
  comparable,
  comparableState,
  deferred,
  ended,
  expectRanges,
  placeForEach,
  rowId,
  type StoreDriver,
  type StorePlace,
} from './place.js'
import { stateProperty } from './state-property.js'

const write = (n: number, expected: number, ...body: number[]): StateWrite => ({
  id: rowId(n),
  expected,
  body: bytes(...body),
})
const remove = (n: number, expected: number): StateWrite => ({ id: rowId(n), expected, body: undefined })
const row = (n: number, revision: number, ...body: number[]): StateRow => ({
  id: rowId(n),
  revision,
  body: bytes(...body),
})
const change = (store: Store, ...writes: StateWrite[]): Promise<StateResult> =>
  store.writeState({ term: 0, writes })
const get = (store: Store, n: number): Promise<StateRow | undefined> =>
  store.read((reader) => reader.getState(rowId(n)))
const scan = (store: Store): Promise<string[]> =>
  store.read(async (reader) => comparableState(await reader.scanState()))
const cursorOf = (store: Store): Promise<number> => store.read((reader) => reader.cursor())
/** Rows in the order of their ids. */
const listed = (...rows: StateRow[]): string[] => comparableState(rows)

const WRITER = rowId(900)
/** A batch of one new row with a line of `WRITER`. */
const withLine = (n: number, sequence: number, writer: Uint8Array = WRITER): StateBatch => ({
  term: 0,
  writes: [write(n, 0, n)],
  line: () => ({ writer, sequence, body: bytes(n) }),
})

/** What every driver's lane of state does. */
export function stateContract(driver: StoreDriver): void {
  describe(`store contract, lane of state: ${driver.kind}`, () => {
    let place: StorePlace
    let store: Store
    const connect = placeForEach(driver, (made) => {
      ;({ place, store } = made)
    })

    describe('a new store', () => {
      it('has no state, no chains, and term 0', async () => {
        await store.read(async (reader) => {
          expect(await reader.scanState()).toEqual([])
          expect(await reader.getState(rowId(1))).toBeUndefined()
          expect(await reader.chains()).toEqual([])
          expect(await reader.readChain(WRITER, 1, 10)).toEqual([])
          expect(await reader.term()).toBe(0)
        })
      })
    })

    describe('compare and swap', () => {
      it('makes, changes and deletes a row, one revision after the other', async () => {
        expect(await change(store, write(1, 0, 1))).toEqual({ conflicts: [], cursor: 1 })
        expect(await get(store, 1)).toEqual(row(1, 1, 1))
        expect(await change(store, write(1, 1, 2, 2))).toEqual({ conflicts: [], cursor: 2 })
        expect(await get(store, 1)).toEqual(row(1, 2, 2, 2))
        expect(await change(store, remove(1, 2))).toEqual({ conflicts: [], cursor: 3 })
        expect(await get(store, 1)).toBeUndefined()
        expect(await scan(store)).toEqual([])
      })

      it('continues above the deletion when a row is made anew', async () => {
        await change(store, write(1, 0, 1))
        await change(store, remove(1, 1))
        expect(await change(store, write(1, 1, 9), write(1, 0, 9))).toEqual({
          conflicts: [1, 2].map(() => ({ id: rowId(1), revision: 2, row: undefined })),
          cursor: 2,
        })
        await change(store, write(1, 2, 2))
        expect(await get(store, 1)).toEqual(row(1, 3, 2))
      })

      it.each([
        ['there is none', 1, undefined],
        ['there is one', 0, [0]],
        ['it is older', 1, [0, 1]],
        ['it is newer', 3, [0, 1]],
      ] as const)('loses where %s, and tells what is there', async (_, expected, history) => {
        for (const [at, before] of (history ?? []).entries()) await change(store, write(1, before, at))
        const standing = await get(store, 1)
        const cursor = await cursorOf(store)
        for (const attempt of expected === 0
          ? [write(1, 0, 9)]
          : [write(1, expected, 9), remove(1, expected)]) {
          expect(await change(store, attempt)).toEqual({
            conflicts: [{ id: rowId(1), revision: standing?.revision ?? 0, row: standing }],
            cursor,
          })
        }
        expect(await get(store, 1)).toEqual(standing)
        expect(await cursorOf(store)).toBe(cursor)
      })

      it('takes each write of a batch on its own, and gives the conflicts in order', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2), write(3, 0, 3))
        const mixed = await change(
          store,
          write(3, 7, 9),
          write(1, 1, 11),
          write(4, 0, 4),
          remove(5, 1),
          remove(2, 1),
          write(1, 1, 9),
        )
        expect(mixed).toEqual({
          conflicts: [
            { id: rowId(3), revision: 1, row: row(3, 1, 3) },
            { id: rowId(5), revision: 0, row: undefined },
            { id: rowId(1), revision: 2, row: row(1, 2, 11) },
          ],
          cursor: 2,
        })
        expect(await scan(store)).toEqual(listed(row(1, 2, 11), row(3, 1, 3), row(4, 1, 4)))
      })

      it('lets a later write of a batch find what an earlier one left', async () => {
        const result = await change(store, write(1, 0, 1), write(1, 1, 2), remove(1, 2), write(1, 3, 4))
        expect(result).toEqual({ conflicts: [], cursor: 1 })
        expect(await get(store, 1)).toEqual(row(1, 4, 4))
      })

      it('commits nothing for a batch without writes', async () => {
        expect(await change(store)).toEqual({ conflicts: [], cursor: 0 })
        expect(await cursorOf(store)).toBe(0)
      })

      it('keeps an empty body apart from none', async () => {
        await change(store, write(1, 0))
        expect(await get(store, 1)).toEqual(row(1, 1))
        expect(await scan(store)).toEqual(listed(row(1, 1)))
      })

      it('is untouched by what callers do to their buffers', async () => {
        const given = write(1, 0, 1, 2, 3)
        const writing = change(store, given)
        given.body?.fill(9)
        given.id.fill(9)
        await writing
        for (const each of await store.read((reader) => reader.scanState())) {
          each.body.fill(8)
          each.id.fill(8)
        }
        ;(await get(store, 1))?.body.fill(8)
        const { conflicts } = await change(store, write(1, 0, 9))
        conflicts[0]?.row?.body.fill(8)
        expect(await get(store, 1)).toEqual(row(1, 1, 1, 2, 3))
      })

      it('takes views into larger buffers', async () => {
        const large = Buffer.from('..0123456789abcdefBODY..')
        await change(store, { id: large.subarray(2, 18), expected: 0, body: large.subarray(18, 22) })
        const [found] = await store.read((reader) => reader.scanState())
        expect(Buffer.from(found?.id ?? []).toString()).toBe('0123456789abcdef')
        expect(Buffer.from(found?.body ?? []).toString()).toBe('BODY')
      })

      it('lists a thousand rows of every length once each', async () => {
        const writes = Array.from({ length: 1000 }, (_, n) => write(n, 0, ...new Uint8Array(n).fill(n)))
        await change(store, ...writes)
        await change(store, ...writes.filter((_, n) => n % 3 === 0).map((each) => ({ ...each, expected: 1 })))
        const rows = await store.read((reader) => reader.scanState())
        expect(rows).toHaveLength(1000)
        expect(rows.reduce((sum, { body }) => sum + body.length, 0)).toBe(499_500)
        const expected = writes.map(({ id, body }, n) => ({ id, revision: n % 3 === 0 ? 2 : 1, body }))
        expect(comparableState(rows)).toEqual(comparableState(expected))
      })

      it('loses no increment of several stores', async () => {
        const stores = [store, await connect(), await connect()]
        const increment = async (by: Store): Promise<void> => {
          for (let known: StateRow | undefined; ; ) {
            const value = (known?.body[0] ?? 0) + 1
            const { conflicts } = await change(by, write(1, known?.revision ?? 0, value))
            if (conflicts.length === 0) return
            known = conflicts[0]?.row
          }
        }
        await Promise.all(
          stores.map(async (by) => {
            for (let n = 0; n < 30; n++) await increment(by)
          }),
        )
        expect(await get(store, 1)).toEqual(row(1, 90, 90))
      })

      const impossible: StateWrite[] = [
        { id: bytes(), expected: 0, body: bytes(1) },
        { id: new Uint8Array(17), expected: 0, body: bytes(1) },
        write(1, -1, 1),
        write(1, 0.5, 1),
        write(1, Number.NaN, 1),
        write(1, Number.MAX_SAFE_INTEGER + 1, 1),
        write(1, Number.POSITIVE_INFINITY, 1),
        remove(1, 0),
      ]

      it.each(impossible)(
        'refuses a write that nobody can mean, and the batch with it: %#',
        async (wrong) => {
          const refusal = { code: 'internal_error' }
          await expect(change(store, write(2, 0, 2), wrong)).rejects.toMatchObject(refusal)
          await store.write(async (tx) => {
            await expect(tx.writeState([write(2, 0, 2), wrong])).rejects.toMatchObject(refusal)
            await tx.writeState([write(3, 0, 3)])
          })
          expect(await scan(store)).toEqual(listed(row(3, 1, 3)))
        },
      )

      it('refuses ids and writers of another length when reading, too', async () => {
        await store.write(async (tx) => {
          const refusal = { code: 'internal_error' }
          await expect(tx.getState(bytes(1))).rejects.toMatchObject(refusal)
          await expect(tx.readChain(new Uint8Array(17), 1, 1)).rejects.toMatchObject(refusal)
          await expect(tx.deleteChain(bytes())).rejects.toMatchObject(refusal)
        })
      })
    })

    describe('the term', () => {
      it('refuses a batch of another one as a whole', async () => {
        await change(store, write(1, 0, 1))
        await store.write((tx) => tx.setTerm(3))
        let asked = false
        const line: StateBatch['line'] = () => {
          asked = true
          return { writer: WRITER, sequence: 1, body: bytes() }
        }
        for (const term of [0, 2, 4]) {
          const refused = await store.writeState({ term, writes: [write(1, 1, 9), write(2, 7, 9)], line })
          expect(refused).toEqual({ refused: 'term', conflicts: [], cursor: 2 })
        }
        expect(asked).toBe(false)
        expect(await scan(store)).toEqual(listed(row(1, 1, 1)))
        expect(await store.writeState({ term: 3, writes: [write(1, 1, 2)] })).toEqual({
          conflicts: [],
          cursor: 3,
        })
      })

      it('changes with a record transaction, and not with one that fails', async () => {
        const term = (from: Store): Promise<number> => from.read((reader) => reader.term())
        const other = await connect()
        const failed = store.write(async (tx) => {
          await tx.setTerm(7)
          expect(await tx.term()).toBe(7)
          throw new Error('no')
        })
        await expect(failed).rejects.toThrow('no')
        expect(await term(store)).toBe(0)
        await store.write(async (tx) => {
          await tx.setTerm(1)
          expect(await term(other)).toBe(0)
          await tx.putBlob('header', bytes(1))
        })
        expect([await term(store), await term(other)]).toEqual([1, 1])
        await store.write(async (tx) => {
          await tx.setTerm(5)
          await tx.setTerm(2)
        })
        expect(await term(other)).toBe(2)
      })

      it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('is no %d', async (term) => {
        const refusal = { code: 'internal_error' }
        await expect(store.writeState({ term, writes: [] })).rejects.toMatchObject(refusal)
        await store.write((tx) => expect(tx.setTerm(term)).rejects.toMatchObject(refusal))
        expect(await store.read((reader) => reader.term())).toBe(0)
      })
    })

    describe('within a record transaction', () => {
      it('is all or nothing with it, conflicts apart', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2))
        const body = async (tx: StoreTransaction): Promise<void> => {
          await tx.putRow('t', rowId(1), bytes(7))
          expect(await tx.writeState([write(1, 1, 11), write(2, 9, 9), write(3, 0, 3)])).toEqual([
            { id: rowId(2), revision: 1, row: row(2, 1, 2) },
          ])
          expect(await tx.writeState([remove(2, 1), write(1, 1, 9)])).toEqual([
            { id: rowId(1), revision: 2, row: row(1, 2, 11) },
          ])
        }
        const failed = store.write(async (tx) => {
          await body(tx)
          throw new Error('no')
        })
        await expect(failed).rejects.toThrow('no')
        expect(await scan(store)).toEqual(listed(row(1, 1, 1), row(2, 1, 2)))
        await store.write(body)
        expect(await scan(store)).toEqual(listed(row(1, 2, 11), row(3, 1, 3)))
        expect(await cursorOf(store)).toBe(2)
      })

      it('shows its own changes of state', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2), write(3, 0, 3))
        await store.write(async (tx) => {
          await tx.writeState([write(1, 1, 11), remove(2, 1), write(4, 0, 4)])
          expect(await tx.getState(rowId(1))).toEqual(row(1, 2, 11))
          expect(await tx.getState(rowId(2))).toBeUndefined()
          expect(comparableState(await tx.scanState())).toEqual(
            listed(row(1, 2, 11), row(3, 1, 3), row(4, 1, 4)),
          )
          const { cursor, state } = await tx.changesSince(1)
          expect(cursor).toBe(2)
          expect(comparableState(state)).toEqual(
            comparableState([row(1, 2, 11), { id: rowId(2), revision: 2, body: undefined }, row(4, 1, 4)]),
          )
          expect(await tx.writeState([write(2, 2, 22)])).toEqual([])
          expect(await tx.getState(rowId(2))).toEqual(row(2, 3, 22))
        })
      })

      it('leaves the caller’s buffers alone', async () => {
        const given = write(1, 0, 1)
        await store.write(async (tx) => {
          await tx.writeState([given])
          given.body?.fill(9)
          given.id.fill(9)
        })
        expect(await scan(store)).toEqual(listed(row(1, 1, 1)))
      })
    })

    describe('chains', () => {
      it('get a line with what came through, in the same transaction', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2))
        const asked: unknown[] = []
        const result = await store.writeState({
          term: 0,
          writes: [write(1, 1, 11), write(2, 9, 9), remove(2, 1), write(3, 0, 3)],
          line: (written) => {
            asked.push(written)
            return { writer: WRITER, sequence: 1, body: bytes(5, 6) }
          },
        })
        expect(result.conflicts).toHaveLength(1)
        expect(asked).toEqual([
          [
            { id: rowId(1), revision: 2 },
            { id: rowId(2), revision: 2 },
            { id: rowId(3), revision: 1 },
          ],
        ])
        await store.read(async (reader) => {
          expect(await reader.readChain(WRITER, 1, 10)).toEqual([{ sequence: 1, body: bytes(5, 6) }])
          expect(await reader.chains()).toEqual([{ writer: WRITER, last: 1 }])
          expect(await reader.lastLog()).toBeUndefined()
        })
      })

      it('get none where nothing came through', async () => {
        const line = (): never => {
          throw new Error('asked')
        }
        await store.writeState({ term: 0, writes: [write(1, 5, 9), remove(2, 1)], line })
        await store.writeState({ term: 0, writes: [], line })
        expect(await store.read((reader) => reader.chains())).toEqual([])
      })

      it.each([0, 2, 4])('refuse line %d after line 2, and what it tells of', async (sequence) => {
        await store.writeState(withLine(1, 1))
        await store.writeState(withLine(2, 2))
        const wrong = store.writeState(withLine(3, sequence))
        await expect(wrong).rejects.toMatchObject({ code: 'conflict' })
        expect(await scan(store)).toEqual(listed(row(1, 1, 1), row(2, 1, 2)))
        expect(await cursorOf(store)).toBe(2)
        await store.writeState(withLine(3, 3))
        expect(await store.read((reader) => reader.chains())).toEqual([{ writer: WRITER, last: 3 }])
      })

      it.each([-1, 1.5, Number.NaN])('refuse a line numbered %d', async (sequence) => {
        await expect(store.writeState(withLine(1, sequence))).rejects.toMatchObject({
          code: 'internal_error',
        })
        await expect(store.writeState(withLine(1, 1, bytes(1)))).rejects.toMatchObject({
          code: 'internal_error',
        })
        expect(await scan(store)).toEqual([])
      })

      it('undo the batch when the line throws, and pass its error on', async () => {
        const error = new Error('no line')
        const line = (): never => {
          throw error
        }
        await expect(store.writeState({ term: 0, writes: [write(1, 0, 1)], line })).rejects.toBe(error)
        expect(await scan(store)).toEqual([])
        await change(store, write(1, 0, 1))
        expect(await cursorOf(store)).toBe(1)
      })

      it('are apart, and read in ranges, whatever is asked for', async () => {
        const others = [rowId(1), new Uint8Array(16).fill(255), new Uint8Array(16)]
        for (let n = 1; n <= 5; n++) await store.writeState(withLine(n, n))
        for (const [at, writer] of others.entries()) await store.writeState(withLine(10 + at, 1, writer))
        await store.read(async (reader) => {
          await expectRanges(async (from, limit) =>
            (await reader.readChain(WRITER, from, limit)).map(({ sequence }) => sequence),
          )
          const heads = (await reader.chains()).map(
            ({ writer, last }) => `${Buffer.from(writer).toString('hex')} ${last}`,
          )
          const expected = [WRITER, ...others].map((writer) => Buffer.from(writer).toString('hex'))
          expect(heads.sort()).toEqual(expected.map((writer, at) => `${writer} ${at === 0 ? 5 : 1}`).sort())
        })
      })

      it('are deleted in a record transaction, and begin anew', async () => {
        for (const [n, writer] of [WRITER, WRITER, rowId(5)].entries())
          await store.writeState(withLine(n, n === 1 ? 2 : 1, writer))
        const other = await connect()
        const failed = store.write(async (tx) => {
          await tx.deleteChain(WRITER)
          expect(await tx.chains()).toEqual([{ writer: rowId(5), last: 1 }])
          expect(await tx.readChain(WRITER, 1, 9)).toEqual([])
          throw new Error('no')
        })
        await expect(failed).rejects.toThrow('no')
        await other.read(async (reader) => {
          expect(await reader.readChain(WRITER, 1, 9)).toHaveLength(2)
          await store.write(async (tx) => {
            await tx.deleteChain(WRITER)
            await tx.deleteChain(rowId(77))
          })
          await store.writeState(withLine(8, 1))
          expect((await reader.readChain(WRITER, 1, 9)).map(({ body }) => body)).toEqual([bytes(0), bytes(1)])
          expect(await reader.chains()).toHaveLength(2)
        })
        expect(await store.read((reader) => reader.readChain(WRITER, 1, 9))).toEqual([
          { sequence: 1, body: bytes(8) },
        ])
        expect(await store.integrityProblems()).toEqual([])
      })
    })

    describe('the two lanes', () => {
      it('share the cursor and the feed, and nothing else', async () => {
        await store.write((tx) => tx.putRow('t', rowId(1), bytes(1)))
        await change(store, write(1, 0, 2))
        expect(await cursorOf(store)).toBe(2)
        await store.read(async (reader) => {
          expect(comparable(await reader.scan())).toEqual(
            comparable([{ table: 't', id: rowId(1), body: bytes(1) }]),
          )
          for (const table of ['states', 'state', 'chains']) expect(await reader.scan(table)).toEqual([])
          expect(await reader.scanState()).toEqual([row(1, 1, 2)])
          const [both, late] = [await reader.changesSince(0), await reader.changesSince(1)]
          expect(both).toMatchObject({ rows: [{ table: 't', body: bytes(1) }], state: [row(1, 1, 2)] })
          expect(late).toEqual({ cursor: 2, full: false, rows: [], state: [row(1, 1, 2)] })
        })
        await store.write(async (tx) => {
          await tx.putRow('state', rowId(1), bytes(3))
          await tx.deleteRow('t', rowId(1))
        })
        expect(await scan(store)).toEqual(listed(row(1, 1, 2)))
        const feed = await store.read((reader) => reader.changesSince(2))
        expect(feed.state).toEqual([])
        expect(feed.rows).toHaveLength(2)
      })

      it('tell of deletions with their revision', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2))
        await change(store, remove(1, 1))
        const { state } = await store.read((reader) => reader.changesSince(1))
        expect(state).toEqual([{ id: rowId(1), revision: 2, body: undefined }])
      })

      it.each([-1, 99, 0.5, Number.NaN])(
        'list everything for a cursor that was never given: %d',
        async (cursor) => {
          await change(store, write(1, 0, 1), write(2, 0, 2))
          await change(store, remove(2, 1))
          const set = await store.read((reader) => reader.changesSince(cursor))
          expect(set).toEqual({ cursor: 2, full: true, rows: [], state: [row(1, 1, 1)] })
        },
      )

      it('remember deletions for 100,000 changes, revision included, and begin anew after that', async () => {
        await change(store, write(1, 0, 1), write(2, 0, 2))
        await change(store, remove(2, 1))
        await place.skipChanges(99_990)
        await change(store, write(3, 0, 3))
        const near = await store.read((reader) => reader.changesSince(1))
        expect(near.full).toBe(false)
        expect(near.state).toContainEqual({ id: rowId(2), revision: 2, body: undefined })
        await place.skipChanges(100)
        await change(store, write(4, 0, 4))
        const late = await store.read((reader) => reader.changesSince(1))
        expect(late.full).toBe(true)
        expect(comparableState(late.state)).toEqual(listed(row(1, 1, 1), row(3, 1, 3), row(4, 1, 4)))
        await change(store, write(2, 0, 22))
        expect(await get(store, 2)).toEqual(row(2, 1, 22))
        expect(await store.integrityProblems()).toEqual([])
      })

      it('are read as of one instant', async () => {
        await store.writeState(withLine(1, 1))
        const other = await connect()
        await store.read(async (reader) => {
          expect(await reader.getState(rowId(1))).toEqual(row(1, 1, 1))
          await other.writeState(withLine(2, 2))
          await change(other, remove(1, 1))
          await other.write(async (tx) => {
            await tx.setTerm(4)
            await tx.deleteChain(WRITER)
          })
          expect(await reader.scanState()).toEqual([row(1, 1, 1)])
          expect(await reader.getState(rowId(2))).toBeUndefined()
          expect((await reader.changesSince(0)).state).toEqual([row(1, 1, 1)])
          expect(await reader.readChain(WRITER, 1, 9)).toHaveLength(1)
          expect(await reader.chains()).toEqual([{ writer: WRITER, last: 1 }])
          expect(await reader.term()).toBe(0)
          expect(await reader.cursor()).toBe(1)
        })
        expect(await scan(store)).toEqual(listed(row(2, 1, 2)))
      })

      it('take turns in the order in which they were called', async () => {
        const order: string[] = []
        const proceed = deferred()
        const first = store.write(async (tx) => {
          await tx.writeState([write(1, 0, 1)])
          await proceed.promise
          order.push('record')
        })
        const second = change(store, write(1, 1, 2)).then(({ conflicts }) => {
          order.push(`state ${conflicts.length}`)
        })
        const third = store.read(async (reader) => {
          order.push(`read ${(await reader.getState(rowId(1)))?.revision}`)
        })
        const fourth = change(store, write(1, 2, 3)).then(() => order.push('state again'))
        proceed.resolve()
        await Promise.all([first, second, third, fourth])
        expect(order).toEqual(['record', 'state 0', 'read 2', 'state again'])
      })
    })

    describe('foreign changes', () => {
      const seen = async (by: Store): Promise<boolean> => {
        const start = performance.now()
        while (!by.hasForeignChanges()) {
          if (performance.now() - start > driver.seenWithinMs + 10) return false
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        return true
      }

      it('tell of another store’s state, and not of one’s own', async () => {
        const other = await connect()
        await change(store, write(1, 0, 1))
        expect(await seen(store)).toBe(false)
        expect(await seen(other)).toBe(true)
        await scan(other)
        expect(await seen(other)).toBe(false)
        await change(store, write(1, 7, 9))
        expect(await seen(other)).toBe(false)
      })

      it('are not settled by a write of state, which reads nothing of them', async () => {
        const other = await connect()
        await change(other, write(1, 0, 1))
        await change(store, write(2, 0, 2))
        await change(store, write(1, 0, 2))
        expect(await seen(store)).toBe(true)
        await scan(store)
        expect(await seen(store)).toBe(false)
      })
    })

    describe('the end', () => {
      it('of a store lets state in that was handed in before, and none after', async () => {
        const writes = Array.from({ length: 20 }, (_, n) => change(store, write(n, 0, n)))
        const closed = store.close()
        await expect(change(store, write(99, 0, 1))).rejects.toMatchObject({ code: 'storage_unavailable' })
        await Promise.all([...writes, closed])
        expect(await scan(await connect())).toHaveLength(20)
      })

      it('of a reader or a transaction is the end of its state', async () => {
        const { reader, tx } = await ended(store)
        const refusal = { code: 'internal_error' }
        await expect(reader.getState(rowId(1))).rejects.toMatchObject(refusal)
        await expect(reader.scanState()).rejects.toMatchObject(refusal)
        await expect(reader.term()).rejects.toMatchObject(refusal)
        await expect(reader.chains()).rejects.toMatchObject(refusal)
        await expect(reader.readChain(WRITER, 1, 1)).rejects.toMatchObject(refusal)
        await expect(tx.term()).rejects.toMatchObject(refusal)
        await expect(tx.writeState([write(1, 0, 1)])).rejects.toMatchObject(refusal)
        await expect(tx.setTerm(1)).rejects.toMatchObject(refusal)
        await expect(tx.deleteChain(WRITER)).rejects.toMatchObject(refusal)
        expect(await scan(store)).toEqual([])
      })
    })

    stateProperty(driver)
  })
}
