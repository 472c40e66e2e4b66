import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import type { ProfileId } from '../domain/ids.js'
import type { Logger, VaultInterface } from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import { ProfileStore } from '../domain/profile-store.js'
import { newUsageStats } from '../domain/usage.js'
import type {
  ProfileBackend,
  ProfileChange,
  ProfileDelta,
  ProfileState,
  ProfileTransaction,
  StateChange,
  StateEdit,
  StateKey,
} from '../profiles/backend.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from '../profiles/record.js'
import { splitProfile, toProfile } from '../profiles/record.js'

/** The name under which the original keeps all profiles in its vault. */
export const STORE_SECRET_NAME = 'auth:profiles:store'

/**
 * Profiles as the original keeps them: one JSON document in a vault of somebody else's making. While that
 * vault is locked there are none; they appear when it is unlocked.
 */
export class KvBackend implements ProfileBackend {
  readonly #vault: VaultInterface
  readonly #logger: Logger | undefined
  /** What has no place in the original's format: it lasts as long as this process. By kind and key. */
  readonly #beside = new Map<string, StateChange>()
  #sink: (delta: ProfileDelta) => void = () => {}
  #loaded: 'not yet' | 'locked' | 'open' = 'not yet'
  #queue: Promise<unknown> = Promise.resolve()

  constructor(vault: VaultInterface, logger: Logger | undefined) {
    this.#vault = vault
    this.#logger = logger
  }

  isUnlocked(): boolean {
    return this.#vault.isUnlocked()
  }

  stale(): boolean {
    return this.#loaded !== (this.#vault.isUnlocked() ? 'open' : 'locked')
  }

  connect(sink: (delta: ProfileDelta) => void): void {
    this.#sink = sink
  }

  sync(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.stale()) return
      if (this.#vault.isUnlocked()) {
        this.#tell(await this.#read())
        this.#loaded = 'open'
        return
      }
      this.#logger?.warn('the vault is locked: there are no profiles until it is unlocked')
      this.#sink({ full: true, changes: [] })
      this.#loaded = 'locked'
    })
  }

  transact<T>(body: (tx: ProfileTransaction) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (!this.#vault.isUnlocked()) {
        throw new KeymuxError('vault_locked', 'the vault is locked', { hint: 'unlock it first' })
      }
      const store = await this.#read()
      this.#tell(store)
      this.#loaded = 'open'
      const tx = new KvTransaction(store)
      const value = await body(tx)
      if (tx.changes.length > 0) {
        if (tx.touched) await this.#vault.set(STORE_SECRET_NAME, JSON.stringify(store.toJSON()))
        for (const change of tx.changes) this.#remember(change)
        this.#sink({ full: false, changes: tx.changes })
      }
      return value
    })
  }

  changeState(edits: readonly StateEdit[]): Promise<void> {
    return this.transact(async (tx) => {
      for (const { next, done } of edits) {
        const change = next()
        if (change === undefined) continue
        done?.()
        await tx.putState(change)
      }
    })
  }

  async #read(): Promise<ProfileStore> {
    if (!(await this.#vault.has(STORE_SECRET_NAME))) return new ProfileStore()
    return ProfileStore.fromJSON(await this.#vault.get(STORE_SECRET_NAME))
  }

  #tell(store: ProfileStore): void {
    const changes: ProfileChange[] = []
    for (const profile of store.list()) {
      changes.push({ kind: 'profile', id: profile.id, record: recordOf(profile) })
      changes.push({ kind: 'use', key: profile.id, value: stateOf(store, profile) })
    }
    for (const [key, value] of Object.entries(store.lastGood)) changes.push({ kind: 'last_good', key, value })
    changes.push(...this.#beside.values())
    this.#sink({ full: true, changes })
  }

  #remember(change: ProfileChange): void {
    if (!isBeside(change)) return
    const name = `${change.kind} ${change.key}`
    if (change.value === undefined) this.#beside.delete(name)
    else this.#beside.set(name, change)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => {})
    return result
  }
}

class KvTransaction implements ProfileTransaction {
  readonly changes: ProfileChange[] = []
  readonly #store: ProfileStore

  /** Whether the document has changed, not only what is kept beside it. */
  get touched(): boolean {
    return this.changes.some((change) => !isBeside(change))
  }

  constructor(store: ProfileStore) {
    this.#store = store
  }

  /** The original's format has no uid: here a profile is what it is called. */
  async putProfile(given: ProfileMeta, secrets: ProfileSecrets): Promise<ProfileRecord> {
    // What the document does not keep is not told either: it counts the credentials of logins alone.
    const { generation, replacedAt: _replacedAt, ...rest } = given
    const counted = given.mode === 'oauth' ? withoutUndefined({ generation }) : {}
    const meta = { ...rest, ...counted, uid: given.id }
    const record: ProfileRecord = { meta, openSecrets: () => secrets }
    const known = this.#store.get(meta.id)
    this.#store.set(
      toProfile(record, {
        lastUsedAt: known?.lastUsedAt,
        lastError: known?.lastError,
        lastErrorAt: known?.lastErrorAt,
      }),
    )
    this.changes.push({ kind: 'profile', id: meta.id, record })
    return record
  }

  async deleteProfile(id: string): Promise<void> {
    this.#store.delete(id as ProfileId)
    this.changes.push({ kind: 'profile', id, record: undefined })
  }

  async putState(change: StateChange): Promise<void> {
    if (change.kind === 'use') this.#putUse(change.key, change.value)
    else if (change.kind === 'last_good') this.#putLastGood(change.key, change.value)
    this.changes.push(change)
  }

  forget({ kind, key }: StateKey): Promise<void> {
    return this.putState({ kind, key, value: undefined })
  }

  #putLastGood(provider: string, uid: string | undefined): void {
    if (uid === undefined) delete this.#store.lastGood[provider]
    else this.#store.markAuthProfileGood(provider, uid)
  }

  #putUse(uid: string, state: ProfileState | undefined): void {
    const profile = this.#store.get(uid as ProfileId)
    if (profile === undefined) return
    const { lastUsedAt: _used, lastError: _error, lastErrorAt: _at, ...rest } = profile
    const facts = {
      lastUsedAt: state?.stats.lastUsed,
      lastError: state?.lastError,
      lastErrorAt: state?.lastErrorAt,
    }
    this.#store.set({ ...rest, ...withoutUndefined(facts) })
    this.#store.usageStats[uid] = state?.stats ?? newUsageStats()
  }

  /** The original's vault keeps no audit. */
  async audit(): Promise<void> {}
}

/** Whether the original's format has no place for it. */
function isBeside(
  change: ProfileChange,
): change is Exclude<StateChange, { readonly kind: 'use' | 'last_good' }> {
  return change.kind !== 'profile' && change.kind !== 'use' && change.kind !== 'last_good'
}

function recordOf(profile: AuthProfile): ProfileRecord {
  const { generation } = profile.oauth ?? {}
  const { meta, secrets } = splitProfile(profile, withoutUndefined({ uid: profile.id, generation }))
  return { meta, openSecrets: () => secrets }
}

function stateOf(store: ProfileStore, profile: AuthProfile): ProfileState {
  const known = store.usageStats[profile.id] ?? newUsageStats()
  const lastUsed = known.lastUsed ?? profile.lastUsedAt
  return withoutUndefined({
    stats: lastUsed === undefined ? known : { ...known, lastUsed },
    lastError: profile.lastError,
    lastErrorAt: profile.lastErrorAt,
  })
}
