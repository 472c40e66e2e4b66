import type { RefreshLocks } from './locks.js'

/**
 * Where the vault's bytes live. A store knows nothing of keys, profiles or secrets: it keeps opaque rows
 * by (table, id), a few named blobs, and an append-only log, and changes all of them atomically.
 *
 * Every driver passes the same contract suite (`test/contract/store.ts`).
 *
 * Errors thrown by every driver are `KeymuxError`s: `vault_not_found`, `vault_exists`, `vault_corrupt`,
 * `vault_too_new`, `storage_unavailable`, `storage_full`, `storage_read_only`, `storage_busy`,
 * `unsafe_permissions`.
 */
export interface Store {
  /** `sqlite`, `postgres` or `memory`. */
  readonly kind: string
  /** Where it is, for people: a path, or a URL without credentials. */
  readonly location: string
  /** Locks shared by everybody who uses the same storage. */
  readonly locks: RefreshLocks

  /** Runs `body` on one consistent snapshot. */
  read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T>

  /**
   * Runs `body` as the only writer, across processes. When the promise resolves the changes are durable;
   * when it rejects nothing has changed. Nested calls are a programming error and would wait for ever.
   */
  write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T>

  /**
   * Whether another writer may have committed since the last `read` or `write` of this store object.
   * Synchronous and cheap (a few microseconds at most): callers ask often. False positives are allowed,
   * false negatives only for 50 ms after a foreign commit.
   */
  hasForeignChanges(): boolean

  /** Checks the storage's own integrity (not the vault's); gives the problems found, none if sound. */
  integrityProblems(): Promise<string[]>

  /** Copies everything into a new file at `path` (0600) while others go on. @throws `file_exists` */
  backup(path: string): Promise<void>

  /** Releases everything. Pending writes finish first; later calls reject with `storage_unavailable`. */
  close(): Promise<void>
}

/** One opaque row. Its body is undefined where it has been deleted. */
export interface StoredRow {
  readonly table: string
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly body: Uint8Array | undefined
}

/** One line of the append-only log. */
export interface LogRow {
  /** 1, 2, 3, … without gaps. */
  readonly sequence: number
  readonly body: Uint8Array
}

/** What changed after a cursor, or everything when that can no longer be told. */
export interface ChangeSet {
  /** Position after these changes. */
  readonly cursor: number
  /** When true, `rows` is a full listing of live rows and whatever was known before is void. */
  readonly full: boolean
  readonly rows: StoredRow[]
}

/**
 * Reading side of a transaction. Names of tables and blobs are not empty and hold no zero and no unpaired
 * surrogate; such a name, a row id of another length than 16 bytes and a use after the end of the
 * transaction reject with `internal_error`.
 */
export interface StoreReader {
  getBlob(name: string): Promise<Uint8Array | undefined>
  getRow(table: string, id: Uint8Array): Promise<Uint8Array | undefined>
  /** Live rows of one table, or of all. Order is unspecified. */
  scan(table?: string): Promise<StoredRow[]>
  /**
   * Position after the last committed change; it grows by one with every write transaction. Inside a write it
   * is the position that this transaction will have, from the beginning, and that nobody has if it fails.
   */
  cursor(): Promise<number>
  /** Rows changed after `cursor`, deletions included, or a full listing. */
  changesSince(cursor: number): Promise<ChangeSet>
  /** Last line of the log. */
  lastLog(): Promise<LogRow | undefined>
  /** Lines with `sequence >= from`, ascending, at most `limit`. */
  readLog(from: number, limit: number): Promise<LogRow[]>
}

/** Writing side of a transaction. */
export interface StoreTransaction extends StoreReader {
  putBlob(name: string, value: Uint8Array): Promise<void>
  putRow(table: string, id: Uint8Array, body: Uint8Array): Promise<void>
  /** Deleting what is not there is no error. */
  deleteRow(table: string, id: Uint8Array): Promise<void>
  /** Appends one line and gives its sequence number. */
  appendLog(body: Uint8Array): Promise<number>
}
