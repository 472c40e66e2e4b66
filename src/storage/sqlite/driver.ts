import { KeymuxError } from '../../domain/errors.js'

/** What can be bound to a statement here. */
export type SqlValue = string | number | Uint8Array | null

/** A prepared statement of `node:sqlite`'s API, as far as it is used here. */
export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
  setReturnArrays(enabled: boolean): void
}

/** A connection of `node:sqlite`'s API, as far as it is used here. */
export interface Database {
  readonly isOpen: boolean
  readonly isTransaction: boolean
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

/** The native module. */
export interface Driver {
  /** Opens a file by its `file:` URL; the URL's `mode` tells whether it may be written to or created. */
  open(url: string): Database
  /** Copies the database at `url` over the file at `path`, in one snapshot and off the main thread. */
  copy(url: string, path: string): Promise<void>
}

let loading: Promise<Driver> | undefined

/** Loads the native module on first use: whoever keeps no vault file does not pay for it. */
export function loadDriver(): Promise<Driver> {
  loading ??= load()
  return loading
}

async function load(): Promise<Driver> {
  try {
    const { DatabaseSync, backup } = await import('@photostructure/sqlite')
    const open = (url: string): InstanceType<typeof DatabaseSync> =>
      new DatabaseSync(url, { defensive: true })
    return {
      open,
      async copy(url, path) {
        const source = open(url)
        try {
          // All pages in one step: a copy in several steps starts anew at every foreign commit.
          await backup(source, path, { rate: -1 })
        } finally {
          source.close()
        }
      },
    }
  } catch (cause) {
    throw new KeymuxError('storage_unavailable', 'the SQLite module cannot be loaded on this system', {
      hint: 'reinstall keymux for this platform and Node.js version',
      cause,
    })
  }
}

/** The version of SQLite that is inside. @throws KeymuxError `storage_unavailable` */
export async function sqliteVersion(): Promise<string> {
  const database = (await loadDriver()).open(':memory:')
  try {
    const statement = database.prepare('SELECT sqlite_version()')
    statement.setReturnArrays(true)
    return asText(asColumns(statement.get())[0])
  } finally {
    database.close()
  }
}

/** An integer column. @throws DamagedValueError */
export function asInteger(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new DamagedValueError()
  return value
}

/** A blob column. @throws DamagedValueError */
export function asBlob(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new DamagedValueError()
  return value
}

/** A text column. @throws DamagedValueError */
export function asText(value: unknown): string {
  if (typeof value !== 'string') throw new DamagedValueError()
  return value
}

/** The columns of one row; none when there is no row. @throws DamagedValueError */
export function asColumns(row: unknown): readonly unknown[] {
  if (row === undefined) return []
  if (!Array.isArray(row)) throw new DamagedValueError()
  return row
}

/** A value of a type that no writer of ours stores. */
export class DamagedValueError extends Error {
  override readonly name = 'DamagedValueError'

  constructor() {
    super('a stored value has an unexpected type')
  }
}
