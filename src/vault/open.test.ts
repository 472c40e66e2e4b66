import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { openTestHandle, TEST_KEY } from '../../test/support/handle.js'
import { openSqliteStore } from '../storage/sqlite/index.js'
import { createFakeClock } from '../testing/fake-clock.js'
import { createVault, hasVault, inspectVault, openVault } from './open.js'

const folder = mkdtempSync(join(tmpdir(), 'keymux-open-'))
afterAll(() => rmSync(folder, { recursive: true }))

const clock = createFakeClock()
const NEVER_WRITTEN = 'UPDATE state SET change = 0, horizon = 0'
const TABLES = ['blobs', 'rows', 'log', 'states', 'chains']
let made = 0

/** A vault without its header, and without whatever else the SQL takes. */
async function headless(...sql: readonly string[]): Promise<string> {
  made += 1
  const path = join(folder, `${made}.db`)
  const owner = await openTestHandle({ store: await openSqliteStore(path, { create: true }), clock })
  await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
  await owner.profiles.markFailure('openai:a', 'format')
  await owner.close()
  run(path, ["DELETE FROM blobs WHERE name = 'header'", ...sql].join(';'))
  return path
}

function run(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

function contentOf(path: string): unknown {
  const database = new DatabaseSync(path)
  try {
    return [...TABLES, 'state'].map((table) => database.prepare(`SELECT * FROM ${table}`).all())
  } finally {
    database.close()
  }
}

describe('a vault whose header is gone', () => {
  const left = TABLES.flatMap((kept) => [
    TABLES.filter((table) => table !== kept).map((table) => `DELETE FROM ${table}`),
  ])
  const cases: readonly (readonly string[])[] = [
    [],
    ["DELETE FROM blobs WHERE name = 'manifest'"],
    TABLES.map((table) => `DELETE FROM ${table}`),
    [NEVER_WRITTEN],
    ...left.map((sql) => [...sql, NEVER_WRITTEN]),
  ]

  test.each(cases.map((sql) => [sql.join('; ') || 'nothing else', sql] as const))(
    'and %s: is no place for a new one, and nothing is written',
    async (_, sql) => {
      const path = await headless(...sql)
      const before = contentOf(path)
      const store = await openSqliteStore(path)
      const refusal = { code: 'vault_tampered', exitCode: 6 }
      const parts = { store, clock, surface: 'test', secret: { type: 'key_file', key: TEST_KEY } as const }
      await expect(hasVault(store)).rejects.toMatchObject(refusal)
      await expect(inspectVault(store)).rejects.toMatchObject(refusal)
      await expect(openVault(parts)).rejects.toMatchObject(refusal)
      await expect(createVault(parts)).rejects.toMatchObject(refusal)
      await store.close()
      expect(contentOf(path)).toEqual(before)
    },
  )

  test('and everything else, to the last number: is a file that nobody has written to', async () => {
    const path = await headless(...TABLES.map((table) => `DELETE FROM ${table}`), NEVER_WRITTEN)
    const store = await openSqliteStore(path)
    expect(await hasVault(store)).toBe(false)
    const parts = { store, clock, surface: 'test', secret: { type: 'key_file', key: TEST_KEY } as const }
    const { core } = await createVault(parts)
    await core.close()
    await store.close()
  })
})
