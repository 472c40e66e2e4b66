import { type CoreDelta, type CoreTransaction, type RowChange, RowNames } from '../vault/rows.js'
import type { VaultCore } from '../vault/vault.js'
import type {
  AuditEvent,
  ProfileBackend,
  ProfileChange,
  ProfileDelta,
  ProfileTransaction,
  StateChange,
  StateEdit,
  StateKey,
} from './backend.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'
import {
  decodeMeta,
  decodeSecrets,
  decodeState,
  encodeMeta,
  encodeSecrets,
  encodeState,
  stateRowName,
} from './record-codec.js'

/** Profiles as sealed rows of a vault: one row for each profile, and one for whatever is remembered of it. */
export class SealedBackend implements ProfileBackend {
  readonly #core: VaultCore
  readonly #profiles = new RowNames<string>()
  readonly #states = new RowNames<StateKey>()

  constructor(core: VaultCore) {
    this.#core = core
  }

  isUnlocked(): boolean {
    return this.#core.isUnlocked()
  }

  stale(): boolean {
    return this.#core.stale()
  }

  sync(): Promise<void> {
    return this.#core.sync()
  }

  connect(sink: (delta: ProfileDelta) => void): void {
    this.#core.subscribe((delta) => sink(this.#translate(delta)))
  }

  transact<T>(body: (tx: ProfileTransaction) => Promise<T>): Promise<T> {
    return this.#core.write((tx) => body(new SealedTransaction(tx)))
  }

  changeState(edits: readonly StateEdit[]): Promise<void> {
    return this.#core.changeState(
      edits.map(({ of, next, done }) => ({
        name: stateRowName(of),
        done,
        next: () => {
          const change = next()
          return change && encodeState(change)
        },
      })),
    )
  }

  damages(id: string): boolean {
    return this.#core.damages('profile', id)
  }

  digest(text: string): Buffer {
    return this.#core.keyring.rowId('digest', text)
  }

  #translate({ full, changes, damaged }: CoreDelta): ProfileDelta {
    if (full) {
      this.#profiles.clear()
      this.#states.clear()
    }
    return { full, changes: changes.flatMap((change) => this.#changeOf(change) ?? []), damaged }
  }

  #changeOf({ table, rowId, row }: RowChange): ProfileChange | undefined {
    if (table === 'profile') {
      const record = row && recordOf(row)
      const id = this.#profiles.take(rowId, record?.meta.id)
      return id === undefined ? undefined : { kind: 'profile', id, record }
    }
    if (table !== 'state') return undefined
    const change = row && decodeState(row.meta)
    const of = this.#states.take(rowId, change && { kind: change.kind, key: change.key })
    return change ?? (of && { ...of, value: undefined })
  }
}

class SealedTransaction implements ProfileTransaction {
  readonly #tx: CoreTransaction

  constructor(tx: CoreTransaction) {
    this.#tx = tx
  }

  async putProfile(meta: ProfileMeta, secrets: ProfileSecrets): Promise<ProfileRecord> {
    await this.#tx.put('profile', meta.id, encodeMeta(meta), encodeSecrets(secrets))
    return { meta, openSecrets: () => secrets }
  }

  deleteProfile(id: string): Promise<void> {
    return this.#tx.delete('profile', id)
  }

  async putState(change: StateChange): Promise<void> {
    const name = stateRowName(change)
    if (change.value !== undefined || this.#tx.hasState(name)) this.#tx.putState(name, encodeState(change))
  }

  async forget(of: StateKey): Promise<void> {
    this.#tx.deleteState(stateRowName(of))
  }

  audit(event: AuditEvent, subject: string, detail?: string): Promise<void> {
    return this.#tx.audit(event, subject, detail)
  }
}

function recordOf(row: NonNullable<RowChange['row']>): ProfileRecord {
  // The method alone is kept: with the row, its opened metadata would stay in memory too.
  const { openSecret } = row
  return {
    meta: decodeMeta(row.meta),
    openSecrets: () => {
      const bytes = openSecret()
      try {
        return decodeSecrets(bytes)
      } finally {
        bytes?.fill(0)
      }
    },
  }
}
