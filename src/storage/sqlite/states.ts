import { ROW_ID_LENGTH } from '../checks.js'
import type { ChainHead, StateChange, StateRow } from '../contract.js'
import { asBlob, asColumns, asInteger, DamagedValueError } from './driver.js'
import { HEX_DIGITS, readHex } from './rows.js'
import { CHUNK_ROWS, type Statements } from './statements.js'

/** The revision that stands under an id, that of a deletion included. @throws DamagedValueError */
export function revisionOfState(sql: Statements, id: Uint8Array): number | undefined {
  const row = sql.stateRevision.get(id)
  return row === undefined ? undefined : asInteger(asColumns(row)[0])
}

/** @throws DamagedValueError */
export function getState(sql: Statements, id: Uint8Array): StateRow | undefined {
  const row = sql.getState.get(id)
  if (row === undefined) return undefined
  const [revision, body] = asColumns(row)
  return { id: id.slice(), revision: asInteger(revision), body: asBlob(body) }
}

/** Every live row. @throws DamagedValueError */
export function listStates(sql: Statements): StateRow[] {
  const rows: StateRow[] = []
  let last: Uint8Array = new Uint8Array(0)
  for (;;) {
    const [frames, count, greatest] = asColumns(sql.stateChunk.get(last))
    if (frames !== null) readFrames(asBlob(frames), rows)
    if (asInteger(count) < CHUNK_ROWS) return rows
    last = further(asBlob(greatest), last)
  }
}

/** Rows changed after `cursor`, deleted ones included. @throws DamagedValueError */
export function listChangedStates(sql: Statements, cursor: number): StateChange[] {
  return sql.changedStates.all(cursor).map((row) => {
    const [id, revision, body] = asColumns(row)
    return { id: asBlob(id), revision: asInteger(revision), body: body === null ? undefined : asBlob(body) }
  })
}

/** Every writer's chain. Costs two seeks a writer, however long the chains are. @throws DamagedValueError */
export function listChains(sql: Statements): ChainHead[] {
  const heads: ChainHead[] = []
  let last: Uint8Array = new Uint8Array(0)
  for (;;) {
    const [next] = asColumns(sql.nextChain.get(last))
    if (next === undefined) return heads
    last = further(asBlob(next), last)
    heads.push({ writer: last, last: lastOfChain(sql, last) })
  }
}

/** Sequence of a writer's last line, 0 where there is none. @throws DamagedValueError */
export function lastOfChain(sql: Statements, writer: Uint8Array): number {
  const [last] = asColumns(sql.lastOfChain.get(writer))
  return last === undefined ? 0 : asInteger(last)
}

/** A damaged tree may lead backwards; never follow it in a circle. */
function further(next: Uint8Array, last: Uint8Array): Uint8Array {
  if (Buffer.compare(next, last) <= 0) throw new DamagedValueError()
  return next
}

function readFrames(frames: Uint8Array, rows: StateRow[]): void {
  let at = 0
  while (at < frames.length) {
    const revision = at + HEX_DIGITS
    const id = revision + 2 * HEX_DIGITS
    const body = id + ROW_ID_LENGTH
    const end = body + readHex(frames, at)
    if (!(end <= frames.length)) throw new DamagedValueError()
    rows.push({
      id: frames.subarray(id, body),
      revision: readHex(frames, revision) * 2 ** 32 + readHex(frames, revision + HEX_DIGITS),
      body: frames.subarray(body, end),
    })
    at = end
  }
}
