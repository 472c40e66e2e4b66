import { profileProvider } from '../domain/ids.js'
import type { QuotaState, QuotaWindow } from '../domain/quota.js'
import type { ProfileUsageStats } from '../domain/usage.js'
import type {
  ProfileChange,
  ProfileDelta,
  ProfileState,
  RefreshState,
  StateKey,
  WriterUse,
} from './backend.js'
import type { StandingContext } from './entry.js'
import { accountKey, Entry, newUse } from './entry.js'
import { Layered } from './layered.js'
import type { Outcome } from './outcome.js'
import { ProviderGroup } from './provider-group.js'
import { QuotaBook } from './quota-book.js'
import type { ProfileRecord } from './record.js'

/** What profiles of one account share. */
interface Account {
  readonly use: Layered<ProfileUsageStats | undefined>
  readonly members: Set<Entry>
}

/** Every profile of a vault in memory, by id and by provider, following the changes that the backend tells. */
export class Catalogue {
  readonly entries: Map<string, Entry> = new Map()
  /** The same, by what does not change with a name. */
  readonly byUid: Map<string, Entry> = new Map()
  readonly groups: Map<string, ProviderGroup> = new Map()
  /** Of the few profiles whose renewal is under way or has failed, by uid. */
  readonly refreshes: Map<string, RefreshState> = new Map()
  /** What processes that live long have written down of the use of profiles. */
  readonly writers: Map<string, WriterUse> = new Map()
  readonly #accounts = new Map<string, Account>()
  readonly #quotas = new QuotaBook()
  /** The latest instant of what is stored of profiles that are not there, in epoch milliseconds, by uid. */
  readonly #strays = new Map<string, number>()
  /** What is remembered of profiles that are not there: not yet, or under another name in a moment. By uid. */
  readonly #orphans = new Map<string, Entry['use']>()
  readonly #context: StandingContext
  /** Times of use from before the last full listing, some of which are still to be written down. By uid. */
  #usedAt: ReadonlyMap<string, number> = new Map()
  #damaged: readonly string[] = []

  constructor(context: StandingContext) {
    this.#context = context
  }

  get damaged(): readonly string[] {
    return this.#damaged
  }

  group(provider: string): ProviderGroup {
    let group = this.groups.get(provider)
    if (group === undefined) {
      group = new ProviderGroup(this.#context, this.byUid)
      this.groups.set(provider, group)
    }
    return group
  }

  /** What a transaction builds upon. */
  accountStats(provider: string, account: string): ProfileUsageStats | undefined {
    return this.#accounts.get(accountKey(provider, account))?.use.base
  }

  /** Lets the transaction that begins write these changes of an account down, and gives what they come to. */
  markAccount(key: string, changes: ReadonlySet<unknown>): ProfileUsageStats | undefined {
    const { use } = this.#account(key)
    use.mark(changes)
    return use.base
  }

  /** What is stored of an account, under some of the changes that are ahead of it. */
  accountWith(key: string, changes: ReadonlySet<unknown>): ProfileUsageStats | undefined {
    return this.#account(key).use.with(changes)
  }

  /** Lets an outcome take effect that is still to be written down. */
  push(outcome: Outcome, now: Date): void {
    const entry = this.byUid.get(outcome.uid)
    if (entry === undefined) return
    const group = this.group(entry.provider)
    group.change(entry, now, () => entry.changeUse((use) => use.push(outcome.state)))
    if (outcome.event === 'success') group.setLastGood(entry.uid, now)
    const { account } = outcome
    if (account !== undefined) this.#changeAccount(account.key, now, (use) => use.push(account.change))
  }

  /** Takes outcomes away that are written down. */
  drop(outcomes: readonly Outcome[], now: Date): void {
    const changes = new Set<unknown>(outcomes.flatMap(({ state, account }) => [state, account?.change]))
    for (const uid of new Set(outcomes.map((outcome) => outcome.uid))) this.dropChanges(uid, changes, now)
    const keys = new Set(outcomes.flatMap(({ account }) => (account === undefined ? [] : [account.key])))
    for (const key of keys) this.dropAccountChanges(key, changes, now)
  }

  /** Takes changes of one profile away that are written down. */
  dropChanges(uid: string, changes: ReadonlySet<unknown>, now: Date): void {
    const entry = this.byUid.get(uid)
    if (entry === undefined) return
    this.group(entry.provider).change(entry, now, () => entry.changeUse((use) => use.drop(changes)))
  }

  /** Takes changes of one account away that are written down. */
  dropAccountChanges(key: string, changes: ReadonlySet<unknown>, now: Date): void {
    this.#changeAccount(key, now, (use) => use.drop(changes))
  }

  /** Takes what an answer said of the limits that are filed under `key`. */
  noteQuota(key: string, epoch: number, windows: readonly QuotaWindow[], now: Date): void {
    this.#quotas.note(key, epoch, windows)
    this.#renewQuota(key, now)
  }

  /** What is to be stored of the limits that are filed under `key`; `undefined` where that is nothing new. */
  quotaNews(key: string): QuotaState | undefined {
    const [entry] = this.#sharing(key)
    return entry && this.#quotas.news(key, entry.quotaEpoch)
  }

  #renewQuota(key: string, now: Date): void {
    const value = this.#quotas.value(key)
    for (const entry of this.#sharing(key)) this.group(entry.provider).renewQuota(entry, value, now)
  }

  /** The profiles whose limits are filed under `key`. */
  #sharing(key: string): Iterable<Entry> {
    const entry = this.byUid.get(key)
    if (entry !== undefined) return entry.quotaKey === key ? [entry] : []
    return this.#accounts.get(key)?.members ?? []
  }

  /** Takes over what the backend tells. */
  apply(delta: ProfileDelta, now: Date): void {
    if (delta.full) this.#clear()
    if (delta.damaged !== undefined) this.#damaged = delta.damaged
    for (const change of delta.changes) this.#take(change, now)
    // What belongs together is told together: what found no profile has none.
    for (const [uid, use] of this.#orphans) this.#strays.set(uid, latestOf(use.stored.stats))
    this.#orphans.clear()
  }

  /** What is stored, belongs to no profile, and tells of nothing after this instant. */
  strays(beforeMs: number): StateKey[] {
    const uses = [...this.#strays].map(([key, latest]) => ({ kind: 'use' as const, key, latest }))
    const refreshes = [...this.refreshes].map(([key, { attempt, backoff }]) => {
      const latest = Math.max(attempt?.deadlineAt.getTime() ?? 0, backoff?.until.getTime() ?? 0)
      return { kind: 'refresh' as const, key, latest }
    })
    const accounts = [...this.#accounts].flatMap(([key, { use, members }]) =>
      members.size > 0 || use.stored === undefined
        ? []
        : [{ kind: 'account' as const, key, latest: latestOf(use.stored) }],
    )
    const quotas = [...this.#quotas.latest()].flatMap(([key, latest]) =>
      [...this.#sharing(key)].length > 0 ? [] : [{ kind: 'quota' as const, key, latest }],
    )
    const ofProfiles = [...uses, ...refreshes].filter(({ key }) => !this.byUid.has(key))
    return [...ofProfiles, ...accounts, ...quotas]
      .filter(({ latest }) => latest < beforeMs)
      .map(({ kind, key }) => ({ kind, key }))
  }

  /** What is still to be written down stays: it is found again by uid, and by the key of the account. */
  #clear(): void {
    const uses = [...this.byUid].filter(([, entry]) => entry.use.hasAhead)
    const accounts = [...this.#accounts].filter(([, { use }]) => use.hasAhead)
    this.#usedAt = new Map([...this.byUid].map(([uid, { lastUsedMs }]) => [uid, lastUsedMs]))
    this.entries.clear()
    this.byUid.clear()
    this.groups.clear()
    this.refreshes.clear()
    this.#accounts.clear()
    this.#orphans.clear()
    this.#strays.clear()
    this.writers.clear()
    this.#quotas.forgetStored()
    for (const [uid, { use }] of uses) {
      use.forgetStored()
      this.#orphans.set(uid, use)
    }
    for (const [key, { use }] of accounts) {
      use.forgetStored()
      this.#accounts.set(key, { use, members: new Set() })
    }
  }

  #take(change: ProfileChange, now: Date): void {
    switch (change.kind) {
      case 'profile':
        if (change.record === undefined) this.#drop(change.id)
        else this.#put(change.record, now)
        break
      case 'use':
        this.#putUse(change.key, change.value, now)
        break
      case 'refresh':
        this.#putRefresh(change.key, change.value, now)
        break
      case 'account':
        this.#changeAccount(change.key, now, (use) => use.store(change.value))
        break
      case 'last_good':
        this.group(change.key).setLastGood(change.value, now)
        break
      case 'writer':
        this.#putWriter(change.key, change.value, now)
        break
      case 'quota':
        this.#quotas.store(change.key, change.value)
        this.#renewQuota(change.key, now)
    }
  }

  #put(record: ProfileRecord, now: Date): void {
    const known = this.entries.get(record.meta.id)
    // Another profile under the name of one that was removed hears nothing of it.
    if (known !== undefined && known.uid !== record.meta.uid) this.#drop(known.id)
    else if (known !== undefined) {
      this.group(known.provider).change(known, now, () => {
        this.#leaveAccount(known)
        known.replaceRecord(record)
        this.#joinAccount(known)
      })
      return
    }
    const entry = new Entry(record)
    const { uid } = entry
    entry.backoff = this.refreshes.get(uid)?.backoff
    const former = this.byUid.get(uid)
    const use = former?.use ?? this.#orphans.get(uid)
    entry.takeUse(use ?? entry.use, former?.lastUsedMs ?? this.#usedAt.get(uid))
    this.#orphans.delete(uid)
    this.#joinAccount(entry)
    this.entries.set(entry.id, entry)
    this.byUid.set(uid, entry)
    this.group(entry.provider).add(entry, now)
  }

  #drop(id: string): void {
    const entry = this.entries.get(id)
    if (entry === undefined) return
    this.#leaveAccount(entry)
    this.entries.delete(id)
    if (this.byUid.get(entry.uid) === entry) {
      this.byUid.delete(entry.uid)
      if (!entry.use.isUntouched) this.#orphans.set(entry.uid, entry.use)
    }
    this.group(profileProvider(id)).remove(entry)
  }

  #putUse(uid: string, state: ProfileState | undefined, now: Date): void {
    const entry = this.byUid.get(uid)
    if (entry !== undefined) {
      this.group(entry.provider).change(entry, now, () => entry.replaceState(state))
    } else if (state === undefined) {
      this.#orphans.delete(uid)
      this.#strays.delete(uid)
    } else {
      const use = this.#orphans.get(uid) ?? newUse()
      use.store(state)
      this.#orphans.set(uid, use)
    }
  }

  #putRefresh(uid: string, refresh: RefreshState | undefined, now: Date): void {
    if (refresh === undefined) this.refreshes.delete(uid)
    else this.refreshes.set(uid, refresh)
    const entry = this.byUid.get(uid)
    if (entry === undefined || entry.backoff === refresh?.backoff) return
    this.group(entry.provider).change(entry, now, () => {
      entry.backoff = refresh?.backoff
    })
  }

  #putWriter(key: string, value: WriterUse | undefined, now: Date): void {
    if (value === undefined) this.writers.delete(key)
    else this.writers.set(key, value)
    for (const [uid, ms] of Object.entries(value?.usedAt ?? {})) {
      const entry = this.byUid.get(uid)
      if (entry === undefined || ms <= entry.lastUsedMs) continue
      const turn = value?.turns?.[uid]
      this.group(entry.provider).change(entry, now, () => entry.usedElsewhere(ms, turn))
    }
  }

  #changeAccount(key: string, now: Date, change: (use: Account['use']) => void): void {
    const { use, members } = this.#account(key)
    change(use)
    for (const entry of members) {
      this.group(entry.provider).change(entry, now, () => {
        entry.accountStats = use.value
      })
    }
  }

  #account(key: string): Account {
    let account = this.#accounts.get(key)
    if (account === undefined) {
      account = { use: new Layered<ProfileUsageStats | undefined>(undefined), members: new Set() }
      this.#accounts.set(key, account)
    }
    return account
  }

  #joinAccount(entry: Entry): void {
    const name = entry.record.meta.account
    entry.quotaState = this.#quotas.value(entry.quotaKey)
    if (name === undefined) {
      entry.accountStats = undefined
      return
    }
    const account = this.#account(accountKey(entry.provider, name))
    account.members.add(entry)
    entry.accountStats = account.use.value
  }

  #leaveAccount(entry: Entry): void {
    const name = entry.record.meta.account
    if (name === undefined) return
    const key = accountKey(entry.provider, name)
    const account = this.#accounts.get(key)
    account?.members.delete(entry)
    if (account?.members.size === 0 && account.use.isUntouched && !account.use.hasAhead)
      this.#accounts.delete(key)
  }
}

/** The latest instant of anything that is remembered, in epoch milliseconds; 0 where there is none. */
function latestOf({ lastUsed, lastFailureAt, cooldownUntil, disabledUntil }: ProfileUsageStats): number {
  const instants = [lastUsed, lastFailureAt, cooldownUntil, disabledUntil]
  return Math.max(0, ...instants.map((instant) => instant?.getTime() ?? 0))
}
