import type { VaultHeader } from '../crypto/header.js'
import type { Keyring } from '../crypto/keyring.js'
import type { OpenedRow } from '../crypto/seal.js'
import type { Clock } from '../domain/ports.js'
import type { Store, StoreReader } from '../storage/contract.js'
import type { AuditLog } from './audit-log.js'
import type { PinKeeper } from './pin-keeper.js'
import type { SlotKeeper } from './slot-keeper.js'
import type { WriterChain } from './writer-chain.js'

export const HEADER_BLOB = 'header'
export const MANIFEST_BLOB = 'manifest'

/** What records are for. The manifest covers them all. */
export type RecordTable = 'profile' | 'secret' | 'provider'

/**
 * A row is a record, or state: a row of the other lane, changed by compare-and-swap, without manifest and audit. Rows
 * of state are authentic one by one, and putting an old one back gains nobody anything but a forgotten cooldown.
 */
export type TableName = RecordTable | 'state'

/** A change of one row of state. */
export interface StateEdit {
  readonly name: string
  /**
   * What is to stand there, given all that listeners have been told; `undefined` leaves what is there. Asked again
   * when another process was quicker.
   */
  readonly next: () => Buffer | undefined
  /** Called once it has come through, before listeners hear of it. */
  readonly done?: (() => void) | undefined
}

/** One row that is different now; `undefined` where it is gone. */
export interface RowChange {
  readonly table: TableName
  /** The opaque row id in hexadecimal. */
  readonly rowId: string
  readonly row: OpenedRow | undefined
}

/** What the rows of a table are called: the deletion of one says no more than its opaque id. */
export class RowNames<N> {
  readonly #names = new Map<string, N>()

  /** Takes the name that a row has now, `undefined` where it is gone, and gives that one or else the former. */
  take(rowId: string, name: N | undefined): N | undefined {
    const former = this.#names.get(rowId)
    if (name === undefined) this.#names.delete(rowId)
    else this.#names.set(rowId, name)
    return name ?? former
  }

  clear(): void {
    this.#names.clear()
  }
}

/** What changed, in one step. */
export interface CoreDelta {
  readonly full: boolean
  readonly changes: readonly RowChange[]
  /** Rows that exist and cannot be opened, as `table/id`. */
  readonly damaged: readonly string[]
}

/** The writing side of one transaction on an open vault. */
export interface CoreTransaction {
  put(table: RecordTable, name: string, meta: Buffer, secret?: Buffer): Promise<void>
  /** Deleting what is not there is no error. */
  delete(table: RecordTable, name: string): Promise<void>
  /** Whether there is such a row of state. */
  hasState(name: string): boolean
  putState(name: string, meta: Buffer): void
  /** For what never comes back under this name. Deleting what is not there is no error. */
  deleteState(name: string): void
  /** Tells the audit how far the chain of this process has come, where it does not know. */
  noteChain(): Promise<void>
  /** Removes the chain of a writer. */
  endChain(writer: Uint8Array): Promise<void>
  /** Deletes a row known by its opaque id alone: a damaged one. */
  deleteRow(table: TableName, rowId: string): Promise<void>
  putHeader(header: VaultHeader, bytes: Uint8Array): Promise<void>
  audit(event: string, subject?: string, detail?: string): Promise<void>
  /**
   * Takes the present rows, header and log for the truth, whatever the manifest and the chains of writers say. The new
   * sequence number is higher than `beyond`.
   */
  rebase(beyond: number, headerDigest: Uint8Array): Promise<void>
  readonly reader: StoreReader
}

/** What an open vault is made of. */
export interface CoreParts {
  readonly store: Store
  readonly keyring: Keyring
  readonly header: VaultHeader
  readonly headerBytes: Uint8Array
  readonly pins: PinKeeper
  readonly audit: AuditLog
  readonly clock: Clock
  /** The chain of what this process writes into the lane of state. Absent for one that ends in a moment. */
  readonly chain?: WriterChain | undefined
  /** The slot that opened it. */
  readonly slot: SlotKeeper
  /** Open although the vault looks rolled back or tampered with; for `check` and for accepting it. */
  readonly lenient?: boolean
}
