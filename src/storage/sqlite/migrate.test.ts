import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, loadDriver } from './driver.js'
import { checkSchema, createSchema, migrate } from './migrate.js'
import { MIGRATIONS, type Migration, SCHEMA_VERSION } from './migrations/index.js'

const BEFORE = MIGRATIONS.at(-1)?.schema ?? []
const ADD_NOTES: Migration = {
  sql: 'CREATE TABLE notes (text TEXT); INSERT INTO notes SELECT name FROM blobs',
  schema: [...BEFORE, 'CREATE TABLE notes (text TEXT)'],
}
const ADD_COLUMN: Migration = {
  sql: 'ALTER TABLE notes ADD COLUMN more INTEGER',
  schema: [...BEFORE, 'CREATE TABLE notes (text TEXT, more INTEGER)'],
}
const NEXT = [...MIGRATIONS, ADD_NOTES, ADD_COLUMN]

let folder: string
let database: Database

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-migrate-'))
  database = (await loadDriver()).open(join(folder, 'vault.db'))
  createSchema(database)
  database.exec("INSERT INTO blobs VALUES ('header', x'01')")
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const value = (sql: string): unknown => Object.values(Object(database.prepare(sql).get()))[0]
const version = (): unknown => value('PRAGMA user_version')

describe('migrations', () => {
  it('say to the letter what schema they lead to', () => {
    const sql = database.prepare('SELECT sql FROM sqlite_schema').all()
    expect(sql.map((row) => Object.values(Object(row))[0])).toEqual(MIGRATIONS.at(-1)?.schema)
    expect(SCHEMA_VERSION).toBe(2)
  })

  it('leaves the newest schema alone', () => {
    expect(checkSchema(database, 'v')).toBe(true)
    migrate(database, 'v')
    expect(version()).toBe(SCHEMA_VERSION)
  })

  it('leads an older vault through every step and keeps what is in it', () => {
    expect(checkSchema(database, 'v', NEXT)).toBe(false)
    migrate(database, 'v', NEXT)
    expect(version()).toBe(SCHEMA_VERSION + 2)
    expect(value('SELECT text FROM notes WHERE more IS NULL')).toBe('header')
    expect(checkSchema(database, 'v', NEXT)).toBe(true)
    migrate(database, 'v', NEXT)
    expect(value('SELECT count(*) FROM notes')).toBe(1)
  })

  it('takes all steps or none', () => {
    const broken = [...MIGRATIONS, ADD_NOTES, { ...ADD_NOTES, sql: 'CREATE TABLE notes (again)' }]
    expect(() => migrate(database, 'v', broken)).toThrow()
    expect(version()).toBe(SCHEMA_VERSION)
    expect(database.isTransaction).toBe(false)
    expect(value("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'")).toBe(0)
  })

  it('refuses a newer vault', () => {
    migrate(database, 'v', NEXT)
    expect(() => checkSchema(database, '/my/vault')).toThrow(/newer/)
    expect(() => migrate(database, '/my/vault')).toThrow(expect.objectContaining({ code: 'vault_too_new' }))
  })

  it('refuses the version before the first, and says how to take its contents along', () => {
    database.exec('PRAGMA user_version = 1')
    const error = {
      code: 'vault_too_old',
      message: '/my/vault was written by an older keymux, in a format of its own',
      hint: 'export it with that keymux (keymux export --out FILE), and import the file into a new vault',
    }
    expect(() => checkSchema(database, '/my/vault')).toThrow(expect.objectContaining(error))
    expect(() => migrate(database, '/my/vault')).toThrow(expect.objectContaining(error))
  })

  it('never migrates what is not to the letter of its version', () => {
    database.exec('CREATE TABLE more (x)')
    expect(() => migrate(database, 'v', NEXT)).toThrow(/holds what no vault holds/)
    expect(version()).toBe(SCHEMA_VERSION)
    database.exec('DROP TABLE more; VACUUM')
    expect(checkSchema(database, 'v')).toBe(true)
  })

  it.each([0, -5])('refuses version %d: no vault ever had it', (number) => {
    database.exec(`PRAGMA user_version = ${number}`)
    expect(() => checkSchema(database, 'v')).toThrow(expect.objectContaining({ code: 'vault_corrupt' }))
  })
})
