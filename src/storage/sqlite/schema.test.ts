import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../contract.js'
import { openSqliteStore } from './index.js'
import { stageRestore } from './restore.js'

/** So expensive that a test would not end if it ever ran. */
const EXPENSIVE = 'length(hex(zeroblob(900000000))) + length(hex(zeroblob(900000000))) > 0'

/** Replaces a part of the text of a table, which is what SQLite compiles, in connections that are open too. */
const rewrite = (table: string, from: string, to: string): string => `
  PRAGMA writable_schema = ON;
  UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}') WHERE name = '${table}';
  PRAGMA writable_schema = RESET;
  PRAGMA schema_version = 1000`

const PLANTED = [
  ['a CHECK', rewrite('rows', 'body BLOB', `body BLOB CHECK (${EXPENSIVE})`)],
  ['a CHECK of state', rewrite('states', 'revision > 0', `revision > 0 AND ${EXPENSIVE}`)],
  ['a default', rewrite('log', 'body BLOB NOT NULL', `body BLOB NOT NULL DEFAULT (${EXPENSIVE})`)],
  ['a generated column', rewrite('rows', 'body BLOB', `body BLOB, more INT AS (${EXPENSIVE}) VIRTUAL`)],
  ['a stored generated column', rewrite('blobs', 'NOT NULL', `NOT NULL, more INT AS (${EXPENSIVE}) STORED`)],
  ['a trigger', `CREATE TRIGGER t AFTER INSERT ON rows BEGIN SELECT ${EXPENSIVE}; END`],
  ['a temporary-looking trigger', 'CREATE TRIGGER rows_by AFTER UPDATE ON state BEGIN DELETE FROM rows; END'],
  ['a view', `CREATE VIEW v AS SELECT ${EXPENSIVE}`],
  ['an index on an expression', `CREATE INDEX i ON chains (body) WHERE body IS NULL AND ${EXPENSIVE}`],
  ['an index', 'CREATE INDEX i ON log (body)'],
  ['a partial index in place of ours', rewrite('rows_by_change', '(change)', '(change) WHERE change > 0')],
  ['another table', 'CREATE TABLE more (x)'],
  ['a virtual table', 'CREATE VIRTUAL TABLE more USING fts5(x)'],
  ['statistics', "INSERT INTO rows VALUES ('t', zeroblob(16), 1, x'01'); ANALYZE"],
  ['another column', 'ALTER TABLE log ADD COLUMN more TEXT'],
  ['a column of another type', rewrite('states', 'change INTEGER', 'change REAL')],
  ['a table that is not strict', rewrite('log', ' STRICT', '')],
  ['another collation', rewrite('rows', 'tbl TEXT', 'tbl TEXT COLLATE NOCASE')],
  ['a foreign key', rewrite('chains', 'body BLOB NOT NULL', 'body BLOB NOT NULL REFERENCES log')],
  ['a missing index', 'DROP INDEX states_deleted'],
  ['a comment', rewrite('log', 'STRICT', 'STRICT /* */')],
  ['a space', rewrite('log', 'STRICT', ' STRICT')],
] as const

let folder: string
let path: string
const opened: Store[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-schema-'))
  path = join(folder, 'vault.db')
  await (await openSqliteStore(path, { create: true })).close()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  rmSync(folder, { recursive: true })
})

async function open(): Promise<Store> {
  const store = await openSqliteStore(path)
  opened.push(store)
  return store
}

function plant(sql: string): void {
  const database = new DatabaseSync(path)
  database.enableDefensive(false)
  database.exec(sql)
  database.close()
}

const refusal = { code: 'vault_corrupt', message: expect.stringContaining('holds what no vault holds') }

describe('a vault in which somebody planted', () => {
  it.each(PLANTED)('%s is refused and not written to', async (_, sql) => {
    plant(sql)
    const before = readFileSync(path)
    await expect(open()).rejects.toMatchObject(refusal)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it.each(PLANTED)('%s while it is open is not used any more', async (_, sql) => {
    const store = await open()
    await store.write((tx) => tx.putRow('t', new Uint8Array(16), Uint8Array.of(1)))
    plant(`${sql.replace('zeroblob(16)', 'randomblob(16)')}; UPDATE state SET horizon = horizon`)
    const write = { id: new Uint8Array(16), expected: 0, body: Uint8Array.of(1) }
    await expect(store.read((reader) => reader.scan())).rejects.toMatchObject(refusal)
    await expect(store.write((tx) => tx.appendLog(Uint8Array.of(1)))).rejects.toMatchObject(refusal)
    await expect(store.writeState({ term: 0, writes: [write] })).rejects.toMatchObject(refusal)
  })

  it.each(PLANTED)('%s does not come in as a backup', async (_, sql) => {
    plant(sql)
    await expect(stageRestore(path, join(folder, 'restored.db'))).rejects.toMatchObject(refusal)
  })

  it('something, in a file that may only be read, is refused too', async () => {
    plant('CREATE VIEW v AS SELECT 1')
    chmodSync(path, 0o400)
    await expect(open()).rejects.toMatchObject(refusal)
  })
})

describe('a sound vault', () => {
  it('is opened after VACUUM, which puts its schema in another order', async () => {
    const store = await open()
    plant('VACUUM')
    expect(await store.read((reader) => reader.scan())).toEqual([])
    await store.close()
    expect(await (await open()).integrityProblems()).toEqual([])
  })
})
