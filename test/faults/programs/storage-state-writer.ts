// Opens a vault, says in what state it is, then changes rows of state without end, acknowledging each change
// when it is durable. Change n puts n into one row, deletes the row of some changes ago, and adds line n to a
// chain, so that a torn transaction would show.
import { writeSync } from 'node:fs'
import type { StateRow, StateWrite } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , path = '', limit = ''] = process.argv
const ROWS = 40
/** How many changes a row lives. */
const LIFE = 25

const say = (line: unknown): void => {
  writeSync(1, `${JSON.stringify(line)}\n`)
}
const id = (n: number): Uint8Array => new Uint8Array(16).fill(n % ROWS)
const writer = new Uint8Array(16).fill(255)
const encode = (n: number): Uint8Array => new Uint8Array(Buffer.from(`${n}:${'x'.repeat((n * 37) % 900)}`))
const decode = (bytes: Uint8Array | undefined): number =>
  Number.parseInt(Buffer.from(bytes ?? []).toString(), 10)
/** Change n makes the row for the n / 40th time, and each time but the last it was deleted too. */
const revisionOf = (n: number): number => 2 * Math.ceil(n / ROWS) - 1

say({ started: true })
const store = await openSqliteStore(path, { create: true })
const problems = await store.integrityProblems()
const state = await store.read(async (reader) => {
  const lines = await reader.readChain(writer, 1, Number.MAX_SAFE_INTEGER)
  const rows = await reader.scanState()
  const known = new Map(rows.map((row): [number, StateRow] => [decode(row.body), row]))
  const expected = Array.from({ length: Math.min(LIFE, lines.length) }, (_, back) => lines.length - back)
  return {
    log: lines.length,
    inOrder: lines.every((line, i) => line.sequence === i + 1 && decode(line.body) === i + 1),
    rowsMatch:
      rows.length === expected.length && expected.every((n) => known.get(n)?.revision === revisionOf(n)),
    blobMatches: (await reader.chains()).length === (lines.length === 0 ? 0 : 1),
    cursorMatches: (await reader.cursor()) === lines.length,
  }
})
say({ problems, ...state })

const last = limit === '' ? Number.POSITIVE_INFINITY : state.log + Number(limit)
for (let n = state.log + 1; n <= last; n++) {
  const writes: StateWrite[] = [{ id: id(n), expected: revisionOf(n) - 1, body: encode(n) }]
  const old = n - LIFE
  if (old > 0) writes.push({ id: id(old), expected: revisionOf(old), body: undefined })
  const { conflicts } = await store.writeState({
    term: 0,
    writes,
    line: () => ({ writer, sequence: n, body: encode(n) }),
  })
  if (conflicts.length > 0) throw new Error(`change ${n} met a conflict`)
  say(n)
}
await store.close()
