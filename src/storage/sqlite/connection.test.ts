import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect, fileUrl } from './connection.js'
import { loadDriver } from './driver.js'
import { openSqliteStore } from './index.js'

let folder: string
let path: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-connection-'))
  path = join(folder, 'vault.db')
  await (await openSqliteStore(path, { create: true })).close()
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a connection', () => {
  it.each([
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['fullfsync', 1],
    ['checkpoint_fullfsync', 1],
    ['secure_delete', 1],
    ['foreign_keys', 1],
    ['trusted_schema', 0],
    ['cell_size_check', 1],
    ['temp_store', 2],
    ['wal_autocheckpoint', 1000],
    ['mmap_size', 0],
  ])('has %s = %s', async (name, value) => {
    const { database } = connect(await loadDriver(), path)
    expect(Object.values(Object(database.prepare(`PRAGMA ${name}`).get()))).toEqual([value])
    database.close()
  })

  it('never makes a file', async () => {
    const driver = await loadDriver()
    expect(() => driver.open(fileUrl(join(folder, 'none.db'), 'write'))).toThrow()
    expect(() => driver.open(fileUrl(join(folder, 'none.db'), 'read'))).toThrow()
  })
})

describe('fileUrl', () => {
  it.skipIf(process.platform === 'win32')('escapes what a URL would take apart', () => {
    expect(fileUrl('/a?b#c%20d e', 'write')).toBe('file:///a%3Fb%23c%2520d%20e?mode=rw')
    expect(fileUrl('/a', 'read')).toBe('file:///a?mode=ro')
    expect(fileUrl('/a', 'immutable')).toBe('file:///a?mode=ro&immutable=1')
  })
})
