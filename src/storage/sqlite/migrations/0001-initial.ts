import type { Migration } from './migration.js'

/**
 * Rows are clustered by table and id, so a listing of one table reads neighbouring pages. A deleted row
 * keeps its place with a body of NULL until nobody can ask for changes from before its deletion. Rows of the
 * lane of state are in `states`, with their revisions, and the lines of those who write them in `chains`.
 * `state` holds the number of the last change, the change up to which deletions have been forgotten, and the term.
 */
const schema: readonly string[] = [
  `CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    change INTEGER NOT NULL CHECK (change >= 0),
    horizon INTEGER NOT NULL CHECK (horizon BETWEEN 0 AND change),
    term INTEGER NOT NULL CHECK (term >= 0)
  ) STRICT`,
  'CREATE TABLE blobs (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID',
  `CREATE TABLE rows (
    tbl TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    change INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (tbl, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX rows_by_change ON rows (change)',
  'CREATE INDEX rows_deleted ON rows (change) WHERE body IS NULL',
  'CREATE TABLE log (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT',
  `CREATE TABLE states (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    revision INTEGER NOT NULL CHECK (revision > 0),
    change INTEGER NOT NULL,
    body BLOB
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX states_by_change ON states (change)',
  'CREATE INDEX states_deleted ON states (change) WHERE body IS NULL',
  `CREATE TABLE chains (
    writer BLOB NOT NULL CHECK (length(writer) = 16),
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    body BLOB NOT NULL,
    PRIMARY KEY (writer, sequence)
  ) STRICT, WITHOUT ROWID`,
]

export const initial: Migration = {
  sql: `${schema.join(';\n')}; INSERT INTO state VALUES (1, 0, 0, 0);`,
  schema,
}
