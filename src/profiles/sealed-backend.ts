import type { ProfileUsageStats } from '../domain/usage.js'
import type { CoreDelta, CoreTransaction, RowChange } from '../vault/rows.js'
import type { VaultCore } from '../vault/vault.js'
import type {
  AuditEvent,
  ProfileBackend,
  ProfileChange,
  ProfileDelta,
  ProfileState,
  ProfileTransaction,
  RefreshState,
  StateEdit,
} from './backend.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'
import type { StateRow } from './record-codec.js'
import {
  decodeMeta,
  decodeSecrets,
  decodeState,
  encodeMeta,
  encodeSecrets,
  encodeState,
  stateRowName,
} from './record-codec.js'

/** Profiles as sealed rows of a vault: one row per profile, one per memory of use. */
export class SealedBackend implements ProfileBackend {
  readonly #core: VaultCore
  /** What each row was, by its opaque id: a deletion says no more than that. */
  readonly #profileIds = new Map<string, string>()
  readonly #stateRows = new Map<string, StateRow>()

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
          const row = next()
          return row && encodeState(row)
        },
      })),
    )
  }

  #translate(delta: CoreDelta): ProfileDelta {
    if (delta.full) {
      this.#profileIds.clear()
      this.#stateRows.clear()
    }
    const changes: ProfileChange[] = []
    for (const change of delta.changes) {
      if (change.table === 'profile') this.#profileChange(change, changes)
      else if (change.table === 'state') this.#stateChange(change, changes)
    }
    return { full: delta.full, changes, damaged: delta.damaged }
  }

  #profileChange({ rowId, row }: RowChange, changes: ProfileChange[]): void {
    if (row === undefined) {
      const id = this.#profileIds.get(rowId)
      this.#profileIds.delete(rowId)
      if (id !== undefined) changes.push({ kind: 'profile', id, record: undefined })
      return
    }
    // The method alone is kept: with the row, its opened metadata would stay in memory too.
    const { openSecret } = row
    const record = recordOf(decodeMeta(row.meta), openSecret)
    this.#profileIds.set(rowId, record.meta.id)
    changes.push({ kind: 'profile', id: record.meta.id, record })
  }

  #stateChange({ rowId, row }: RowChange, changes: ProfileChange[]): void {
    const state = row === undefined ? undefined : decodeState(row.meta)
    const what = state ?? this.#stateRows.get(rowId)
    if (state === undefined) this.#stateRows.delete(rowId)
    else this.#stateRows.set(rowId, state)
    if (what === undefined) return
    const gone = state === undefined
    if (what.kind === 'profile')
      changes.push({ kind: 'state', uid: what.uid, state: gone ? undefined : what.state })
    else if (what.kind === 'refresh')
      changes.push({
        kind: 'refresh',
        uid: what.uid,
        refresh: gone || isEmptyRefresh(what.refresh) ? undefined : what.refresh,
      })
    else if (what.kind === 'account')
      changes.push({ kind: 'account', key: what.key, stats: gone ? undefined : what.stats })
    else
      changes.push({
        kind: 'last_good',
        provider: what.provider,
        uid: gone || what.uid === '' ? undefined : what.uid,
      })
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

  async deleteProfile(id: string, uid?: string): Promise<void> {
    await this.#tx.delete('profile', id)
    if (uid === undefined) return
    await this.#tx.delete('state', stateRowName({ kind: 'profile', uid }))
    await this.#tx.delete('state', stateRowName({ kind: 'refresh', uid }))
  }

  putState(uid: string, state: ProfileState | undefined): Promise<void> {
    return this.#putState({ kind: 'profile', uid }, state && { kind: 'profile', uid, state })
  }

  /** Rows of state are emptied rather than deleted: a deleted one would lose count of its revisions. */
  async putRefresh(uid: string, refresh: RefreshState = {}): Promise<void> {
    const isKnown = this.#tx.hasState(stateRowName({ kind: 'refresh', uid }))
    if (!isKnown && isEmptyRefresh(refresh)) return
    await this.#putState({ kind: 'refresh', uid }, { kind: 'refresh', uid, refresh })
  }

  putAccount(key: string, stats: ProfileUsageStats | undefined): Promise<void> {
    return this.#putState({ kind: 'account', key }, stats && { kind: 'account', key, stats })
  }

  putLastGood(provider: string, uid = ''): Promise<void> {
    return this.#putState({ kind: 'last_good', provider }, { kind: 'last_good', provider, uid })
  }

  audit(event: AuditEvent, subject: string, detail?: string): Promise<void> {
    return this.#tx.audit(event, subject, detail)
  }

  #putState(key: Parameters<typeof stateRowName>[0], row: StateRow | undefined): Promise<void> {
    const name = stateRowName(key)
    return row === undefined ? this.#tx.delete('state', name) : this.#tx.put('state', name, encodeState(row))
  }
}

function isEmptyRefresh({ attempt, backoff }: RefreshState): boolean {
  return attempt === undefined && backoff === undefined
}

function recordOf(meta: ProfileMeta, openSecret: () => Buffer | undefined): ProfileRecord {
  return {
    meta,
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
