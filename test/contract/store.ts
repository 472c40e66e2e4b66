import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKeymuxError } from '../../src/domain/errors.js'
import type { Store, StoredRow, StoreTransaction } from '../../src/storage/contract.js'
import {
  bytes,
  comparable,
  deferred,
  ended,
  expectRanges,
  hex,
  placeForEach,
  rowId,
  type StoreDriver,
  type StorePlace,
} from './place.js'
import { stateContract } from './state.js'

const put = (store: Store, n: number, ...body: number[]): Promise<void> =>
  store.write((tx) => tx.putRow('t', rowId(n), bytes(...body)))
const get = (store: Store, n: number): Promise<Uint8Array | undefined> =>
  store.read((reader) => reader.getRow('t', rowId(n)))
const scan = (store: Store, table?: string): Promise<string[]> =>
  store.read(async (reader) => comparable(await reader.scan(table)))

/** The suite that every driver passes: the lane of records here, that of state in `state.ts`. */
export function storeContract(driver: StoreDriver): void {
  stateContract(driver)
  describe(`store contract: ${driver.kind}`, () => {
    let place: StorePlace
    let store: Store
    const connect = placeForEach(driver, (made) => {
      ;({ place, store } = made)
    })

    describe('what it is', () => {
      it('names its kind and its location', () => {
        expect(store.kind).toBe(driver.kind)
        expect(store.location).not.toBe('')
      })

      it('is sound when new', async () => {
        expect(await store.integrityProblems()).toEqual([])
      })
    })

    describe('blobs', () => {
      it('gives undefined for an unknown one, and the latest value of a known one', async () => {
        expect(await store.read((reader) => reader.getBlob('header'))).toBeUndefined()
        await store.write((tx) => tx.putBlob('header', bytes(1, 2)))
        await store.write((tx) => tx.putBlob('header', bytes(3)))
        expect(await store.read((reader) => reader.getBlob('header'))).toEqual(bytes(3))
      })

      it('keeps an empty one apart from none', async () => {
        await store.write((tx) => tx.putBlob('empty', bytes()))
        expect(await store.read((reader) => reader.getBlob('empty'))).toEqual(bytes())
      })
    })

    describe('rows', () => {
      it('puts, replaces, deletes, and puts again', async () => {
        await put(store, 1, 1)
        expect(await get(store, 1)).toEqual(bytes(1))
        await put(store, 1, 2, 2)
        expect(await get(store, 1)).toEqual(bytes(2, 2))
        await store.write((tx) => tx.deleteRow('t', rowId(1)))
        expect(await get(store, 1)).toBeUndefined()
        expect(await scan(store)).toEqual([])
        await put(store, 1, 3)
        expect(await get(store, 1)).toEqual(bytes(3))
      })

      it('keeps an empty body apart from none', async () => {
        await put(store, 1)
        expect(await get(store, 1)).toEqual(bytes())
        expect(await scan(store, 't')).toEqual([`t/${hex(rowId(1))}=`])
      })

      it('deletes what is not there without a word', async () => {
        await store.write((tx) => tx.deleteRow('t', rowId(1)))
        expect(await scan(store)).toEqual([])
      })

      it('keeps tables apart', async () => {
        await store.write(async (tx) => {
          await tx.putRow('a', rowId(1), bytes(1))
          await tx.putRow('b', rowId(1), bytes(2))
        })
        expect(await store.read((reader) => reader.getRow('a', rowId(1)))).toEqual(bytes(1))
        expect(await scan(store, 'b')).toEqual([`b/${hex(rowId(1))}=02`])
        expect(await scan(store, 'c')).toEqual([])
        expect(await scan(store)).toHaveLength(2)
      })

      it.each(['ключ', 'a b', "it's", 'A', 'a', '%', '\u{1f511}', '0'])(
        'takes %j as a table',
        async (table) => {
          await store.write((tx) => tx.putRow(table, rowId(1), bytes(7)))
          expect(await scan(store, table)).toEqual([`${table}/${hex(rowId(1))}=07`])
          expect(await scan(store)).toHaveLength(1)
          expect(await store.read((reader) => reader.getRow(`${table}x`, rowId(1)))).toBeUndefined()
        },
      )

      it('refuses ids that are not 16 bytes', async () => {
        for (const id of [bytes(), bytes(1), new Uint8Array(17)]) {
          const writing = store.write((tx) => tx.putRow('t', id, bytes(1)))
          await expect(writing).rejects.toMatchObject({ code: 'internal_error' })
        }
        expect(await scan(store)).toEqual([])
      })

      it.each(['', 'x\0y', '\ud800'])('refuses %j as a table or blob', async (name) => {
        const refusal = { code: 'internal_error' }
        await store.write(async (tx) => {
          await expect(tx.putRow(name, rowId(1), bytes(1))).rejects.toMatchObject(refusal)
          await expect(tx.deleteRow(name, rowId(1))).rejects.toMatchObject(refusal)
          await expect(tx.getRow(name, rowId(1))).rejects.toMatchObject(refusal)
          await expect(tx.scan(name)).rejects.toMatchObject(refusal)
          await expect(tx.putBlob(name, bytes(1))).rejects.toMatchObject(refusal)
          await expect(tx.getBlob(name)).rejects.toMatchObject(refusal)
          await tx.putRow('t', rowId(2), bytes(2))
        })
        expect(await scan(store)).toEqual([`t/${hex(rowId(2))}=02`])
      })

      it('finds nothing under an id of another length', async () => {
        await put(store, 1, 1)
        expect(await store.read((reader) => reader.getRow('t', bytes(0)))).toBeUndefined()
      })

      it('stores a body of 2 MiB', async () => {
        const body = new Uint8Array(2 * 1024 * 1024).map((_, i) => i % 251)
        await store.write((tx) => tx.putRow('t', rowId(1), body))
        expect(Buffer.compare((await get(store, 1)) ?? bytes(), body)).toBe(0)
        const [row] = await store.read((reader) => reader.scan('t'))
        expect(Buffer.compare(row?.body ?? bytes(), body)).toBe(0)
      })

      it('lists a thousand rows of every length once each', async () => {
        await store.write(async (tx) => {
          for (let n = 0; n < 1000; n++)
            await tx.putRow(n % 3 === 0 ? 'a' : 'b', rowId(n), new Uint8Array(n).fill(n))
        })
        const rows = await store.read((reader) => reader.scan())
        expect(rows).toHaveLength(1000)
        expect(new Set(rows.map((row) => hex(row.id))).size).toBe(1000)
        expect(rows.reduce((sum, row) => sum + (row.body?.length ?? 0), 0)).toBe(499_500)
        expect(await scan(store, 'a')).toHaveLength(334)
      })

      it('is untouched by what callers do to their buffers', async () => {
        const id = rowId(1)
        const body = bytes(1, 2, 3)
        await store.write(async (tx) => {
          await tx.putRow('t', id, body)
          await tx.putBlob('b', body)
          await tx.appendLog(body)
          body.fill(9)
          id.fill(9)
        })
        for (const row of await store.read((reader) => reader.scan())) {
          row.body?.fill(8)
          row.id.fill(8)
        }
        expect(await get(store, 1)).toEqual(bytes(1, 2, 3))
        expect(await store.read((reader) => reader.getBlob('b'))).toEqual(bytes(1, 2, 3))
        expect((await store.read((reader) => reader.lastLog()))?.body).toEqual(bytes(1, 2, 3))
      })

      it('takes views into larger buffers', async () => {
        const large = Buffer.from('..0123456789abcdefBODY..')
        await store.write((tx) => tx.putRow('t', large.subarray(2, 18), large.subarray(18, 22)))
        const [row] = await store.read((reader) => reader.scan())
        expect(Buffer.from(row?.id ?? []).toString()).toBe('0123456789abcdef')
        expect(Buffer.from(row?.body ?? []).toString()).toBe('BODY')
      })
    })

    describe('the log', () => {
      it('counts from 1 without gaps, rolled-back lines included', async () => {
        expect(await store.read((reader) => reader.lastLog())).toBeUndefined()
        expect(await store.write((tx) => tx.appendLog(bytes(1)))).toBe(1)
        const failed = store.write(async (tx) => {
          expect(await tx.appendLog(bytes(66))).toBe(2)
          throw new Error('no')
        })
        await expect(failed).rejects.toThrow('no')
        const pair = await store.write(async (tx) => [
          await tx.appendLog(bytes(2)),
          await tx.appendLog(bytes(3)),
        ])
        expect(pair).toEqual([2, 3])
        expect(await store.read((reader) => reader.lastLog())).toEqual({ sequence: 3, body: bytes(3) })
      })

      it.each([0, 1, 3, 4, 5, 9])('ends after line %d once it is mended, for later readers', async (last) => {
        const lines = (reader: Pick<StoreTransaction, 'readLog'>): Promise<number[]> =>
          reader.readLog(1, 100).then((rows) => rows.map(({ body }) => body[0] ?? 0))
        await store.write(async (tx) => {
          for (let n = 1; n <= 3; n++) await tx.appendLog(bytes(n))
        })
        const kept = [1, 2, 3, 4, 5].slice(0, last)
        const other = await connect()
        await other.read(async (before) => {
          expect(await lines(before)).toEqual([1, 2, 3])
          await store.write(async (tx) => {
            for (const n of [4, 5]) await tx.appendLog(bytes(n))
            await tx.mend(last)
            expect(await lines(tx)).toEqual(kept)
            expect(await tx.appendLog(bytes(7))).toBe(kept.length + 1)
          })
          expect(await lines(before)).toEqual([1, 2, 3])
        })
        expect(await store.read(lines)).toEqual([...kept, 7])
        expect(await store.integrityProblems()).toEqual([])
      })

      it('reads a range, whatever is asked for', async () => {
        await store.write(async (tx) => {
          for (let n = 1; n <= 5; n++) await tx.appendLog(bytes(n))
        })
        await expectRanges((from, limit) =>
          store.read(async (reader) => (await reader.readLog(from, limit)).map(({ sequence }) => sequence)),
        )
      })

      it('shows a writer its own lines', async () => {
        await store.write((tx) => tx.appendLog(bytes(1)))
        await store.write(async (tx) => {
          await tx.appendLog(bytes(2))
          expect((await tx.lastLog())?.sequence).toBe(2)
          expect((await tx.readLog(1, 10)).map((line) => line.body)).toEqual([bytes(1), bytes(2)])
        })
      })
    })

    describe('transactions', () => {
      it('gives back what the body gives', async () => {
        expect(await store.read(async () => 'read')).toBe('read')
        expect(await store.write(async () => 'written')).toBe('written')
      })

      it('undoes everything when the body rejects, and passes its error on', async () => {
        await put(store, 1, 1)
        const error = new Error('changed my mind')
        const failed = store.write(async (tx) => {
          await tx.putRow('t', rowId(1), bytes(2))
          await tx.putRow('t', rowId(2), bytes(2))
          await tx.putBlob('b', bytes(2))
          await tx.appendLog(bytes(2))
          throw error
        })
        await expect(failed).rejects.toBe(error)
        expect(await scan(store)).toEqual([`t/${hex(rowId(1))}=01`])
        await store.read(async (reader) => {
          expect(await reader.getBlob('b')).toBeUndefined()
          expect(await reader.lastLog()).toBeUndefined()
          expect(await reader.cursor()).toBe(1)
        })
      })

      it('undoes everything when the body throws at once', async () => {
        const failed = store.write((tx) => {
          void tx.putRow('t', rowId(1), bytes(1))
          throw new Error('at once')
        })
        await expect(failed).rejects.toThrow('at once')
        expect(await scan(store)).toEqual([])
      })

      it('commits calls that nobody waited for', async () => {
        await store.write(async (tx) => {
          void tx.putRow('t', rowId(1), bytes(1))
        })
        expect(await get(store, 1)).toEqual(bytes(1))
      })

      it('shows a writer its own changes', async () => {
        await put(store, 1, 1)
        await store.write(async (tx) => {
          await tx.putRow('t', rowId(2), bytes(2))
          await tx.deleteRow('t', rowId(1))
          await tx.putBlob('b', bytes(3))
          expect(await tx.getRow('t', rowId(2))).toEqual(bytes(2))
          expect(await tx.getRow('t', rowId(1))).toBeUndefined()
          expect(await tx.getBlob('b')).toEqual(bytes(3))
          expect(comparable(await tx.scan('t'))).toEqual([`t/${hex(rowId(2))}=02`])
          expect(comparable((await tx.changesSince(1)).rows)).toEqual([
            `t/${hex(rowId(1))}=deleted`,
            `t/${hex(rowId(2))}=02`,
          ])
        })
      })

      it('reads one snapshot while another store writes', async () => {
        await put(store, 1, 1)
        const other = await connect()
        await store.read(async (reader) => {
          expect(await reader.getRow('t', rowId(1))).toEqual(bytes(1))
          await other.write(async (tx) => {
            await tx.putRow('t', rowId(1), bytes(2))
            await tx.putRow('t', rowId(2), bytes(2))
            await tx.putBlob('b', bytes(2))
            await tx.appendLog(bytes(2))
          })
          await other.write((tx) => tx.deleteRow('t', rowId(1)))
          expect(await reader.getRow('t', rowId(1))).toEqual(bytes(1))
          expect(comparable(await reader.scan())).toEqual([`t/${hex(rowId(1))}=01`])
          expect(await reader.getBlob('b')).toBeUndefined()
          expect(await reader.lastLog()).toBeUndefined()
          expect(await reader.cursor()).toBe(1)
          expect((await reader.changesSince(0)).rows).toHaveLength(1)
        })
        expect(await scan(store)).toEqual([`t/${hex(rowId(2))}=02`])
      })

      it('lets another store read the old state while a write is under way', async () => {
        await put(store, 1, 1)
        const other = await connect()
        await store.write(async (tx) => {
          await tx.putRow('t', rowId(1), bytes(2))
          expect(await get(other, 1)).toEqual(bytes(1))
        })
        expect(await get(other, 1)).toEqual(bytes(2))
      })

      it('never shows a read of the same store an unfinished write', async () => {
        await put(store, 1, 1)
        const written = deferred()
        const proceed = deferred()
        const writing = store.write(async (tx) => {
          await tx.putRow('t', rowId(1), bytes(2))
          written.resolve()
          await proceed.promise
          throw new Error('rolled back')
        })
        await written.promise
        const reading = get(store, 1)
        proceed.resolve()
        await expect(writing).rejects.toThrow('rolled back')
        expect(await reading).toEqual(bytes(1))
      })

      it('runs what it is given in order', async () => {
        const order: number[] = []
        const step = (n: number) => async (): Promise<void> => {
          order.push(n)
          await Promise.resolve()
          order.push(n)
        }
        await Promise.all([
          store.write(step(1)),
          store.read(step(2)),
          store.write(step(3)),
          store.read(step(4)),
        ])
        expect(order).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
      })

      it('serialises writers of several stores: no update is lost', async () => {
        const stores = [store, await connect(), await connect()]
        const increment = async (tx: StoreTransaction): Promise<void> => {
          const value = (await tx.getBlob('n'))?.[0] ?? 0
          await Promise.resolve()
          await tx.putBlob('n', bytes(value + 1))
        }
        await Promise.all(Array.from({ length: 90 }, (_, i) => stores[i % 3]?.write(increment)))
        expect(await store.read((reader) => reader.getBlob('n'))).toEqual(bytes(90))
      })

      it('goes on after failures', async () => {
        for (let i = 0; i < 20; i++) {
          await expect(store.write(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
          await expect(store.read(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
        }
        await put(store, 1, 1)
        expect(await get(store, 1)).toEqual(bytes(1))
      })

      it('refuses readers and transactions that have ended', async () => {
        const { reader, tx } = await ended(store)
        await expect(reader.scan()).rejects.toMatchObject({ code: 'internal_error' })
        await expect(reader.cursor()).rejects.toMatchObject({ code: 'internal_error' })
        await expect(tx.putRow('t', rowId(1), bytes(1))).rejects.toMatchObject({ code: 'internal_error' })
        await expect(tx.appendLog(bytes(1))).rejects.toMatchObject({ code: 'internal_error' })
        expect(await scan(store)).toEqual([])
      })
    })

    describe('changes', () => {
      const changes = (
        from: Store,
        cursor: number,
      ): Promise<{ cursor: number; full: boolean; rows: string[] }> =>
        from.read(async (reader) => {
          const set = await reader.changesSince(cursor)
          expect(set.state).toEqual([])
          return { cursor: set.cursor, full: set.full, rows: comparable(set.rows) }
        })

      it('moves the cursor by one with every write, and not with a failed one', async () => {
        const cursor = (): Promise<number> => store.read((reader) => reader.cursor())
        expect(await cursor()).toBe(0)
        await store.write(async (tx) => {
          expect(await tx.cursor()).toBe(1)
          await tx.putRow('t', rowId(1), bytes(1))
          await tx.putRow('t', rowId(2), bytes(1))
          expect(await tx.cursor()).toBe(1)
        })
        expect(await cursor()).toBe(1)
        await store.write(async () => undefined)
        expect(await cursor()).toBe(2)
        await expect(store.write(() => Promise.reject(new Error('no')))).rejects.toThrow()
        expect(await cursor()).toBe(2)
      })

      it('tells what changed after a cursor, deletions included', async () => {
        await put(store, 1, 1)
        await put(store, 2, 2)
        await put(store, 3, 3)
        await store.write((tx) => tx.deleteRow('t', rowId(1)))
        await put(store, 2, 22)
        expect(await changes(store, 3)).toEqual({
          cursor: 5,
          full: false,
          rows: [`t/${hex(rowId(1))}=deleted`, `t/${hex(rowId(2))}=16`],
        })
        expect(await changes(store, 5)).toEqual({ cursor: 5, full: false, rows: [] })
        const all = await changes(store, 0)
        expect(all.rows.filter((row) => !row.endsWith('deleted'))).toHaveLength(2)
      })

      it('tells one store what another did', async () => {
        const other = await connect()
        await put(store, 1, 1)
        const before = await store.read((reader) => reader.cursor())
        await put(other, 2, 2)
        expect(await changes(store, before)).toEqual({
          cursor: 2,
          full: false,
          rows: [`t/${hex(rowId(2))}=02`],
        })
      })

      it.each([-1, 99, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
        'lists everything for a cursor that was never given: %d',
        async (cursor) => {
          await put(store, 1, 1)
          await put(store, 2, 2)
          await store.write((tx) => tx.deleteRow('t', rowId(2)))
          expect(await changes(store, cursor)).toEqual({
            cursor: 3,
            full: true,
            rows: [`t/${hex(rowId(1))}=01`],
          })
        },
      )

      it('remembers deletions for 100,000 changes, and lists everything after that', async () => {
        await put(store, 1, 1)
        await put(store, 2, 2)
        await store.write((tx) => tx.deleteRow('t', rowId(2)))
        await place.skipChanges(99_990)
        await put(store, 3, 3)
        expect((await changes(store, 2)).full).toBe(false)
        expect((await changes(store, 2)).rows).toContain(`t/${hex(rowId(2))}=deleted`)
        await place.skipChanges(100)
        await put(store, 4, 4)
        const late = await changes(store, 2)
        expect(late.full).toBe(true)
        expect(late.rows).toEqual([1, 3, 4].map((n) => `t/${hex(rowId(n))}=0${n}`))
        expect((await changes(store, late.cursor - 1)).full).toBe(false)
        expect(await store.integrityProblems()).toEqual([])
      })
    })

    describe('foreign changes', () => {
      const seen = async (by: Store, within: number): Promise<boolean> => {
        const start = performance.now()
        while (!by.hasForeignChanges()) {
          if (performance.now() - start > within) return false
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        return true
      }

      it('reports no own commits, reads or failures', async () => {
        await put(store, 1, 1)
        await get(store, 1)
        await expect(store.write(() => Promise.reject(new Error('no')))).rejects.toThrow()
        expect(await seen(store, driver.seenWithinMs + 10)).toBe(false)
      })

      it('reports another store within 50 ms, until the next read', async () => {
        const other = await connect()
        await put(store, 1, 1)
        for (let round = 0; round < 5; round++) {
          expect(store.hasForeignChanges()).toBe(false)
          await put(other, 1, round)
          expect(await seen(store, driver.seenWithinMs)).toBe(true)
          expect(store.hasForeignChanges()).toBe(true)
          await get(store, 1)
          expect(await seen(store, driver.seenWithinMs + 10)).toBe(false)
          await get(other, 1)
        }
      })

      it('is settled by a write too', async () => {
        const other = await connect()
        await put(other, 1, 1)
        expect(await seen(store, driver.seenWithinMs)).toBe(true)
        await put(store, 2, 2)
        expect(await seen(store, driver.seenWithinMs + 10)).toBe(false)
      })

      it('is not settled by a read or write that failed', async () => {
        const other = await connect()
        await put(other, 1, 1)
        await expect(store.read(() => Promise.reject(new Error('no')))).rejects.toThrow()
        await expect(store.write(() => Promise.reject(new Error('no')))).rejects.toThrow()
        expect(await seen(store, driver.seenWithinMs)).toBe(true)
      })

      it('notices a commit during its own read', async () => {
        const other = await connect()
        await store.read(async (reader) => {
          await reader.cursor()
          await put(other, 1, 1)
        })
        expect(await seen(store, driver.seenWithinMs)).toBe(true)
      })
    })

    describe('closing', () => {
      it('ends what was handed in before, and refuses what comes after', async () => {
        const writes = Array.from({ length: 20 }, (_, n) => put(store, n, n))
        const closed = store.close()
        const late = put(store, 99, 99)
        await expect(late).rejects.toMatchObject({ code: 'storage_unavailable' })
        await Promise.all([...writes, closed])
        await expect(store.read(async () => 1)).rejects.toMatchObject({ code: 'storage_unavailable' })
        await expect(store.integrityProblems()).rejects.toMatchObject({ code: 'storage_unavailable' })
        const copied = store.backup?.('/nowhere')
        if (copied !== undefined) await expect(copied).rejects.toMatchObject({ code: 'storage_unavailable' })
        expect(store.hasForeignChanges()).toBe(false)
        const other = await connect()
        expect(await scan(other)).toHaveLength(20)
      })

      it('may be asked for twice', async () => {
        await Promise.all([store.close(), store.close()])
        await store.close()
      })

      it('leaves other stores alone', async () => {
        const other = await connect()
        await put(store, 1, 1)
        await store.close()
        await put(other, 2, 2)
        expect(await scan(other)).toHaveLength(2)
      })
    })

    it('behaves as a plain map would, for any sequence of writes', async () => {
      const step = fc.record({
        rows: fc.array(
          fc.record({
            table: fc.constantFrom('a', 'b'),
            id: fc.integer({ min: 0, max: 5 }),
            body: fc.option(fc.uint8Array({ maxLength: 600 }), { nil: undefined }),
          }),
          { maxLength: 6 },
        ),
        fail: fc.boolean(),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          const fresh = await driver.makePlace()
          const [one, two] = [await fresh.connect(), await fresh.connect()]
          const model = new Map<string, StoredRow>()
          const known = new Map<string, StoredRow>()
          let cursor = 0
          try {
            for (const [i, { rows, fail }] of steps.entries()) {
              const writing = (i % 2 === 0 ? one : two).write(async (tx) => {
                for (const { table, id, body } of rows) {
                  if (body === undefined) await tx.deleteRow(table, rowId(id))
                  else await tx.putRow(table, rowId(id), body)
                }
                if (fail) throw new Error('planned')
              })
              if (fail) await expect(writing).rejects.toThrow('planned')
              else await writing
              for (const { table, id, body } of fail ? [] : rows) {
                if (body === undefined) model.delete(`${table}${id}`)
                else model.set(`${table}${id}`, { table, id: rowId(id), body })
              }
              const set = await two.read((reader) => reader.changesSince(cursor))
              cursor = set.cursor
              for (const row of set.rows) {
                if (row.body === undefined) known.delete(`${row.table}${hex(row.id)}`)
                else known.set(`${row.table}${hex(row.id)}`, row)
              }
              const expected = comparable([...model.values()])
              expect(comparable([...known.values()])).toEqual(expected)
              expect(await scan(one)).toEqual(expected)
            }
            expect(await one.integrityProblems()).toEqual([])
          } finally {
            await Promise.all([one.close(), two.close()])
            await fresh.dispose()
          }
        }),
        { numRuns: 25 },
      )
    })

    it('throws nothing but its own errors', async () => {
      await store.close()
      const error = await store.write(async () => undefined).catch((thrown: unknown) => thrown)
      expect(isKeymuxError(error)).toBe(true)
    })
  })
}
