import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { openSqliteStore } from '../storage/sqlite/index.js'
import { createFakeClock } from '../testing/fake-clock.js'

const folder = mkdtempSync(join(tmpdir(), 'keymux-numbers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const template = join(folder, 'template.db')
const clock = createFakeClock()
let copies = 0

const open = async (path: string, lenient = false): Promise<TestHandle> =>
  openTestHandle({ store: await openSqliteStore(path, { create: true }), clock, lenient })

/** A vault in a file with records, state, an audit and chains, made once. */
beforeAll(async () => {
  const owner = await open(template)
  for (const name of ['a', 'b']) await owner.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
  await owner.vault.set('NAMED', 'a named secret')
  for (const name of ['a', 'b']) await owner.profiles.markFailure(`openai:${name}`, 'format')
  await owner.close()
})

/** A copy in which somebody without the key has run SQL, past every CHECK and every type. */
function attacked(sql: string): string {
  copies += 1
  const path = join(folder, `${copies}.db`)
  copyFileSync(template, path)
  const database = new DatabaseSync(path, { defensive: false })
  database.exec(`PRAGMA ignore_check_constraints = ON; ${sql}; PRAGMA wal_checkpoint(TRUNCATE)`)
  database.close()
  return path
}

async function codesOf(path: string): Promise<string[]> {
  const looked = await open(path, true)
  try {
    return (await looked.vault.check()).map(({ code }) => code)
  } finally {
    await looked.close()
  }
}

async function salvaged(path: string): Promise<void> {
  const owner = await open(path, true)
  await owner.vault.dropDamaged()
  await owner.vault.acceptRollback(async () => {})
  await owner.close()
}

/** Keys, records and state, read and written. */
async function expectUsable(path: string): Promise<void> {
  const owner = await open(path)
  expect((await owner.resolver.resolve('openai', 'a')).credential).toBe('sk-a')
  expect(await owner.vault.get('NAMED')).toBe('a named secret')
  await owner.profiles.markFailure('openai:a', 'format')
  await owner.profiles.add({ provider: 'groq', name: 'new', secret: 'gsk-new' })
  await owner.close()
}

const NUMBERS = [
  '-9223372036854775808',
  '-1',
  '0',
  `${2 ** 47}`,
  `${2 ** 48}`,
  '9007199254740991',
  '9007199254740992',
  '9223372036854775807',
]
const last = (table: string, column: string): string => `(SELECT max(${column}) FROM ${table})`
const COLUMNS: Record<string, (value: string) => string> = {
  'state.term': (value) => `UPDATE state SET term = ${value}`,
  'rows.change': (value) => `UPDATE rows SET change = ${value}`,
  'states.change': (value) => `UPDATE states SET change = ${value}`,
  'states.revision': (value) => `UPDATE states SET revision = ${value}`,
  'log.sequence': (value) => `UPDATE log SET sequence = ${value} WHERE sequence = ${last('log', 'sequence')}`,
  'log.sequence, added': (value) => `INSERT INTO log VALUES (${value}, randomblob(200))`,
  'chains.sequence': (value) =>
    `UPDATE chains SET sequence = ${value} WHERE sequence = ${last('chains', 'sequence')}`,
  'chains.sequence, added': (value) =>
    `INSERT INTO chains SELECT writer, ${value}, randomblob(200) FROM chains LIMIT 1`,
  'chains.sequence, of another writer': (value) =>
    `INSERT INTO chains VALUES (randomblob(16), ${value}, randomblob(200))`,
}
/** By them a store is read at all: where they are impossible, it is damaged as a whole. */
const COUNTERS: Record<string, (value: string) => string> = {
  'state.change': (value) => `UPDATE state SET change = ${value}`,
  'state.horizon': (value) => `UPDATE state SET horizon = ${value}`,
}
/** What they may be without harm: nothing is lost by it, and nothing is to be told. */
const SOUND = new Set([`state.change ${2 ** 47}`, 'state.horizon 0'])

describe('a number in clear that somebody has changed', () => {
  const cases = Object.keys(COLUMNS).flatMap((column) => NUMBERS.map((value) => [column, value] as const))

  test.each(cases)('%s %s: is named, and can be mended', async (column, value) => {
    const path = attacked(COLUMNS[column]?.(value) ?? '')
    expect(await codesOf(path)).not.toEqual([])
    await salvaged(path)
    expect(await codesOf(path)).toEqual([])
    await expectUsable(path)
    expect(await codesOf(path)).toEqual([])
  })

  const counters = Object.keys(COUNTERS)
    .flatMap((column) => NUMBERS.map((value) => [column, value] as const))
    .filter(([column, value]) => column !== 'state.change' || value !== '0')

  test('state.change 0: rows are newer than that', async () => {
    const path = attacked('UPDATE state SET change = 0')
    expect(await codesOf(path)).toContain('storage')
    await salvaged(path)
    expect(await codesOf(path)).toEqual([])
    await expectUsable(path)
  })

  test.each(counters)('%s %s: the vault is refused, to who checks it too', async (column, value) => {
    const path = attacked(COUNTERS[column]?.(value) ?? '')
    if (SOUND.has(`${column} ${value}`)) {
      expect(await codesOf(path)).toEqual([])
      return expectUsable(path)
    }
    await expect(open(path)).rejects.toMatchObject({ code: 'vault_corrupt', exitCode: 6 })
    await expect(open(path, true)).rejects.toMatchObject({ code: 'vault_corrupt', exitCode: 6 })
  })

  test.each(cases)('%s %s: whoever uses the vault gets the right key or exit 6', async (column, value) => {
    const path = attacked(COLUMNS[column]?.(value) ?? '')
    const refusal = await expectUsable(path).catch((error: unknown) => error)
    if (refusal === undefined) return
    if (!isKeymuxError(refusal)) throw refusal
    expect(refusal).toBeInstanceOf(KeymuxError)
    expect(refusal.exitCode).toBe(6)
  })
})

describe('what is no number, or no id', () => {
  const NONE = ["'text'", 'NULL', '1.5', "x'00'"]
  const schema = `PRAGMA writable_schema = ON`
  /** Types are looked at when a row is written, by the schema of that time. */
  const untyped = (sql: string): string =>
    `${schema}; CREATE TEMP TABLE kept AS SELECT name, sql FROM sqlite_schema;
     UPDATE sqlite_schema SET sql = replace(replace(replace(sql, 'STRICT, WITHOUT ROWID', 'WITHOUT ROWID'), 'STRICT', ''), 'NOT NULL', '')
       WHERE type = 'table'; PRAGMA schema_version = 1000; ${sql};
     UPDATE sqlite_schema SET sql = (SELECT sql FROM kept WHERE kept.name = sqlite_schema.name)
       WHERE type = 'table'; PRAGMA schema_version = 1001`
  const cases = Object.entries({ ...COUNTERS, ...COLUMNS })
    .filter(([column]) => !column.startsWith('log') && !column.includes('added'))
    .flatMap(([column]) => NONE.map((value) => [column, value] as const))
    // A key is never NULL, whatever the schema says.
    .filter(([column, value]) => !(column.startsWith('chains') && value === 'NULL'))

  test.each(cases)('%s %s: is named', async (column, value) => {
    const path = attacked(untyped({ ...COUNTERS, ...COLUMNS }[column]?.(value) ?? ''))
    const found = await codesOf(path).catch((error: unknown) => error)
    if (Array.isArray(found)) expect(found).not.toEqual([])
    else expect(found).toMatchObject({ exitCode: 6 })
    const refusal = await expectUsable(path).catch((error: unknown) => error)
    if (refusal !== undefined) expect(refusal).toMatchObject({ exitCode: 6 })
  })

  test.each([
    "INSERT INTO rows VALUES ('', randomblob(16), 1, randomblob(300))",
    "INSERT INTO rows VALUES ('profile', randomblob(15), 1, randomblob(300))",
    'INSERT INTO states VALUES (randomblob(17), 1, 1, randomblob(300))',
    'INSERT INTO states VALUES (randomblob(16), 9007199254740992, 1, NULL)',
    "INSERT INTO chains VALUES (x'', 1, randomblob(200))",
    'INSERT INTO chains VALUES (zeroblob(17), 9007199254740992, randomblob(200))',
  ])('%s: is named, and can be mended', async (sql) => {
    const path = attacked(sql)
    expect(await codesOf(path)).not.toEqual([])
    await salvaged(path)
    expect(await codesOf(path)).toEqual([])
    await expectUsable(path)
  })

  test('more lines of impossible numbers than are read at once', async () => {
    const path = attacked(`
      WITH RECURSIVE n(i) AS (SELECT 9007199254740992 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
        INSERT INTO log SELECT i, randomblob(200) FROM n;
      WITH RECURSIVE n(i) AS (SELECT 9007199254740992 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
        INSERT INTO chains SELECT zeroblob(16), i, randomblob(200) FROM n`)
    expect(await codesOf(path)).toEqual(expect.arrayContaining(['audit_cut', 'chain_cut']))
    await salvaged(path)
    expect(await codesOf(path)).toEqual([])
  })
})

describe('an audit that somebody without the key has added to', () => {
  test('goes on from the last line that a member wrote, once that is accepted', async () => {
    const memory = createMemoryStore()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    const before = (await owner.vault.audit()).length
    for (let line = 0; line < 3; line += 1) {
      await memory.connect().write((tx) => tx.appendLog(new Uint8Array(200)))
    }
    expect((await owner.vault.verifyAudit()).map(({ code }) => code)).toEqual(['audit_change'])
    const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    await lenient.vault.acceptRollback(async () => {})
    expect(await lenient.vault.verifyAudit()).toEqual([])
    expect((await lenient.vault.audit())[before]).toMatchObject({ event: 'rollback_accepted' })
  })
})
