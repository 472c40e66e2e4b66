import type { KeymuxError } from '../../domain/errors.js'
import { HIGHEST_COUNT } from '../checks.js'
import { asColumns, type Database } from './driver.js'
import { noId, possible } from './statements.js'

const LIMIT = 100

/** What our own writers never leave behind. SQLite itself checks types, lengths, keys and indexes. */
const INVARIANTS: readonly (readonly [problem: string, sql: string])[] = [
  ['the change counter is missing', 'SELECT 1 WHERE (SELECT count(*) FROM state) <> 1'],
  ['a row has a name that no row has', `SELECT 1 FROM rows WHERE ${noId('id')} OR tbl = '' LIMIT 1`],
  ['a state row has a name that no row has', `SELECT 1 FROM states WHERE ${noId('id')} LIMIT 1`],
  [
    'a state row has a revision that no row gets to',
    `SELECT 1 FROM states WHERE NOT ${possible('revision', 1, HIGHEST_COUNT)} LIMIT 1`,
  ],
  ['a chain has a name that no writer has', `SELECT 1 FROM chains WHERE ${noId('writer')} LIMIT 1`],
  [
    'a row is newer than the last change',
    'SELECT 1 FROM rows WHERE change > (SELECT change FROM state) OR change < 1 LIMIT 1',
  ],
  [
    'a deleted row should have been forgotten',
    'SELECT 1 FROM rows WHERE body IS NULL AND change <= (SELECT horizon FROM state) LIMIT 1',
  ],
  [
    'a state row is newer than the last change',
    'SELECT 1 FROM states WHERE change > (SELECT change FROM state) OR change < 1 LIMIT 1',
  ],
  [
    'a deleted state row should have been forgotten',
    'SELECT 1 FROM states WHERE body IS NULL AND change <= (SELECT horizon FROM state) LIMIT 1',
  ],
  [
    'a chain has gaps',
    'SELECT 1 FROM (SELECT count(*) AS n, min(sequence) AS a, max(sequence) AS z FROM chains GROUP BY writer) WHERE a <> 1 OR z <> n LIMIT 1',
  ],
  [
    'the log has gaps',
    'SELECT 1 FROM (SELECT count(*) AS n, min(sequence) AS a, max(sequence) AS z FROM log) WHERE n > 0 AND (a <> 1 OR z <> n)',
  ],
]

/** Checks the pages and the invariants. Takes time in proportion to the file. */
export function findProblems(database: Database, mapError: (error: unknown) => KeymuxError): string[] {
  const problems: string[] = []
  const check = (body: () => void): void => {
    try {
      body()
    } catch (error) {
      problems.push(mapError(error).message)
    }
  }
  check(() => {
    const statement = database.prepare(`PRAGMA integrity_check(${LIMIT})`)
    statement.setReturnArrays(true)
    for (const row of statement.all()) {
      const line = String(asColumns(row)[0])
      if (line !== 'ok') problems.push(...line.split('\n'))
    }
  })
  for (const [problem, sql] of INVARIANTS) {
    check(() => {
      if (database.prepare(sql).get() !== undefined) problems.push(problem)
    })
  }
  return [...new Set(problems)]
}
