import { asColumns, type Database } from './driver.js'

/** One object of a schema, as `sqlite_schema` tells of it. */
const COLUMNS = 'type, name, tbl_name, sql'
const SHAPE = /^CREATE (TABLE|INDEX) (\w+)(?: ON (\w+))?/

/**
 * Whether a database has exactly this schema. A planted one could run code within our own statements, in a
 * trigger or a view, but in a CHECK, a default, a generated column or an index on an expression too. Reading
 * `sqlite_schema` runs none of it.
 *
 * @param statements every statement of the schema, to the letter
 */
export function hasSchema(database: Database, statements: readonly string[]): boolean {
  const statement = database.prepare(`SELECT ${COLUMNS} FROM sqlite_schema LIMIT ${statements.length + 1}`)
  statement.setReturnArrays(true)
  const found = statement.all().map((row) => comparable(asColumns(row)))
  const expected = statements.map((sql) => comparable(columnsOf(sql)))
  // VACUUM puts them in another order.
  return found.sort().join('\0') === expected.sort().join('\0')
}

function columnsOf(sql: string): readonly string[] {
  const [, type = '', name = '', table = name] = SHAPE.exec(sql) ?? []
  return [type.toLowerCase(), name, table, sql]
}

function comparable(columns: readonly unknown[]): string {
  return JSON.stringify(columns)
}
