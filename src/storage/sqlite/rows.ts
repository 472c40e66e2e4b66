import { ROW_ID_LENGTH } from '../checks.js'
import type { StoredRow } from '../contract.js'
import { asBlob, asColumns, asInteger, asText, DamagedValueError } from './driver.js'
import { CHUNK_ROWS, type Statements } from './statements.js'

/** Digits of a length in a frame. */
export const HEX_DIGITS = 8

/** Live rows of one table. @throws DamagedValueError */
export function listTable(sql: Statements, table: string): StoredRow[] {
  const rows: StoredRow[] = []
  let last: Uint8Array = new Uint8Array(0)
  for (;;) {
    const [frames, count, greatest] = asColumns(sql.chunk.get(table, last))
    if (frames !== null) readFrames(asBlob(frames), table, rows)
    if (asInteger(count) < CHUNK_ROWS) return rows
    const next = asBlob(greatest)
    // A damaged tree may lead backwards; never follow it in a circle.
    if (Buffer.compare(next, last) <= 0) throw new DamagedValueError()
    last = next
  }
}

/** Live rows of all tables. @throws DamagedValueError */
export function listAll(sql: Statements): StoredRow[] {
  const rows: StoredRow[] = []
  let table = ''
  for (;;) {
    const [next] = asColumns(sql.nextTable.get(table))
    if (next === null) return rows
    const name = asText(next)
    if (name === table) throw new DamagedValueError()
    table = name
    for (const row of listTable(sql, table)) rows.push(row)
  }
}

/** Rows changed after `cursor`, deleted ones included. @throws DamagedValueError */
export function listChanged(sql: Statements, cursor: number): StoredRow[] {
  return sql.changed.all(cursor).map((row) => {
    const [table, id, body] = asColumns(row)
    return { table: asText(table), id: asBlob(id), body: body === null ? undefined : asBlob(body) }
  })
}

function readFrames(frames: Uint8Array, table: string, rows: StoredRow[]): void {
  let at = 0
  while (at < frames.length) {
    const id = at + HEX_DIGITS
    const body = id + ROW_ID_LENGTH
    const end = body + readHex(frames, at)
    if (!(end <= frames.length)) throw new DamagedValueError()
    rows.push({ table, id: frames.subarray(id, body), body: frames.subarray(body, end) })
    at = end
  }
}

/** A number of 8 hexadecimal digits; not a number beyond the end. */
export function readHex(frames: Uint8Array, at: number): number {
  let number = 0
  for (let i = at; i < at + HEX_DIGITS; i++) {
    const digit = frames[i] ?? Number.NaN
    number = number * 16 + (digit < 0x3a ? digit - 0x30 : digit - 0x57)
  }
  return number
}
