// Adds COUNT to one row of state by compare-and-swap, with a line of its own chain for each.
import type { StateRow } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , path = '', count = '0', name = '0'] = process.argv
const store = await openSqliteStore(path, { create: true })
const id = new Uint8Array(16)
const writer = new Uint8Array(16).fill(Number(name) + 1)
let known: StateRow | undefined
let conflicts = 0

for (let sequence = 1; sequence <= Number(count); ) {
  const value = Number(Buffer.from(known?.body ?? []).toString() || '0') + 1
  const body = new Uint8Array(Buffer.from(String(value)))
  const result = await store.writeState({
    term: 0,
    writes: [{ id, expected: known?.revision ?? 0, body }],
    line: ([written]) => ({ writer, sequence, body: new Uint8Array(Buffer.from(`${written?.revision}`)) }),
  })
  const [conflict] = result.conflicts
  known = conflict === undefined ? { id, revision: (known?.revision ?? 0) + 1, body } : conflict.row
  if (conflict === undefined) sequence++
  else conflicts++
}
process.stdout.write(`${conflicts}\n`)
await store.close()
