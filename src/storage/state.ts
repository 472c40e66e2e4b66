import { KeymuxError } from '../domain/errors.js'
import { assertRowId, HIGHEST_COUNT, IMPOSSIBLE } from './checks.js'
import type { StateBatch, StateConflict, StateRow, StateWrite, StateWritten } from './contract.js'

/** The state rows of a transaction, as a driver offers them to {@link applyWrites}. */
export interface StateTable {
  /** The revision that stands under an id, that of a deletion included. */
  revision(id: Uint8Array): number | undefined
  row(id: Uint8Array): StateRow | undefined
  /** Puts a row, or its deletion, in the place of what stands there. */
  put(id: Uint8Array, revision: number, body: Uint8Array | undefined): void
}

/** What came of several writes. */
export interface AppliedWrites {
  readonly written: readonly StateWritten[]
  readonly conflicts: StateConflict[]
}

/** The revision after this one. Where somebody has put an impossible number, counting begins anew. */
export function nextRevision(revision: number): number {
  return revision >= HIGHEST_COUNT ? 1 : revision + 1
}

/** The compare-and-swap of every driver, within a transaction that nobody else can disturb. */
export function applyWrites(table: StateTable, writes: readonly StateWrite[]): AppliedWrites {
  const written: StateWritten[] = []
  const conflicts: StateConflict[] = []
  for (const { id, expected, body } of writes) {
    const standing = table.revision(id) ?? 0
    if (standing !== expected) {
      conflicts.push({ id, revision: standing, row: table.row(id) })
      continue
    }
    const revision = nextRevision(standing)
    table.put(id, revision, body)
    written.push({ id, revision })
  }
  return { written, conflicts }
}

/** A batch that its caller can no longer change. @throws KeymuxError `internal_error` */
export function copyBatch({ term, writes, line }: StateBatch): StateBatch {
  assertCount('term', term)
  assertWrites(writes)
  return { term, line, writes: writes.map(copyWrite) }
}

function copyWrite({ id, expected, body }: StateWrite): StateWrite {
  return { id: Uint8Array.from(id), expected, body: body === undefined ? undefined : Uint8Array.from(body) }
}

/** Refuses writes that no caller can mean: a programming error. @throws KeymuxError `internal_error` */
export function assertWrites(writes: readonly StateWrite[]): void {
  for (const { id, expected, body } of writes) {
    assertRowId(id)
    if (expected !== IMPOSSIBLE) assertCount('revision', expected)
    if (body === undefined && expected === 0) {
      throw new KeymuxError('internal_error', 'a state row that is not there cannot be deleted')
    }
  }
}

/** Refuses what counts nothing. @throws KeymuxError `internal_error` */
export function assertCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value === IMPOSSIBLE) {
    throw new KeymuxError('internal_error', `a ${what} is a whole number, not ${value}`)
  }
}

/**
 * Refuses a line that does not follow the writer's `last` one.
 *
 * @throws KeymuxError `conflict`, `internal_error`
 */
export function assertNextLine(sequence: number, last: number): void {
  assertCount('sequence', sequence)
  if (sequence === last + 1) return
  throw new KeymuxError('conflict', `line ${sequence} does not follow line ${last} of its writer's chain`)
}
