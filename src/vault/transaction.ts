import { type ChainHead, isLineOf } from '../crypto/audit.js'
import type { VaultHeader } from '../crypto/header.js'
import type { Manifest } from '../crypto/manifest.js'
import { digestHeader, sealManifest } from '../crypto/manifest.js'
import { openRow, sealRow } from '../crypto/seal.js'
import { KeymuxError } from '../domain/errors.js'
import type { StateConflict, StoreReader, StoreTransaction } from '../storage/contract.js'
import { nextRevision } from '../storage/state.js'
import type { ManifestSum } from './manifest-sum.js'
import { markBytes, markNumber, wrap } from './manifest-sum.js'
import type { CoreParts, CoreTransaction, RecordTable, RowChange, TableName } from './rows.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import { BLANK_STATE, sealState } from './state-row.js'
import { CHAIN_ENDED, CHAIN_NOTED, noteOf, type WriterHead } from './writer-chain.js'

/** A row of state as it is to be; `undefined` where it is to go. */
interface StateIntent {
  readonly id: Buffer
  readonly rowId: string
  readonly expected: number
  readonly meta: Buffer | undefined
}

/** What one transaction changes, and the manifest that follows from it. */
export class VaultTransaction implements CoreTransaction {
  readonly changes: RowChange[] = []
  /** Keys of all rows that were written or removed. */
  readonly touched: Set<string> = new Set()
  /** New marks of counted rows by key; `undefined` where the row is gone. */
  readonly marks: Map<string, bigint | undefined> = new Map()
  header: VaultHeader | undefined

  /** Revisions of rows of state that were written, deletions included, by opaque id. */
  readonly stateRevisions: Map<string, number> = new Map()

  /** What the audit is told of the chain of this process. */
  noted: WriterHead | undefined

  readonly #parts: CoreParts
  readonly #tx: StoreTransaction
  readonly #ledger: ManifestSum
  readonly #states: ReadonlyMap<string, number>
  readonly #stateWrites = new Map<string, StateIntent>()
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

  async put(table: RecordTable, name: string, meta: Buffer, secret?: Buffer): Promise<void> {
    const { keyring } = this.#parts
    const id = keyring.rowId(table, name)
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

  putState(name: string, meta: Buffer): void {
    this.#putState(this.#parts.keyring.rowId('state', name), meta)
  }

  deleteState(name: string): void {
    const id = this.#parts.keyring.rowId('state', name)
    const rowId = id.toString('hex')
    if (this.#states.has(rowId)) this.#putState(id, undefined)
    else this.#stateWrites.delete(rowId)
  }

  delete(table: RecordTable, name: string): Promise<void> {
    return this.#delete(table, this.#parts.keyring.rowId(table, name))
  }

  async noteChain(): Promise<void> {
    const news = this.#parts.chain?.news
    if (news === undefined || this.noted !== undefined) return
    const [line] = await this.#tx.readChain(news.writer, news.sequence, 1)
    // An owner has taken another state of the vault for the truth, or put one there: that chain is no more.
    if (line?.sequence !== news.sequence || !isLineOf(line.body, news.mac))
      return this.#parts.chain?.restart()
    this.noted = news
    await this.audit(CHAIN_NOTED, ...noteOf(news))
  }

  async endChain(writer: Uint8Array): Promise<void> {
    await this.#tx.deleteChain(writer)
    await this.audit(CHAIN_ENDED, Buffer.from(writer).toString('hex'))
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
    for (const { writer } of await this.#tx.chains()) await this.#tx.deleteChain(writer)
    this.#floor = beyond
    this.#headerDigest = headerDigest
    this.#audit = await this.#parts.audit.end(this.#tx)
    await this.#tx.mend(this.#audit?.sequence ?? 0)
  }

  /** Writes the manifest, if anything it speaks of has changed, and gives the one that holds now. */
  async finish(): Promise<Manifest> {
    await this.#writeStates()
    await this.#mendTerm()
    const untouched = this.marks.size === 0 && this.header === undefined && this.#audit === this.#before.audit
    if (untouched && !this.#rebased) return this.#before
    await this.noteChain()
    const manifest: Manifest = {
      ...this.#sums(),
      sequence: Math.max(this.#before.sequence, this.#floor) + 1,
      headerDigest: this.#headerDigest,
      ...(this.#audit === undefined ? {} : { audit: this.#audit }),
    }
    await this.#tx.putBlob(MANIFEST_BLOB, sealManifest(this.#parts.keyring, manifest))
    return manifest
  }

  /** The number in clear is there for who sees no keyset: somebody has changed it, and the keyset tells the true one. */
  async #mendTerm(): Promise<void> {
    const { number } = this.#parts.keyring.term
    if ((await this.#tx.term()) === number) return
    await this.#tx.setTerm(number)
    await this.audit('term_mended', undefined, `term ${number}`)
  }

  /** Rows of state are written together at the end, each on the revision that this process has seen. */
  #putState(id: Buffer, meta: Buffer | undefined): void {
    const rowId = id.toString('hex')
    this.#stateWrites.set(rowId, { id, rowId, expected: this.#states.get(rowId) ?? 0, meta })
    this.#note('state', rowId, undefined)
  }

  async #writeStates(): Promise<void> {
    let open = [...this.#stateWrites.values()]
    while (open.length > 0) {
      const conflicts = await this.#writeState(open)
      const standing = new Map(conflicts.map((each) => [Buffer.from(each.id).toString('hex'), each]))
      // What this process knows of rows was read in this very transaction; it need not know of deletions.
      if (conflicts.some(({ row }) => row !== undefined)) {
        throw new KeymuxError('conflict', 'the state of the vault changed meanwhile')
      }
      open = open.flatMap((each) => {
        const found = standing.get(each.rowId)
        return found === undefined ? [] : [{ ...each, expected: found.revision }]
      })
    }
  }

  /** Tries changes of rows of state, and gives those that found another revision. */
  async #writeState(intents: readonly StateIntent[]): Promise<readonly StateConflict[]> {
    const tries = intents.map(({ id, rowId, expected, meta }) => {
      const sealed = meta && sealState(this.#parts.keyring, id, nextRevision(expected), meta)
      return { rowId, row: sealed?.row, write: { id, expected, body: sealed?.body } }
    })
    const conflicts = await this.#tx.writeState(tries.map(({ write }) => write))
    const lost = new Set(conflicts.map(({ id }) => Buffer.from(id).toString('hex')))
    for (const { rowId, row, write } of tries) {
      if (lost.has(rowId)) continue
      this.stateRevisions.set(rowId, nextRevision(write.expected))
      this.changes.push({ table: 'state', rowId, row })
    }
    return conflicts
  }

  async #delete(table: RecordTable, id: Buffer): Promise<void> {
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
