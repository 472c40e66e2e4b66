import { type ChainHead, entryMac } from '../crypto/audit.js'
import type { VaultHeader } from '../crypto/header.js'
import type { Manifest } from '../crypto/manifest.js'
import { digestHeader, sealManifest } from '../crypto/manifest.js'
import { openRow, sealRow } from '../crypto/seal.js'
import { KeymuxError } from '../domain/errors.js'
import type { StateWrite, StoreReader, StoreTransaction } from '../storage/contract.js'
import type { ManifestSum } from './manifest-sum.js'
import { markBytes, markNumber, wrap } from './manifest-sum.js'
import type { CoreParts, CoreTransaction, RowChange, TableName } from './rows.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import { BLANK_STATE, sealState } from './state-row.js'

/** What one transaction changes, and the manifest that follows from it. */
export class VaultTransaction implements CoreTransaction {
  readonly changes: RowChange[] = []
  /** Keys of all rows that were written or removed. */
  readonly touched: Set<string> = new Set()
  /** New marks of counted rows by key; `undefined` where the row is gone. */
  readonly marks: Map<string, bigint | undefined> = new Map()
  header: VaultHeader | undefined

  /** Revisions of rows of state that were written, by opaque id; `undefined` where the row is gone. */
  readonly stateRevisions: Map<string, number | undefined> = new Map()

  readonly #parts: CoreParts
  readonly #tx: StoreTransaction
  readonly #ledger: ManifestSum
  readonly #states: ReadonlyMap<string, number>
  readonly #stateWrites = new Map<string, StateWrite>()
  readonly #before: Manifest
  #headerDigest: Uint8Array
  #audit: ChainHead | undefined
  #rebased = false
  #floor = 0

  constructor(
    parts: CoreParts,
    tx: StoreTransaction,
    ledger: ManifestSum,
    states: ReadonlyMap<string, number>,
    before: Manifest,
  ) {
    this.#parts = parts
    this.#tx = tx
    this.#ledger = ledger
    this.#states = states
    this.#before = before
    this.#headerDigest = before.headerDigest
    this.#audit = before.audit
  }

  get reader(): StoreReader {
    return this.#tx
  }

  async put(table: TableName, name: string, meta: Buffer, secret?: Buffer): Promise<void> {
    const { keyring } = this.#parts
    const id = keyring.rowId(table, name)
    if (table === 'state') return this.#putState(id, meta)
    // The manifest's sequence is a revision that no earlier body of this row can have had.
    const address = { table, id, revision: this.#before.sequence + 1 }
    const sealed = sealRow(keyring, address, secret === undefined ? { meta } : { meta, secret })
    secret?.fill(0)
    await this.#tx.putRow(table, id, sealed.body)
    this.#note(table, id.toString('hex'), markNumber(sealed.mark))
    // What was just sealed need not be opened again, but for its secret, should somebody ask.
    this.changes.push({
      table,
      rowId: id.toString('hex'),
      row: {
        revision: address.revision,
        term: keyring.term.number,
        mark: sealed.mark,
        meta,
        hasSecret: secret !== undefined,
        openSecret: () => openRow(keyring, table, id, sealed.body).openSecret(),
      },
    })
  }

  hasState(name: string): boolean {
    const rowId = this.#parts.keyring.rowId('state', name).toString('hex')
    return this.#states.has(rowId) || this.#stateWrites.has(rowId)
  }

  delete(table: TableName, name: string): Promise<void> {
    return this.#delete(table, this.#parts.keyring.rowId(table, name))
  }

  async deleteRow(table: TableName, rowId: string): Promise<void> {
    const id = Buffer.from(rowId, 'hex')
    if (table === 'state') this.#putState(id, BLANK_STATE)
    else await this.#delete(table, id)
  }

  async putHeader(header: VaultHeader, bytes: Uint8Array): Promise<void> {
    await this.#tx.putBlob(HEADER_BLOB, bytes)
    this.header = header
    this.#headerDigest = digestHeader(bytes)
  }

  async audit(event: string, subject?: string, detail?: string): Promise<void> {
    this.#audit = await this.#parts.audit.append(this.#tx, this.#audit, event, subject, detail)
  }

  async rebase(beyond: number, headerDigest: Uint8Array): Promise<void> {
    this.#rebased = true
    this.#floor = beyond
    this.#headerDigest = headerDigest
    const last = await this.#tx.lastLog()
    this.#audit = last === undefined ? undefined : { sequence: last.sequence, mac: entryMac(last.body) }
  }

  /** Writes the manifest, if anything it speaks of has changed, and gives the one that holds now. */
  async finish(): Promise<Manifest> {
    await this.#writeStates()
    const untouched = this.marks.size === 0 && this.header === undefined && this.#audit === this.#before.audit
    if (untouched && !this.#rebased) return this.#before
    const manifest: Manifest = {
      ...this.#sums(),
      sequence: Math.max(this.#before.sequence, this.#floor) + 1,
      headerDigest: this.#headerDigest,
      ...(this.#audit === undefined ? {} : { audit: this.#audit }),
    }
    await this.#tx.putBlob(MANIFEST_BLOB, sealManifest(this.#parts.keyring, manifest))
    return manifest
  }

  /** Rows of state are written together at the end, each on the revision that this process has seen. */
  #putState(id: Buffer, meta: Buffer): void {
    const { keyring } = this.#parts
    const rowId = id.toString('hex')
    const expected = this.#states.get(rowId) ?? 0
    const { row, body } = sealState(keyring, id, expected + 1, meta)
    this.#stateWrites.set(rowId, { id, expected, body })
    this.#note('state', rowId, undefined)
    this.changes.push({ table: 'state', rowId, row })
  }

  #deleteState(id: Buffer): void {
    const rowId = id.toString('hex')
    const expected = this.#states.get(rowId)
    this.#stateWrites.delete(rowId)
    if (expected !== undefined) this.#stateWrites.set(rowId, { id, expected, body: undefined })
    this.#note('state', rowId, undefined)
    this.changes.push({ table: 'state', rowId, row: undefined })
  }

  async #writeStates(): Promise<void> {
    if (this.#stateWrites.size === 0) return
    const conflicts = await this.#tx.writeState([...this.#stateWrites.values()])
    // What this process knows of them was read in this very transaction.
    if (conflicts.length > 0) throw new KeymuxError('conflict', 'the state of the vault changed meanwhile')
    for (const [rowId, { expected, body }] of this.#stateWrites) {
      this.stateRevisions.set(rowId, body === undefined ? undefined : expected + 1)
    }
  }

  async #delete(table: TableName, id: Buffer): Promise<void> {
    if (table === 'state') return this.#deleteState(id)
    await this.#tx.deleteRow(table, id)
    this.#note(table, id.toString('hex'), undefined)
    this.changes.push({ table, rowId: id.toString('hex'), row: undefined })
  }

  #note(table: TableName, rowId: string, mark: bigint | undefined): void {
    this.touched.add(`${table}/${rowId}`)
    if (table !== 'state') this.marks.set(`${table}/${rowId}`, mark)
  }

  /**
   * Sum and count after these changes. They follow from the manifest of before, which was verified or, in a vault
   * that is only looked at, was not: what is wrong with it stays wrong, unless the present rows are taken for the
   * truth.
   */
  #sums(): { accumulator: Uint8Array; count: number } {
    let sum = this.#rebased ? this.#ledger.sum : markNumber(Buffer.from(this.#before.accumulator))
    let count = this.#rebased ? this.#ledger.count : this.#before.count
    for (const [key, mark] of this.marks) {
      const old = this.#ledger.get(key)
      sum += (mark ?? 0n) - (old ?? 0n)
      count += (mark === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
    }
    return { accumulator: markBytes(wrap(sum)), count }
  }
}
