import type { StateChange, Store, StoredRow } from '../../src/storage/contract.js'

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
