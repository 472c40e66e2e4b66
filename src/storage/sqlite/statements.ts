import { HIGHEST_COUNT, IMPOSSIBLE, ROW_ID_LENGTH } from '../checks.js'
import type { Database, SqlValue, Statement } from './driver.js'

/** Rows that one step of a listing fetches. */
export const CHUNK_ROWS = 64

/** Whether a column holds a number that a writer counts to. */
export function possible(column: string, least: number, most: number = IMPOSSIBLE): string {
  return `(typeof(${column}) = 'integer' AND ${column} BETWEEN ${least} AND ${most})`
}

/**
 * A column that counts. What no writer counts to reads as {@link IMPOSSIBLE}: the binding would fail at a number beyond
 * JavaScript's, and nobody could say what is wrong.
 */
function counted(column: string, least = 1): string {
  return `iif(${possible(column, least)}, ${column}, ${IMPOSSIBLE})`
}

/** What is no id of 16 bytes. */
export function noId(column: string): string {
  return `(typeof(${column}) <> 'blob' OR length(${column}) <> ${ROW_ID_LENGTH})`
}

/** A statement whose rows come as arrays. */
export type PreparedStatement = Omit<Statement, 'setReturnArrays'>

/** Every statement of a store, prepared at most once. */
export interface Statements {
  readonly begin: PreparedStatement
  readonly beginImmediate: PreparedStatement
  readonly commit: PreparedStatement
  readonly dataVersion: PreparedStatement
  readonly schemaVersion: PreparedStatement
  readonly schemaCookie: PreparedStatement
  readonly state: PreparedStatement
  readonly setState: PreparedStatement
  readonly setTerm: PreparedStatement
  readonly getBlob: PreparedStatement
  readonly putBlob: PreparedStatement
  readonly getRow: PreparedStatement
  readonly putRow: PreparedStatement
  readonly deleteRow: PreparedStatement
  readonly nextTable: PreparedStatement
  readonly chunk: PreparedStatement
  readonly changed: PreparedStatement
  readonly forgetRows: PreparedStatement
  readonly lastLog: PreparedStatement
  readonly readLog: PreparedStatement
  readonly appendLog: PreparedStatement
  readonly stateRevision: PreparedStatement
  readonly getState: PreparedStatement
  readonly putState: PreparedStatement
  readonly stateChunk: PreparedStatement
  readonly changedStates: PreparedStatement
  readonly forgetStates: PreparedStatement
  readonly lastOfChain: PreparedStatement
  readonly nextChain: PreparedStatement
  readonly readChain: PreparedStatement
  readonly appendChain: PreparedStatement
  readonly deleteChain: PreparedStatement
  readonly cutLog: PreparedStatement
  readonly dropRows: PreparedStatement
  readonly dropStates: PreparedStatement
  readonly dropChains: PreparedStatement
  readonly renumberRows: PreparedStatement
  readonly renumberStates: PreparedStatement
}

/**
 * Each is prepared when it is first used: all of them together take longer than a command needs for its own.
 *
 * A listing packs 64 rows into one blob of frames (8 hexadecimal digits of length, for state 16 more of the
 * revision, id, body): handing over a value costs the binding about 2 µs, so one value a row would take twice
 * as long. Rows of a shape that only damage explains are left out.
 */
export function prepareStatements(database: Database): Statements {
  const prepare = (sql: string): PreparedStatement => new LazyStatement(database, sql)
  return {
    begin: prepare('BEGIN'),
    beginImmediate: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    dataVersion: prepare('PRAGMA data_version'),
    schemaVersion: prepare('PRAGMA user_version'),
    schemaCookie: prepare('PRAGMA schema_version'),
    state: prepare(
      `SELECT ${['change', 'horizon', 'term'].map((each) => counted(each, 0)).join(', ')} FROM state WHERE one = 1`,
    ),
    setState: prepare('UPDATE state SET change = ?1, horizon = ?2 WHERE one = 1'),
    setTerm: prepare('UPDATE state SET term = ?1 WHERE one = 1'),
    getBlob: prepare('SELECT value FROM blobs WHERE name = ?1'),
    putBlob: prepare(
      'INSERT INTO blobs (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2',
    ),
    getRow: prepare('SELECT body FROM rows WHERE tbl = ?1 AND id = ?2 AND body IS NOT NULL'),
    putRow: prepare(`INSERT INTO rows (tbl, id, change, body) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (tbl, id) DO UPDATE SET change = ?3, body = ?4`),
    deleteRow: prepare(
      'UPDATE rows SET change = ?3, body = NULL WHERE tbl = ?1 AND id = ?2 AND body IS NOT NULL',
    ),
    nextTable: prepare('SELECT min(tbl) FROM rows WHERE tbl > ?1'),
    chunk: prepare(`SELECT
        CAST(group_concat(printf('%08x', length(body)) || id || body, '')
          FILTER (WHERE typeof(id) = 'blob' AND length(id) = 16 AND typeof(body) = 'blob') AS BLOB),
        count(*), max(id)
      FROM (SELECT id, body FROM rows WHERE tbl = ?1 AND id > ?2 ORDER BY id LIMIT ${CHUNK_ROWS})`),
    changed: prepare('SELECT tbl, id, body FROM rows WHERE change > ?1'),
    forgetRows: prepare('DELETE FROM rows WHERE body IS NULL AND change <= ?1'),
    lastLog: prepare(`SELECT ${counted('sequence')}, body FROM log ORDER BY sequence DESC LIMIT 1`),
    readLog: prepare(
      `SELECT ${counted('sequence')}, body FROM log WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2`,
    ),
    appendLog: prepare(
      `INSERT INTO log (sequence, body)
        VALUES ((SELECT coalesce(min(max(sequence), ${IMPOSSIBLE}), 0) + 1 FROM log), ?1)`,
    ),
    stateRevision: prepare(`SELECT ${counted('revision')} FROM states WHERE id = ?1`),
    getState: prepare(`SELECT ${counted('revision')}, body FROM states WHERE id = ?1 AND body IS NOT NULL`),
    putState: prepare(`INSERT INTO states (id, revision, change, body) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (id) DO UPDATE SET revision = ?2, change = ?3, body = ?4`),
    stateChunk: prepare(`SELECT
        CAST(group_concat(printf('%08x%016x', length(body), ${counted('revision')}) || id || body, '') FILTER (
          WHERE typeof(id) = 'blob' AND length(id) = 16 AND typeof(body) = 'blob'
        ) AS BLOB),
        count(*), max(id)
      FROM (SELECT id, revision, body FROM states WHERE id > ?1 ORDER BY id LIMIT ${CHUNK_ROWS})`),
    changedStates: prepare(`SELECT id, ${counted('revision')}, body FROM states WHERE change > ?1`),
    forgetStates: prepare('DELETE FROM states WHERE body IS NULL AND change <= ?1'),
    lastOfChain: prepare(
      `SELECT ${counted('sequence')} FROM chains WHERE writer = ?1 ORDER BY sequence DESC LIMIT 1`,
    ),
    nextChain: prepare(
      `SELECT writer FROM chains WHERE writer > ?1 AND NOT ${noId('writer')} ORDER BY writer LIMIT 1`,
    ),
    readChain: prepare(
      `SELECT ${counted('sequence')}, body FROM chains
        WHERE writer = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3`,
    ),
    appendChain: prepare('INSERT INTO chains (writer, sequence, body) VALUES (?1, ?2, ?3)'),
    deleteChain: prepare('DELETE FROM chains WHERE writer = ?1'),
    cutLog: prepare('DELETE FROM log WHERE sequence > ?1 OR sequence < 1'),
    dropRows: prepare(`DELETE FROM rows WHERE ${noId('id')} OR tbl = '' OR body IS NULL AND change <= ?1`),
    dropStates: prepare(`DELETE FROM states WHERE ${noId('id')}
      OR body IS NULL AND (change <= ?1 OR NOT ${possible('revision', 1, HIGHEST_COUNT)})`),
    dropChains: prepare(`DELETE FROM chains WHERE ${noId('writer')}`),
    renumberRows: prepare('UPDATE rows SET change = ?1 WHERE change NOT BETWEEN 1 AND ?1'),
    renumberStates: prepare('UPDATE states SET change = ?1 WHERE change NOT BETWEEN 1 AND ?1'),
  }
}

class LazyStatement implements PreparedStatement {
  readonly #database: Database
  readonly #sql: string
  #prepared: Statement | undefined

  constructor(database: Database, sql: string) {
    this.#database = database
    this.#sql = sql
  }

  #statement(): Statement {
    if (this.#prepared !== undefined) return this.#prepared
    const statement = this.#database.prepare(this.#sql)
    statement.setReturnArrays(true)
    this.#prepared = statement
    return statement
  }

  run(...values: SqlValue[]): ReturnType<Statement['run']> {
    return this.#statement().run(...values)
  }

  get(...values: SqlValue[]): unknown {
    return this.#statement().get(...values)
  }

  all(...values: SqlValue[]): unknown[] {
    return this.#statement().all(...values)
  }
}
