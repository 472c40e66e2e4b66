import type { ChainHead } from '../crypto/audit.js'
import type { VaultHeader } from '../crypto/header.js'
import { decodeHeader, verifyHeader } from '../crypto/header.js'
import type { Keyring } from '../crypto/keyring.js'
import type { Manifest } from '../crypto/manifest.js'
import { digestHeader, emptyAccumulator, HEADER_DIGEST_BYTES, openManifest } from '../crypto/manifest.js'
import type { ForeignPin, Pin } from '../crypto/pin.js'
import { readRow } from '../crypto/seal.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { StateChange, StateConflict, Store, StoredRow, StoreReader } from '../storage/contract.js'
import { ManifestSum, markNumber } from './manifest-sum.js'
import { pinDisagreement, rolledBack } from './pin-keeper.js'
import type { CoreDelta, CoreParts, CoreTransaction, RowChange, StateEdit, TableName } from './rows.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import { type StateAttempt, sealState } from './state-row.js'
import { VaultTransaction } from './transaction.js'

const HEADER_CHANGED = 'its header is not the one last written'
const ROWS_CHANGED = 'records were removed, put back or exchanged'

// The memory outside the vault lags behind by a second at most: no process writes as often as that.
const UNSEEN = 1_000_000

/**
 * An unlocked vault on its store: rows in and out, every one sealed, the manifest kept in step with them in
 * the same transaction, and everything other processes wrote checked before it is believed.
 */
export class VaultCore {
  readonly #parts: CoreParts
  readonly #listeners: ((delta: CoreDelta) => void)[] = []
  readonly #ledger = new ManifestSum()
  /** The revisions of the rows of state, by opaque id. */
  readonly #states = new Map<string, number>()
  readonly #damaged = new Set<string>()
  #header: VaultHeader
  #headerDigest: Buffer
  #manifest: Manifest | undefined
  #manifestDamage: KeymuxError | undefined
  /** Of all rows that were read: the sequence number was at least that. */
  #highestRevision = 0
  #cursor = -1
  #syncing: Promise<void> | undefined
  #closed = false

  constructor(parts: CoreParts) {
    this.#parts = parts
    this.#header = parts.header
    this.#headerDigest = digestHeader(parts.headerBytes)
  }

  get header(): VaultHeader {
    return this.#header
  }

  get keyring(): Keyring {
    return this.#parts.keyring
  }

  get store(): Store {
    return this.#parts.store
  }

  get manifest(): Manifest | undefined {
    return this.#manifest
  }

  get damaged(): readonly string[] {
    return [...this.#damaged].sort()
  }

  isUnlocked(): boolean {
    return !this.#closed && this.#parts.keyring.isUnlocked
  }

  /** Whether {@link VaultCore.sync} might bring news. Synchronous and cheap. */
  stale(): boolean {
    return this.#cursor < 0 || this.#closed || this.#parts.store.hasForeignChanges()
  }

  /** Who is told of every change, own and foreign. Subscribe before the first `sync`. */
  subscribe(listener: (delta: CoreDelta) => void): void {
    this.#listeners.push(listener)
  }

  /**
   * Takes over what other processes wrote. Concurrent calls share one reading.
   *
   * @throws KeymuxError `vault_tampered`, `vault_rolled_back`, `vault_locked`, storage errors
   */
  sync(): Promise<void> {
    this.#refuseClosed()
    this.#syncing ??= this.#read().finally(() => {
      this.#syncing = undefined
    })
    return this.#syncing
  }

  /** Runs `body` as the only writer, after taking over what others wrote. Listeners hear once it is durable. */
  async write<T>(body: (tx: CoreTransaction) => Promise<T>): Promise<T> {
    this.#refuseClosed()
    if (this.#cursor < 0) await this.sync()
    let settle = (): void => {}
    const result = await this.#parts.store.write(async (tx) => {
      // Inside a write the cursor is the position this transaction will have, if it comes to an end.
      await this.#catchUp(tx, (await tx.cursor()) - 1)
      const own = new VaultTransaction(this.#parts, tx, this.#ledger, this.#states, this.#mustHaveManifest())
      const value = await body(own)
      const manifest = await own.finish()
      const cursor = await tx.cursor()
      // Someone who read in between has taken these changes over from the store, and maybe later ones.
      settle = () => {
        if (this.#cursor < cursor) this.#adopt(own, manifest, cursor)
      }
      return value
    })
    settle()
    return result
  }

  /**
   * Changes rows of state, each on its own: neither the manifest nor the audit is touched, and nobody's record
   * is waited for. Where another process was quicker, listeners hear what it wrote and the change is asked for again.
   * Durable when it resolves.
   */
  async changeState(edits: readonly StateEdit[]): Promise<void> {
    this.#refuseClosed()
    if (this.#cursor < 0) await this.sync()
    let open = edits
    let refusedIn = 0
    while (open.length > 0) {
      const { keyring, store } = this.#parts
      const attempts = open.flatMap((edit) => this.#attempt(edit))
      if (attempts.length === 0) return
      const { refused, conflicts, cursor } = await store.writeState({
        term: keyring.term.number,
        writes: attempts.map(({ write }) => write),
      })
      if (refused !== undefined) {
        if (refusedIn === keyring.term.number) throw tampered('its term is not that of its keys')
        refusedIn = keyring.term.number
        await this.sync()
        continue
      }
      open = this.#settleState(attempts, conflicts)
      if (cursor === this.#cursor + 1) this.#cursor = cursor
    }
  }

  #attempt(edit: StateEdit): StateAttempt[] {
    const meta = edit.next()
    if (meta === undefined) return []
    const { keyring } = this.#parts
    const id = keyring.rowId('state', edit.name)
    const rowId = id.toString('hex')
    const expected = this.#states.get(rowId) ?? 0
    const { row, body } = sealState(keyring, id, expected + 1, meta)
    return [{ edit, rowId, row, write: { id, expected, body } }]
  }

  /** Takes over what became of attempts, and gives those to be made again. Later news may have come first. */
  #settleState(attempts: readonly StateAttempt[], conflicts: readonly StateConflict[]): StateEdit[] {
    const lost = new Map(conflicts.map((each) => [Buffer.from(each.id).toString('hex'), each]))
    const changes: RowChange[] = []
    for (const { rowId, row, write } of attempts) {
      const known = this.#states.get(rowId) ?? 0
      const conflict = lost.get(rowId)
      if (conflict === undefined) {
        if (known >= row.revision) continue
        this.#damaged.delete(`state/${rowId}`)
        this.#states.set(rowId, row.revision)
        changes.push({ table: 'state', rowId, row })
      } else if (conflict.row !== undefined && conflict.row.revision > known) {
        this.#openState(conflict.row, changes)
      } else if (conflict.row === undefined && known === write.expected) {
        this.#openState({ id: write.id, revision: known, body: undefined }, changes)
      }
    }
    this.#tell({ full: false, changes, damaged: this.damaged })
    return attempts.filter(({ rowId }) => lost.has(rowId)).map(({ edit }) => edit)
  }

  /**
   * Takes what is there for the truth, within a transaction of its own: rows, header and log, under a sequence
   * number that no process of this machine can have seen of this vault yet.
   */
  async rebase(event: string): Promise<void> {
    await this.write(async (tx) => {
      const pinned = (await this.#parts.pins.pinned())?.sequence ?? 0
      const beyond = Math.max(pinned, this.#mustHaveManifest().sequence) + UNSEEN
      await tx.rebase(beyond, this.#headerDigest)
      await tx.audit(event)
    })
  }

  /** Remembers the present position outside the database now, whatever was remembered before. */
  accept(): Promise<void> {
    return this.#parts.pins.accept()
  }

  /** The end of the audit as remembered outside the vault, unless the vault itself is older than that. */
  async pinnedAudit(): Promise<ChainHead | undefined> {
    const pinned = await this.#parts.pins.pinned()
    if (pinned === undefined || 'foreign' in pinned) return undefined
    return pinned.sequence <= (this.#manifest?.sequence ?? 0) ? pinned.audit : undefined
  }

  /** What is wrong with the vault as a whole: records missing, put back or exchanged, an older copy. */
  async manifestProblems(): Promise<KeymuxError[]> {
    // A reading that is under way may have begun before the pin was read.
    await this.#syncing
    const pin = await this.#parts.pins.pinned()
    await this.sync()
    const manifest = this.#mustHaveManifest()
    if (this.#manifestDamage !== undefined) return [this.#manifestDamage]
    const problems: KeymuxError[] = []
    if (!this.#headerDigest.equals(manifest.headerDigest)) problems.push(tampered(HEADER_CHANGED))
    if (!this.#ledger.matches(manifest)) problems.push(tampered(ROWS_CHANGED))
    const disagreement = await this.#parts.store.read((reader) => pinDisagreement(pin, manifest, reader))
    if (disagreement !== undefined) problems.push(disagreement)
    return problems
  }

  /** Remembers the present position outside the database, then locks the keys. The store stays open. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#syncing?.catch(() => {})
    await this.#parts.pins.close()
    this.#parts.keyring.wipe()
  }

  /** Reads what others wrote. The first reading is compared with the memory outside the vault. */
  async #read(): Promise<void> {
    if (this.#cursor >= 0) return this.#readOnce()
    try {
      await this.#readOnce(await this.#parts.pins.pinned())
    } catch (error) {
      if (!isKeymuxError(error, 'vault_rolled_back')) throw error
      // An accusation is looked at once more, in a fresh snapshot, before it is believed.
      await this.#readOnce(await this.#parts.pins.pinned())
    }
  }

  #readOnce(pin?: Pin | ForeignPin): Promise<void> {
    return this.#parts.store.read(async (reader) => this.#catchUp(reader, await reader.cursor(), pin))
  }

  /** Takes over what was committed up to `position`. @param pin what was remembered before the snapshot began */
  async #catchUp(reader: StoreReader, position: number, pin?: Pin | ForeignPin): Promise<void> {
    if (position === this.#cursor) return
    const set = await reader.changesSince(this.#cursor)
    const changes: RowChange[] = []
    if (set.full) {
      this.#ledger.clear()
      this.#states.clear()
      this.#damaged.clear()
    }
    await this.#takeHeader(reader)
    for (const row of set.rows) this.#open(row, changes)
    for (const row of set.state) this.#openState(row, changes)
    this.#manifest = await this.#checkedManifest(reader, pin)
    this.#cursor = position
    this.#tell({ full: set.full, changes, damaged: this.damaged })
  }

  #open(row: StoredRow, changes: RowChange[]): void {
    const table = row.table as TableName
    const rowId = Buffer.from(row.id).toString('hex')
    const key = `${table}/${rowId}`
    this.#damaged.delete(key)
    const { body } = row
    const read = body === undefined ? undefined : readRow(this.#parts.keyring, table, row.id, body)
    if (body !== undefined && read?.row === undefined) this.#damaged.add(key)
    this.#ledger.set(key, read?.mark && markNumber(read.mark))
    this.#highestRevision = Math.max(this.#highestRevision, read?.row?.revision ?? 0)
    changes.push({ table, rowId, row: read?.row })
  }

  /** A row of state that cannot be opened, or is of another term or revision, has no effect. */
  #openState({ id, revision, body }: StateChange, changes: RowChange[]): void {
    const rowId = Buffer.from(id).toString('hex')
    const key = `state/${rowId}`
    this.#damaged.delete(key)
    if (body === undefined) this.#states.delete(rowId)
    else this.#states.set(rowId, revision)
    const row = body === undefined ? undefined : readRow(this.#parts.keyring, 'state', id, body).row
    const sound = row?.revision === revision ? row : undefined
    if (body !== undefined && sound === undefined) this.#damaged.add(key)
    changes.push({ table: 'state', rowId, row: sound })
  }

  /** Another process may have added or removed a slot; the header must still be ours. */
  async #takeHeader(reader: StoreReader): Promise<void> {
    const bytes = await reader.getBlob(HEADER_BLOB)
    if (bytes === undefined) throw tampered('its header is gone')
    const digest = digestHeader(bytes)
    if (digest.equals(this.#headerDigest)) return
    const decoded = decodeHeader(bytes)
    verifyHeader(this.#parts.keyring, decoded)
    this.#header = decoded.header
    this.#headerDigest = digest
  }

  async #checkedManifest(reader: StoreReader, pin: Pin | ForeignPin | undefined): Promise<Manifest> {
    if (this.#parts.lenient === true) return this.#anyManifest(reader)
    const manifest = await this.#storedManifest(reader)
    if (!this.#headerDigest.equals(manifest.headerDigest)) throw tampered(HEADER_CHANGED)
    // A row that cannot be opened has a mark all the same, unless its head is damaged. The others stay usable, and
    // `check` reports it.
    if (!this.#ledger.matches(manifest)) throw tampered(ROWS_CHANGED)
    if (this.#cursor < 0) await this.#parts.pins.compare(manifest, pin, reader)
    else if (manifest.sequence < (this.#manifest?.sequence ?? 0)) throw rolledBack()
    else this.#parts.pins.saw(manifest)
    return manifest
  }

  async #storedManifest(reader: StoreReader): Promise<Manifest> {
    const sealed = await reader.getBlob(MANIFEST_BLOB)
    if (sealed === undefined) throw tampered('its manifest is gone')
    return openManifest(this.#parts.keyring, sealed)
  }

  /** For who only looks, or mends: in the place of a manifest that cannot be read, one that nothing agrees with. */
  async #anyManifest(reader: StoreReader): Promise<Manifest> {
    this.#manifestDamage = undefined
    try {
      return await this.#storedManifest(reader)
    } catch (error) {
      if (!(error instanceof KeymuxError) || error.exitCode !== tampered('').exitCode) throw error
      this.#manifestDamage = error
      return {
        accumulator: emptyAccumulator(),
        count: 0,
        sequence: this.#highestRevision,
        headerDigest: Buffer.alloc(HEADER_DIGEST_BYTES),
      }
    }
  }

  #adopt(own: VaultTransaction, manifest: Manifest, cursor: number): void {
    for (const [key, mark] of own.marks) this.#ledger.set(key, mark)
    for (const [rowId, revision] of own.stateRevisions) {
      if (revision === undefined) this.#states.delete(rowId)
      else this.#states.set(rowId, revision)
    }
    for (const key of own.touched) this.#damaged.delete(key)
    if (own.header !== undefined) {
      this.#header = own.header
      this.#headerDigest = Buffer.from(manifest.headerDigest)
    }
    this.#manifest = manifest
    this.#cursor = cursor
    this.#parts.pins.saw(manifest)
    this.#tell({ full: false, changes: own.changes, damaged: this.damaged })
  }

  #tell(delta: CoreDelta): void {
    for (const listener of this.#listeners) listener(delta)
  }

  #mustHaveManifest(): Manifest {
    if (this.#manifest === undefined) throw tampered('its manifest is gone')
    return this.#manifest
  }

  #refuseClosed(): void {
    if (!this.isUnlocked())
      throw new KeymuxError('vault_locked', 'the vault is locked', { hint: 'open it again' })
  }
}

function tampered(what: string): KeymuxError {
  return new KeymuxError('vault_tampered', `somebody changed the vault without its key: ${what}`, {
    hint: 'restore a backup, or look closer with keymux vault check',
  })
}
