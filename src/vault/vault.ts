import type { ChainHead } from '../crypto/audit.js'
import type { VaultHeader } from '../crypto/header.js'
import { type DecodedHeader, decodeHeader, headerMac, sealHeader } from '../crypto/header.js'
import { isSameMac, type Keyring } from '../crypto/keyring.js'
import type { Manifest } from '../crypto/manifest.js'
import {
  digestHeader,
  emptyAccumulator,
  HEADER_DIGEST_BYTES,
  manifestTerm,
  openManifest,
} from '../crypto/manifest.js'
import { readRow } from '../crypto/seal.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Rotated, VaultProblem } from '../domain/vault.js'
import type { Store, StoredRow, StoreReader } from '../storage/contract.js'
import { ROTATION_LOCK } from '../storage/locks.js'
import { chainProblems, endChains } from './chains.js'
import { ManifestSum, markNumber, NO_MARK } from './manifest-sum.js'
import { pinDisagreement, type Remembered, rolledBack } from './pin-keeper.js'
import { type RotationPlan, rotateVault } from './rotation.js'
import type {
  CoreDelta,
  CoreParts,
  CoreTransaction,
  RecordTable,
  RowChange,
  StateEdit,
  TableName,
} from './rows.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import type { Followed, SlotKeeper } from './slot-keeper.js'
import { StateLane } from './state-lane.js'
import { HEADER_CHANGED, ROWS_CHANGED, tampered } from './tampered.js'
import { VaultTransaction } from './transaction.js'

// The memory outside the vault lags behind by a second at most: no process writes as often as that.
const UNSEEN = 1_000_000

/** More than a vault may have, and as many more as are accepted copies of before a rotation. */
const PLAUSIBLE_TERMS = 1_000_000

/** The audit is told of the chain of a process so long after the first news of it, or with its next record. */
const NOTE_AFTER_MS = 10 * 60_000

/** Other rotations of the vault end within that. */
const ROTATION_WAIT_MS = 60_000

/** The next write of a record puts that right. */
const OTHER_TERM: VaultProblem = {
  code: 'state_term',
  message: 'the number of the term, which writers of state ask for, is not that of the keys',
}

/** What is remembered outside the vault, read no later than the snapshot it is compared with was opened. */
type Pinned = () => Promise<Remembered>

/** The vault has keys that are followed only by who compares them with what is remembered. */
class KeysChanged extends Error {}

/**
 * An unlocked vault on its store: rows in and out, every one sealed, the manifest kept in step with them in
 * the same transaction, and everything other processes wrote checked before it is believed.
 */
export class VaultCore {
  readonly #parts: CoreParts
  readonly #listeners: ((delta: CoreDelta) => void)[] = []
  readonly #ledger = new ManifestSum()
  readonly #state: StateLane
  readonly #damaged = new Set<string>()
  #header: VaultHeader
  #headerDigest: Buffer
  #manifest: Manifest | undefined
  #manifestDamage: KeymuxError | undefined
  /** Of all rows that were read: the sequence number was at least that. */
  #highestRevision = 0
  #cursor = -1
  #syncing: Promise<void> | undefined
  /** The keys that an own rotation has just put into the vault. */
  #own: Keyring | undefined
  #noteTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(parts: CoreParts) {
    this.#parts = parts
    this.#state = new StateLane(
      { ...parts, damaged: this.#damaged },
      {
        sync: () => this.sync(),
        mend: () => this.write(async () => {}),
        changed: (changes, cursor) => {
          if (cursor === this.#cursor + 1) this.#cursor = cursor
          this.#tell({ full: false, changes, damaged: this.damaged })
        },
      },
    )
    this.#header = parts.header
    this.#headerDigest = digestHeader(parts.headerBytes)
  }

  get header(): VaultHeader {
    return this.#header
  }

  get keyring(): Keyring {
    return this.#parts.keyring
  }

  /** The slot that opened it. */
  get slot(): SlotKeeper {
    return this.#parts.slot
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

  /** Whether a record lies under this name that cannot be opened. */
  damages(table: RecordTable, name: string): boolean {
    if (this.#damaged.size === 0) return false
    return this.#damaged.has(`${table}/${this.keyring.rowId(table, name).toString('hex')}`)
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

  /**
   * The first reading. Where somebody who left knows the binding key of the slot that opened the vault, it gets
   * another one, which takes the slot's secret; where the vault cannot be written now, the next one who opens it does
   * that.
   */
  async begin(): Promise<void> {
    await this.sync()
    const { slot, lenient } = this.#parts
    try {
      if (lenient === true || slot.renewed(this.#header, this.keyring) === undefined) return
      let adopt = (): void => {}
      await this.write(async (tx) => {
        const renewed = slot.renewed(this.#header, this.keyring)
        if (renewed === undefined) return
        await tx.putHeader(renewed.header, sealHeader(this.keyring, renewed.header))
        await tx.audit('binding_renewed', slot.id)
        adopt = () => slot.adopt(renewed.slot)
      })
      adopt()
    } catch (error) {
      // What was read can be used. Whatever is wrong with the vault is told to whoever writes next.
      if (!isKeymuxError(error)) throw error
    } finally {
      slot.forgetSecret()
    }
  }

  /**
   * Goes on under a new root key and a new term, in one transaction.
   *
   * @throws KeymuxError `vault_corrupt` where a record cannot be opened
   */
  async rotate(plan: RotationPlan): Promise<Rotated> {
    this.#refuseClosed()
    if (this.#cursor < 0) await this.sync()
    const { store, pins, audit, keyring } = this.#parts
    const announced = await store.locks.acquire(ROTATION_LOCK, { timeoutMs: ROTATION_WAIT_MS })
    if (announced === undefined) {
      throw new KeymuxError('storage_busy', 'another process is rotating the vault', { hint: 'try again' })
    }
    try {
      const pinned = (await pins.pinned())?.term ?? 0
      // The numbers would be used up.
      const above = isPlausibleTerm(pinned, keyring) ? pinned : 0
      this.#own?.wipe(keyring.keyset)
      const rotated = await store.write(async (tx) => {
        await this.#catchUp(tx, (await tx.cursor()) - 1, () => pins.remembered())
        const manifest = this.#mustHaveManifest()
        if (!this.#headerDigest.equals(manifest.headerDigest)) throw tampered(HEADER_CHANGED)
        const made = await rotateVault(tx, { keyring, header: this.#header, manifest, audit, above }, plan)
        this.#own = made.keyring
        return made.rotated
      })
      // A reading that is under way may have begun before.
      await this.#syncing?.catch(() => {})
      await this.sync()
      await pins.flush()
      return rotated
    } finally {
      await announced.release()
    }
  }

  /** Runs `body` as the only writer, after taking over what others wrote. Listeners hear once it is durable. */
  async write<T>(body: (tx: CoreTransaction) => Promise<T>): Promise<T> {
    this.#refuseClosed()
    if (this.#cursor < 0) await this.sync()
    let settle = (): void => {}
    const result = await this.#parts.store.write(async (tx) => {
      // Inside a write the cursor is the position this transaction will have, if it comes to an end.
      await this.#catchUp(tx, (await tx.cursor()) - 1, () => this.#parts.pins.remembered())
      const present = this.#mustHaveManifest()
      // One that failed its check stays in memory until a sound one is read.
      if (this.#parts.lenient !== true && !this.#headerDigest.equals(present.headerDigest)) {
        throw tampered(HEADER_CHANGED)
      }
      const own = new VaultTransaction(this.#parts, tx, this.#ledger, this.#state.revisions, present)
      const value = await body(own)
      const manifest = await own.finish()
      const cursor = await tx.cursor()
      // Someone who read in between has taken these changes over from the store, and maybe later ones.
      settle = () => {
        if (own.noted !== undefined) this.#parts.chain?.noted(own.noted)
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
    await this.#state.change(edits)
    if (this.#parts.chain?.news === undefined || this.#noteTimer !== undefined) return
    this.#noteTimer = setTimeout(() => {
      this.#noteTimer = undefined
      // What the vault does not take now is noted with the next record.
      void this.#noteChain().catch(() => {})
    }, NOTE_AFTER_MS)
    this.#noteTimer.unref()
  }

  /** Tells the audit how far the chain of what this process wrote has come, and ends chains that are old or long. */
  #noteChain(): Promise<void> {
    const { chain: own, keyring, clock } = this.#parts
    if (own?.news === undefined || !this.isUnlocked()) return Promise.resolve()
    return this.#state.alone(async () => {
      const nowMs = Number(clock.now())
      const goOn = await this.write((tx) => endChains(tx, { keyring, own, nowMs }))
      goOn()
    })
  }

  /**
   * Takes what is there for the truth, within a transaction of its own: rows, header and log, under a sequence
   * number that no process of this machine can have seen of this vault yet.
   *
   * @returns whether a newer term has been seen of it
   */
  rebase(event: string): Promise<boolean> {
    return this.write(async (tx) => {
      const pinned = await this.#parts.pins.pinned()
      const beyond = Math.max(pinned?.sequence ?? 0, this.#mustHaveManifest().sequence) + UNSEEN
      await tx.rebase(beyond, this.#headerDigest)
      await tx.audit(event)
      return (pinned?.term ?? 0) > this.keyring.term.number
    })
  }

  /** What is wrong with the chains of who writes state, and with the term that they are to write under. */
  stateProblems(): Promise<VaultProblem[]> {
    const { store, keyring, audit } = this.#parts
    return store.read(async (reader) => {
      const term = (await reader.term()) === keyring.term.number ? [] : [OTHER_TERM]
      return [...term, ...(await chainProblems(reader, keyring, audit))]
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
    const remembered = await this.#parts.pins.remembered()
    await this.sync()
    const pin = this.#parts.pins.decode(remembered)
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
    clearTimeout(this.#noteTimer)
    await this.#noteChain().catch(() => {})
    this.#closed = true
    await this.#syncing?.catch(() => {})
    await this.#parts.pins.close()
    this.#parts.slot.wipe()
    this.#own?.wipe()
    this.#parts.keyring.wipe()
  }

  /** Reads what others wrote. The first reading, and new keys, are compared with the memory outside the vault. */
  async #read(): Promise<void> {
    if (this.#cursor >= 0) {
      try {
        return await this.#readOnce()
      } catch (error) {
        if (!(error instanceof KeysChanged)) throw error
      }
    }
    try {
      await this.#readOnce(await this.#parts.pins.remembered())
    } catch (error) {
      if (!isKeymuxError(error, 'vault_rolled_back')) throw error
      // An accusation is looked at once more, in a fresh snapshot, before it is believed.
      await this.#readOnce(await this.#parts.pins.remembered())
    }
  }

  #readOnce(remembered?: Remembered): Promise<void> {
    const pinned = remembered === undefined ? undefined : async () => remembered
    return this.#parts.store.read(async (reader) => this.#catchUp(reader, await reader.cursor(), pinned))
  }

  /** Takes over what was committed up to `position`. */
  async #catchUp(reader: StoreReader, position: number, pinned?: Pinned): Promise<void> {
    if (position === this.#cursor) return
    const found = await this.#readHeader(reader)
    const followed = found && (await this.#follow(found.decoded, reader, pinned))
    const set = await reader.changesSince(followed === undefined ? this.#cursor : -1)
    const sealedManifest = await reader.getBlob(MANIFEST_BLOB)
    const remembered = this.#cursor < 0 ? await pinned?.() : undefined
    // From here to the listeners nothing waits: rows of a former term can be opened until they are replaced.
    if (found !== undefined) this.#takeHeader(found, followed)
    const changes: RowChange[] = []
    if (set.full) {
      this.#ledger.clear()
      this.#state.revisions.clear()
      this.#damaged.clear()
    }
    for (const row of set.rows) this.#open(row, changes)
    for (const row of set.state) this.#state.take(row, changes)
    const manifest = this.#checkedManifest(sealedManifest)
    if (remembered !== undefined && this.#parts.lenient !== true) {
      await this.#parts.pins.compare(manifest, this.#parts.pins.decode(remembered), reader)
    }
    this.#manifest = manifest
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
    this.#ledger.set(key, read && (read.mark === undefined ? NO_MARK : markNumber(read.mark)))
    this.#highestRevision = Math.max(this.#highestRevision, read?.row?.revision ?? 0)
    changes.push({ table, rowId, row: read?.row })
  }

  /** The header, if it is another one by now: another process may have changed the slots, or rotated the vault. */
  async #readHeader(reader: StoreReader): Promise<{ decoded: DecodedHeader; digest: Buffer } | undefined> {
    const bytes = await reader.getBlob(HEADER_BLOB)
    if (bytes === undefined) throw tampered('its header is gone')
    const digest = digestHeader(bytes)
    return digest.equals(this.#headerDigest) ? undefined : { decoded: decodeHeader(bytes), digest }
  }

  /** The keys that the header is sealed with, unless they are the present ones. Nothing is changed. */
  async #follow(decoded: DecodedHeader, reader: StoreReader, pinned?: Pinned): Promise<Followed | undefined> {
    const { keyring, slot, pins, lenient } = this.#parts
    if (isSealedWith(keyring, decoded)) return undefined
    if (this.#own !== undefined && isSealedWith(this.#own, decoded)) return { keyring: this.#own }
    if (pinned === undefined) throw new KeysChanged()
    const followed = await slot.follow(decoded, keyring)
    if (lenient === true) return followed
    const sealed = await reader.getBlob(MANIFEST_BLOB)
    if (sealed === undefined) throw tampered('its manifest is gone')
    const pin = pins.decode(await pinned(), followed.keyring)
    const disagreement = await pinDisagreement(pin, presentManifest(followed.keyring, sealed), reader)
    if (disagreement !== undefined) throw disagreement
    return followed
  }

  #takeHeader({ decoded, digest }: { decoded: DecodedHeader; digest: Buffer }, followed?: Followed): void {
    const { keyring, slot } = this.#parts
    if (followed !== undefined) {
      const { rootKey, keyset } = followed.keyring
      keyring.replace(rootKey, keyset)
      followed.keyring.wipe(keyset)
      this.#own?.wipe(keyset)
      this.#own = undefined
      if (followed.slot !== undefined) slot.adopt(followed.slot)
    }
    slot.takeBinding(decoded.header, keyring)
    this.#header = decoded.header
    this.#headerDigest = digest
  }

  #checkedManifest(sealed: Uint8Array | undefined): Manifest {
    if (this.#parts.lenient === true) return this.#anyManifest(sealed)
    const manifest = this.#storedManifest(sealed)
    if (!this.#headerDigest.equals(manifest.headerDigest)) throw tampered(HEADER_CHANGED)
    // A row that cannot be opened has a mark all the same, unless its head is damaged. The others stay usable, and
    // `check` reports it.
    if (!this.#ledger.matches(manifest)) throw tampered(ROWS_CHANGED)
    if (manifest.sequence < (this.#manifest?.sequence ?? 0)) throw rolledBack()
    if (this.#cursor >= 0) this.#parts.pins.saw(manifest)
    return manifest
  }

  #storedManifest(sealed: Uint8Array | undefined): Manifest {
    if (sealed === undefined) throw tampered('its manifest is gone')
    return presentManifest(this.#parts.keyring, sealed)
  }

  /** For who only looks, or mends: in the place of a manifest that cannot be read, one that nothing agrees with. */
  #anyManifest(sealed: Uint8Array | undefined): Manifest {
    this.#manifestDamage = undefined
    try {
      return this.#storedManifest(sealed)
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
    for (const [rowId, revision] of own.stateRevisions) this.#state.revisions.set(rowId, revision)
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

function isSealedWith(keyring: Keyring, { header, mac }: DecodedHeader): boolean {
  return isSameMac(mac, headerMac(keyring, header))
}

/** Header and manifest change together: when they do not belong together, one of them was put back. */
function presentManifest(keyring: Keyring, sealed: Uint8Array): Manifest {
  const term = manifestTerm(sealed)
  const other = term !== undefined && term !== keyring.term.number && isPlausibleTerm(term, keyring)
  if (other) throw tampered(HEADER_CHANGED)
  return openManifest(keyring, sealed)
}

/** Whether this vault can have such a term. Nothing vouches for the number; one that no vault gets to is none. */
function isPlausibleTerm(number: number, keyring: Keyring): boolean {
  return number > 0 && number - keyring.term.number < PLAUSIBLE_TERMS
}
