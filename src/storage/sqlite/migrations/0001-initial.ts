/**
 * Rows are clustered by table and id, so a listing of one table reads neighbouring pages. A deleted row
 * keeps its place with a body of NULL until nobody can ask for changes from before its deletion.
 * `state` holds the number of the last change, and the change up to which deletions have been forgotten.
 */
export const initial: string = `
  CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    change INTEGER NOT NULL CHECK (change >= 0),
    horizon INTEGER NOT NULL CHECK (horizon BETWEEN 0 AND change)
  ) STRICT;
  INSERT INTO state VALUES (1, 0, 0);

  CREATE TABLE blobs (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE rows (
    tbl TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    change INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (tbl, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX rows_by_change ON rows (change);
  CREATE INDEX rows_deleted ON rows (change) WHERE body IS NULL;

  CREATE TABLE log (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
`
