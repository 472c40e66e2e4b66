// A store that is told over standard input what to do, one command a line, and answers each with one line:
// `ok VALUE`, `error CODE`, or `crash MESSAGE` for an error that is not keymux's.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isKeymuxError } from '../../../src/domain/errors.js'
import type { FileStore } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

let opened: FileStore | undefined

function store(): FileStore {
  if (opened === undefined) throw new Error('open a store first')
  return opened
}

/** How something is put under a number, durably. */
type Put = (n: number, body: Uint8Array) => Promise<unknown>

const rowId = (n: string): Uint8Array => new Uint8Array(Buffer.from(n.padStart(16)))

/** Puts further bodies of 4 KB until that fails, and gives the number of all that were acknowledged. */
function filler(put: Put): (limit: string) => Promise<string> {
  let filled = 0
  return async (limit) => {
    const end = filled + Number(limit)
    try {
      for (; filled < end; filled++) await put(filled, new Uint8Array(4096).fill(filled % 251))
      return `${filled}`
    } catch (error) {
      if (!isKeymuxError(error)) throw error
      return `${filled} ${error.code}`
    }
  }
}

/** @returns how many conflicts there were */
async function writeState(n: string, expected: number, body: Uint8Array): Promise<number> {
  const { conflicts } = await store().writeState({ term: 0, writes: [{ id: rowId(n), expected, body }] })
  return conflicts.length
}

const commands: Record<string, (...args: string[]) => Promise<unknown>> = {
  async open(path = '', option) {
    opened = await openSqliteStore(path, option === undefined ? {} : { [option]: true })
  },
  put: (n = '') => store().write((tx) => tx.putRow('t', rowId(n), new Uint8Array(Buffer.from(n)))),
  delete: (n = '') => store().write((tx) => tx.deleteRow('t', rowId(n))),
  get: (n = '') =>
    store().read(async (reader) => Buffer.from((await reader.getRow('t', rowId(n))) ?? []).toString()),
  readUntil: (signal = '') =>
    store().read(async (reader) => {
      await reader.cursor()
      process.stderr.write('reading\n')
      while (!existsSync(signal)) await new Promise((resolve) => setTimeout(resolve, 5))
      return (await reader.scan()).length
    }),
  count: (table) => store().read(async (reader) => (await reader.scan(table)).length),
  fill: filler((n, body) => store().write((tx) => tx.putRow('fill', rowId(String(n)), body))),
  state: (n = '', expected = '0') => writeState(n, Number(expected), new Uint8Array(Buffer.from(n))),
  countState: () => store().read(async (reader) => (await reader.scanState()).length),
  fillState: filler((n, body) => writeState(`fill ${n}`, 0, body)),
  foreign: async () => store().hasForeignChanges(),
  problems: async () => (await store().integrityProblems()).join('; '),
  backup: (path = '') => store().backup(path),
  close: () => store().close(),
  // In mount points of its own, the files are only to be seen from here.
  ballast: async (path = '', size = '0') => writeFileSync(path, new Uint8Array(Number(size))),
  remove: async (path = '') => rmSync(path),
  files: async (path = '') => readdirSync(path).sort().join(' '),
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...args] = line.split(' ')
  try {
    const value = await commands[name]?.(...args)
    process.stdout.write(`ok ${value === undefined ? '' : String(value)}\n`)
  } catch (error) {
    process.stdout.write(isKeymuxError(error) ? `error ${error.code}\n` : `crash ${String(error)}\n`)
  }
}
