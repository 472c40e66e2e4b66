// Opens a vault, says in what state it is, then writes without end, acknowledging each write when it is
// durable. Write n puts n into a row, a blob and the log, so that a torn transaction would show.
import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , path = '', limit = ''] = process.argv
const ROWS = 40

const say = (line: unknown): void => {
  writeSync(1, `${JSON.stringify(line)}\n`)
}
const rowId = (n: number): Uint8Array => new Uint8Array(16).fill(n % ROWS)
const encode = (n: number): Uint8Array => new Uint8Array(Buffer.from(`${n}:${'x'.repeat((n * 37) % 900)}`))
const decode = (bytes: Uint8Array | undefined): number =>
  Number.parseInt(Buffer.from(bytes ?? []).toString(), 10)

say({ started: true })
const store = await openSqliteStore(path, { create: true })
const problems = await store.integrityProblems()
const state = await store.read(async (reader) => {
  const log = await reader.readLog(1, Number.MAX_SAFE_INTEGER)
  const rows = await reader.scan('t')
  const expected = Array.from({ length: Math.min(ROWS, log.length) }, (_, back) => log.length - back)
  const found = new Set(rows.map((row) => decode(row.body)))
  return {
    log: log.length,
    inOrder: log.every((line, i) => line.sequence === i + 1 && decode(line.body) === i + 1),
    rowsMatch: rows.length === expected.length && expected.every((n) => found.has(n)),
    blobMatches: log.length === 0 || decode(await reader.getBlob('last')) === log.length,
    cursorMatches: (await reader.cursor()) === log.length,
  }
})
say({ problems, ...state })

const last = limit === '' ? Number.POSITIVE_INFINITY : state.log + Number(limit)
for (let n = state.log + 1; n <= last; n++) {
  await store.write(async (tx) => {
    await tx.putRow('t', rowId(n), encode(n))
    await tx.putBlob('last', encode(n))
    await tx.appendLog(encode(n))
  })
  say(n)
}
await store.close()
