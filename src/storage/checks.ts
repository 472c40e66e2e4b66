import { KeymuxError } from '../domain/errors.js'

/** Length of a row id in bytes. */
export const ROW_ID_LENGTH = 16

/** What a number reads as that no writer counts to: one below its least, one beyond JavaScript's, or none at all. */
export const IMPOSSIBLE: number = Number.MAX_SAFE_INTEGER

/** How far anything is counted: to get there by itself takes longer than anybody has. */
export const HIGHEST_COUNT: number = 2 ** 48

/** How many changes a deletion is remembered for; a cursor older than that gets a full listing. */
export const DELETIONS_REMEMBERED = 100_000

/** Refuses an id of another length: a programming error. @throws KeymuxError `internal_error` */
export function assertRowId(id: Uint8Array): void {
  if (id.length !== ROW_ID_LENGTH) {
    throw new KeymuxError('internal_error', `a row id has ${ROW_ID_LENGTH} bytes, not ${id.length}`)
  }
}

/**
 * Refuses a name of a table or blob that not every driver keeps apart from others: an empty one, and one
 * with a zero or an unpaired surrogate. A programming error. @throws KeymuxError `internal_error`
 */
export function assertName(name: string): void {
  if (!/^[^\0\p{Cs}]+$/u.test(name)) {
    throw new KeymuxError(
      'internal_error',
      'a table or blob needs a name without zeros and unpaired surrogates',
    )
  }
}

/** What every call on a closed store rejects with. */
export function closedError(): KeymuxError {
  return new KeymuxError('storage_unavailable', 'the vault has been closed')
}

/** What a reader or transaction rejects with once its `read` or `write` has ended. */
export function endedError(): KeymuxError {
  return new KeymuxError('internal_error', 'a transaction was used after it had ended')
}

/** A count for a query, whatever was asked: whole, at least `least`, no larger than can be counted. */
export function wholeNumber(value: number, least: number): number {
  if (Number.isNaN(value)) return least
  return Math.min(Math.max(Math.ceil(value), least), Number.MAX_SAFE_INTEGER)
}

/** Whether `cursor` is a position from which changes up to `current` can still be told. */
export function cursorUsable(cursor: number, horizon: number, current: number): boolean {
  return Number.isSafeInteger(cursor) && cursor >= horizon && cursor <= current
}
