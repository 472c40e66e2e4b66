import type { RefreshLocks } from './locks.js'

/**
 * Where the vault's bytes live. A store knows nothing of keys, profiles or secrets: it keeps opaque bytes in
 * two lanes.
 *
 * The lane of records: rows by (table, id), a few named blobs, and an append-only log. They change together in
 * a transaction of the only writer ({@link Store.write}).
 *
 * The lane of state: rows by id, each with a revision, and a chain of lines for each writer of state. A row is
 * changed by compare-and-swap, each on its own ({@link Store.writeState}). Its rows have no table: the two
 * lanes never show each other's.
 *
 * Both lanes share one cursor, one feed of changes and one snapshot.
 *
 * Every driver passes the same contract suite (`test/contract/store.ts`).
 *
 * Errors thrown by every driver are `KeymuxError`s: `vault_not_found`, `vault_exists`, `vault_corrupt`,
 * `vault_too_new`, `vault_too_old`, `storage_unavailable`, `storage_full`, `storage_read_only`, `storage_busy`,
 * `unsafe_permissions`.
 */
export interface Store {
  /** `sqlite`, `postgres` or `memory`: for people to read. Code asks for what a store offers. */
  readonly kind: string
  /** Where it is, for people: a path, or a URL without credentials. */
  readonly location: string
  /** Locks shared by everybody who uses the same storage. */
  readonly locks: RefreshLocks
  /** The path of the one file that holds everything, where there is one. Others may be put beside it. */
  readonly file?: string | undefined
  /** It ends with this process: then nothing need be remembered of it elsewhere. Default false. */
  readonly ephemeral?: boolean | undefined

  /** Runs `body` on one consistent snapshot. */
  read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T>

  /**
   * Runs `body` as the only writer, across processes. When the promise resolves the changes are durable;
   * when it rejects nothing has changed. Nested calls are a programming error and would wait for ever.
   */
  write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T>

  /**
   * Changes rows of state, each by compare-and-swap on its own: a row that another writer has changed meanwhile
   * is a conflict, and does not hinder the others. What came through is durable when the promise resolves; where
   * nothing came through nothing is committed and the cursor stays. It waits only for its turn among the calls
   * on this store object and for the lock of the one writer. The batch is copied when the call is made.
   *
   * What others have written meanwhile is not read, so {@link Store.hasForeignChanges} goes on telling of it.
   *
   * @throws KeymuxError `conflict` where the line's sequence is not the next one of its writer, `internal_error`
   *   for an id that is not 16 bytes, an impossible revision, term or sequence, and the deletion of what is
   *   expected not to be there; then nothing has changed. What `line` throws is passed on.
   */
  writeState(batch: StateBatch): Promise<StateResult>

  /**
   * Whether another writer may have committed since the last `read` or `write` of this store object.
   * Synchronous and cheap (a few microseconds at most): callers ask often. False positives are allowed,
   * false negatives only for 50 ms after a foreign commit.
   */
  hasForeignChanges(): boolean

  /** Checks the storage's own integrity (not the vault's); gives the problems found, none if sound. */
  integrityProblems(): Promise<string[]>

  /**
   * Copies everything into a new file at `path` (0600) while others go on. Absent where it cannot.
   *
   * @throws `file_exists`
   */
  backup?(path: string): Promise<void>

  /**
   * The process is about to end: from here on it waits for others as for any write, not for as long as one has announced
   * that he will take. Absent where nobody does.
   */
  hurry?(): void

  /** Releases everything. Pending writes finish first; later calls reject with `storage_unavailable`. */
  close(): Promise<void>
}

/** A store in one file. */
export interface FileStore extends Store {
  readonly file: string
  backup(path: string): Promise<void>
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
  /** 1, 2, 3, … without gaps. 2^53 - 1 stands for a number that no writer counts to. */
  readonly sequence: number
  readonly body: Uint8Array
}

/** One row of the lane of state. */
export interface StateRow {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** From 1, and one higher with every change, deletions included. 2^53 - 1 stands for a number that no writer counts to. */
  readonly revision: number
  readonly body: Uint8Array
}

/** A state row that has changed. Its body is undefined where it has been deleted. */
export interface StateChange {
  readonly id: Uint8Array
  readonly revision: number
  readonly body: Uint8Array | undefined
}

/** A change of one state row, made only where nobody has changed it meanwhile. */
export interface StateWrite {
  /** 16 bytes. */
  readonly id: Uint8Array
  /**
   * The revision that is replaced; the new one is one higher, and 1 after an impossible one (2^48). A deletion has a revision too, for as long as it is
   * remembered. 0 where there is to be neither.
   */
  readonly expected: number
  /** `undefined` deletes the row, which takes an `expected` above 0. */
  readonly body: Uint8Array | undefined
}

/** A write that came through: the row's new revision, or that of its deletion. */
export interface StateWritten {
  readonly id: Uint8Array
  readonly revision: number
}

/** A write that did not come through. */
export interface StateConflict {
  readonly id: Uint8Array
  /** The revision that stands: that of the row, that of a deletion, or 0 where neither is known of. */
  readonly revision: number
  /** What was there instead. */
  readonly row: StateRow | undefined
}

/** One line of a writer's chain. */
export interface ChainLine {
  /** 16 bytes. */
  readonly writer: Uint8Array
  /** One more than that of the writer's last line; the first is 1. */
  readonly sequence: number
  readonly body: Uint8Array
}

/** Several changes of state rows in one transaction, tried in order. */
export interface StateBatch {
  /** The term under which the bodies are sealed. In a store of another term the whole batch is refused. */
  readonly term: number
  /** The same id may come again: its later write finds what the earlier one left. */
  readonly writes: readonly StateWrite[]
  /**
   * Gives the line that is appended to the writer's chain in the same transaction. Called within it, once, with
   * the writes that came through, in order; not called where none did. It may not wait, nor use the store.
   */
  readonly line?: ((written: readonly StateWritten[]) => ChainLine) | undefined
}

/** What became of a batch. */
export interface StateResult {
  /** `term`: nothing was tried, the store is in another term. */
  readonly refused?: 'term'
  /** The writes that did not come through, in order. */
  readonly conflicts: readonly StateConflict[]
  /** Position after this transaction; the present one where nothing was written. */
  readonly cursor: number
}

/** How far a writer's chain goes. */
export interface ChainHead {
  readonly writer: Uint8Array
  /** Sequence of the last line. */
  readonly last: number
}

/** What changed after a cursor, or everything when that can no longer be told. */
export interface ChangeSet {
  /** Position after these changes. */
  readonly cursor: number
  /** When true, `rows` and `state` are full listings of live rows and whatever was known before is void. */
  readonly full: boolean
  readonly rows: StoredRow[]
  /** Deletions of state rows are remembered for as long as those of rows. */
  readonly state: StateChange[]
}

/**
 * Reading side of a transaction. Names of tables and blobs are not empty and hold no zero and no unpaired
 * surrogate; such a name, an id of another length than 16 bytes and a use after the end of the
 * transaction reject with `internal_error`.
 */
export interface StoreReader {
  getBlob(name: string): Promise<Uint8Array | undefined>
  getRow(table: string, id: Uint8Array): Promise<Uint8Array | undefined>
  /** Live rows of one table, or of all. Order is unspecified. */
  scan(table?: string): Promise<StoredRow[]>
  /**
   * Position after the last committed change; it grows by one with every write transaction, and with every batch
   * of state of which at least one write came through. Inside a write it is the position that this transaction
   * will have, from the beginning, and that nobody has if it fails.
   */
  cursor(): Promise<number>
  /** Rows of both lanes changed after `cursor`, deletions included, or a full listing. */
  changesSince(cursor: number): Promise<ChangeSet>
  /** Last line of the log. */
  lastLog(): Promise<LogRow | undefined>
  /** Lines with `sequence >= from`, ascending, at most `limit`. */
  readLog(from: number, limit: number): Promise<LogRow[]>
  getState(id: Uint8Array): Promise<StateRow | undefined>
  /** Live rows of state. Order is unspecified. */
  scanState(): Promise<StateRow[]>
  /**
   * The term that {@link StateBatch.term} must name; 0 in a new store. 2^53 - 1 stands for a number that no writer
   * counts to.
   */
  term(): Promise<number>
  /** Lines of a writer's chain with `sequence >= from`, ascending, at most `limit`. */
  readChain(writer: Uint8Array, from: number, limit: number): Promise<LogRow[]>
  /** Every writer that has a chain. Order is unspecified. */
  chains(): Promise<ChainHead[]>
}

/** Writing side of a transaction. */
export interface StoreTransaction extends StoreReader {
  putBlob(name: string, value: Uint8Array): Promise<void>
  putRow(table: string, id: Uint8Array, body: Uint8Array): Promise<void>
  /** Deleting what is not there is no error. */
  deleteRow(table: string, id: Uint8Array): Promise<void>
  /** Appends one line and gives its sequence number. */
  appendLog(body: Uint8Array): Promise<number>
  /**
   * Changes rows of state by compare-and-swap as {@link Store.writeState} does, in this transaction and whatever
   * the term. Gives the writes that did not come through, in order; the others are committed with the rest.
   */
  writeState(writes: readonly StateWrite[]): Promise<StateConflict[]>
  /** @throws KeymuxError `internal_error` for what is no whole number from 0 */
  setTerm(term: number): Promise<void>
  /** Removes a writer's chain; its next line is the first again. Deleting what is not there is no error. */
  deleteChain(writer: Uint8Array): Promise<void>
  /**
   * Removes what no writer leaves behind, and lines of the log with a higher number than `lastLine`: what
   * {@link Store.integrityProblems} tells of, as far as no record, row of state or line up to there is lost by it.
   */
  mend(lastLine: number): Promise<void>
}
