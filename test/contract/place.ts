import { afterEach, beforeEach, expect } from 'vitest'
import type {
  StateChange,
  Store,
  StoredRow,
  StoreReader,
  StoreTransaction,
} from '../../src/storage/contract.js'

/** One empty place to store things, made afresh for every test. */
export interface StorePlace {
  /** Another store object on the same place, as another process would have it. */
  connect(): Promise<Store>
  /** Makes the change counter move on by `count`, as that many writes would. */
  skipChanges(count: number): Promise<void>
  /** Removes everything. Stores have been closed before. */
  dispose(): Promise<void>
}

/** How the suite makes places of a driver. */
export interface StoreDriver {
  readonly kind: string
  makePlace(): Promise<StorePlace>
  /** Longest time after which another handle's commit must be seen. */
  readonly seenWithinMs: number
}

/**
 * Makes an empty place, and a store on it, for every test of the `describe` that it is called in. What it gives connects
 * another store, which is closed after the test.
 */
export function placeForEach(
  driver: StoreDriver,
  use: (made: { readonly place: StorePlace; readonly store: Store }) => void,
): () => Promise<Store> {
  const opened: Store[] = []
  let place: StorePlace
  const connect = async (): Promise<Store> => {
    const another = await place.connect()
    opened.push(another)
    return another
  }
  beforeEach(async () => {
    place = await driver.makePlace()
    use({ place, store: await connect() })
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
    await place.dispose()
  })
  return connect
}

/** A reader and a transaction that have ended. */
export async function ended(
  store: Store,
): Promise<{ readonly reader: StoreReader; readonly tx: StoreTransaction }> {
  return {
    reader: await store.read(async (reader) => reader),
    tx: await store.write(async (tx) => tx),
  }
}

/** Reads ranges of five lines, 1 to 5. @param read gives the sequence numbers */
export async function expectRanges(
  read: (from: number, limit: number) => Promise<readonly number[]>,
): Promise<void> {
  expect(await read(1, 100)).toEqual([1, 2, 3, 4, 5])
  expect(await read(2, 2)).toEqual([2, 3])
  expect(await read(6, 10)).toEqual([])
  expect(await read(1, 0)).toEqual([])
  expect(await read(-3, 2)).toEqual([1, 2])
  expect(await read(4, Number.POSITIVE_INFINITY)).toEqual([4, 5])
  expect(await read(Number.NEGATIVE_INFINITY, Number.MAX_SAFE_INTEGER)).toHaveLength(5)
  expect(await read(2.5, 1)).toEqual([3])
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
/** An id of 16 bytes. */
export const rowId = (n: number): Uint8Array => {
  const id = Buffer.alloc(16)
  id.writeUInt32BE(n, 12)
  return new Uint8Array(id)
}
export const hex = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('hex')

/** Rows in a form that can be compared whatever their order. */
export function comparable(rows: readonly StoredRow[]): string[] {
  return rows.map((row) => `${row.table}/${hex(row.id)}=${hex(row.body) ?? 'deleted'}`).sort()
}

/** State rows in a form that can be compared whatever their order. */
export function comparableState(rows: readonly StateChange[]): string[] {
  return rows.map((row) => `${hex(row.id)}@${row.revision}=${hex(row.body) ?? 'deleted'}`).sort()
}

/** A promise and what resolves it. */
export function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
