// A store that is told over standard input what to do, one command a line, and answers each with one line:
// `ok VALUE`, `error CODE`, or `crash MESSAGE` for an error that is not keymux's.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isKeymuxError } from '../../../src/domain/errors.js'
import type { Store } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

let opened: Store | undefined

function store(): Store {
  if (opened === undefined) throw new Error('open a store first')
  return opened
}

const rowId = (n: string): Uint8Array => new Uint8Array(Buffer.from(n.padStart(16)))

let filled = 0

/** Puts further rows of 4 KB until that fails, and gives the number of all that were acknowledged. */
async function fill(limit: number): Promise<string> {
  let acknowledged = filled
  try {
    while (acknowledged < filled + limit) {
      const body = new Uint8Array(4096).fill(acknowledged % 251)
      await store().write((tx) => tx.putRow('fill', rowId(String(acknowledged)), body))
      acknowledged++
    }
    return `${acknowledged}`
  } catch (error) {
    if (!isKeymuxError(error)) throw error
    return `${acknowledged} ${error.code}`
  } finally {
    filled = acknowledged
  }
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
  fill: (limit = '0') => fill(Number(limit)),
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
