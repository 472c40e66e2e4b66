/** One step from a schema version to the next. */
export interface Migration {
  /** What is run. */
  readonly sql: string
  /** Every statement of the schema afterwards, to the letter as SQLite keeps it in `sqlite_schema`. */
  readonly schema: readonly string[]
}
