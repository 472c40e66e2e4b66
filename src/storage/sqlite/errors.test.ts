import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../../domain/errors.js'
import { isBusy, storageError } from './errors.js'

const path = join(tmpdir(), 'vault.db')
const sqlite = (errcode: number): Error =>
  Object.assign(new Error('no such table: secret_table'), {
    code: 'ERR_SQLITE_ERROR',
    errcode,
    errstr: 'SQL logic error',
  })
const system = (code: string): Error => Object.assign(new Error(`${code}: secret`), { code })

describe('storageError', () => {
  it.each([
    [5, 'storage_busy'],
    [261, 'storage_busy'],
    [6, 'storage_busy'],
    [8, 'storage_read_only'],
    [1544, 'storage_read_only'],
    [10, 'storage_unavailable'],
    [14, 'storage_unavailable'],
    [11, 'vault_corrupt'],
    [267, 'vault_corrupt'],
    [13, 'storage_full'],
    [18, 'invalid_value'],
    [1, 'vault_corrupt'],
    [2067, 'vault_corrupt'],
    [26, 'vault_corrupt'],
    [7, 'storage_unavailable'],
  ])('turns SQLite result %d into %s', (errcode, code) => {
    const error = storageError(sqlite(errcode), path)
    expect(error.code).toBe(code)
    expect(error.message).toContain(code === 'invalid_value' ? 'too large' : path)
  })

  it.each([
    ['ENOSPC', 'storage_full'],
    ['EDQUOT', 'storage_full'],
    ['EROFS', 'storage_read_only'],
    ['EACCES', 'storage_read_only'],
    ['EMFILE', 'storage_unavailable'],
    ['ERR_OUT_OF_RANGE', 'vault_corrupt'],
  ])('turns %s into %s', (name, code) => {
    expect(storageError(system(name), path).code).toBe(code)
  })

  it.each([
    ['database disk image is malformed', 'vault_corrupt'],
    ['database is locked', 'storage_busy'],
    ['disk I/O error', 'storage_unavailable'],
    ['database or disk is full', 'storage_full'],
  ])('knows %j by its words where the binding gives no result code', (message, code) => {
    const error = Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR' })
    expect(storageError(error, path).code).toBe(code)
    expect(storageError(new Error(message), path).code).toBe('storage_unavailable')
  })

  it('passes its own errors on, and takes anything', () => {
    const own = new KeymuxError('vault_exists', 'there')
    expect(storageError(own, path)).toBe(own)
    for (const thrown of [undefined, null, 'text', 7, {}]) {
      expect(storageError(thrown, path).code).toBe('storage_unavailable')
    }
  })

  it('never repeats what SQLite says of statements', () => {
    const error = storageError(sqlite(1), path)
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain('secret_table')
  })

  it('keeps control characters of paths out of its one line', () => {
    expect(storageError(sqlite(11), '/a\n\u001b[2J').message).toBe('/a\\n\\u001b[2J is damaged')
  })

  it('waits only for locks', () => {
    expect([5, 6, 15, 261, 517].every((code) => isBusy(sqlite(code)))).toBe(true)
    expect([8, 10, 11, 13].some((code) => isBusy(sqlite(code)))).toBe(false)
    expect(isBusy(new Error('locked'))).toBe(false)
  })
})
