import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName, quote } from '../domain/ids.js'
import type {
  CallOptions,
  Clock,
  FailureOptions,
  Logger,
  ProfilePreference,
  ProfileResolutionResult,
  Random,
  ResolutionOptions,
} from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import { redactSecrets } from '../domain/redact.js'
import type { FailureReason, ProfileCooldownConfig, ProfileUsageStats } from '../domain/usage.js'
import { newUsageStats } from '../domain/usage.js'
import { applyFailure, applyReset, applySuccess, applyTrial } from '../policy/failure.js'
import { clampWindows, clearExpiredWindows } from '../policy/windows.js'
import type { ProfileBackend, ProfileState, ProfileTransaction } from './backend.js'
import { CandidateSource } from './candidates.js'
import { accountKey, Catalogue } from './catalogue.js'
import type { Entry } from './entry.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'
import { credentialChanged, splitProfile } from './record.js'
import type { ReferenceReader } from './references.js'
import { RefreshLedger } from './refresh-ledger.js'
import type {
  AddOptions,
  ImportedUsage,
  NewProfile,
  OutcomeReport,
  ProfilePatch,
  Profiles,
  ProfileView,
  ViewFilter,
} from './types.js'
import { UseLog } from './use-log.js'
import type { ProviderLookup } from './validate.js'
import { buildProfile, checkProfile } from './validate.js'
import { passesFilter, viewOf } from './views.js'

/** What a manager is made of. */
export interface ManagerConfig {
  readonly backend: ProfileBackend
  readonly providers: ProviderLookup
  readonly clock: Clock
  readonly random: Random
  readonly readReference: ReferenceReader
  readonly cooldown?: ProfileCooldownConfig
  readonly logger?: Logger
  /** Whether expired OAuth logins can be renewed by whoever resolves. Default false. */
  readonly canRefresh?: boolean
  /** Who uses the profiles, for the audit. Default `library`. */
  readonly surface?: string
}

const MAX_STORED_MESSAGE = 500
/** A line of audit for each hour in which a surface used a profile: one for each use would fill the disk. */
const AUDIT_USE_EVERY_MS = 3_600_000

/**
 * The profiles of one vault: everything in memory for choosing, everything durable before it is
 * acknowledged. Failures and owners' changes are written at once; times of use at most a second later.
 */
export class StoredProfiles implements Profiles {
  readonly #config: ManagerConfig
  readonly #catalogue: Catalogue
  readonly #uses: UseLog
  /** What resolvers choose from. */
  readonly candidates: CandidateSource
  /** Where renewals of logins are written down. */
  readonly refreshes: RefreshLedger

  constructor(config: ManagerConfig) {
    this.#config = config
    this.#uses = new UseLog((entries) => this.#writeUses(entries), config.logger)
    this.#catalogue = new Catalogue({
      config: config.cooldown ?? {},
      canRefresh: config.canRefresh ?? false,
      onCut: (entry) => this.#uses.add(entry),
    })
    this.candidates = new CandidateSource({
      backend: config.backend,
      catalogue: this.#catalogue,
      clock: config.clock,
      uses: this.#uses,
      readReference: config.readReference,
      sync: () => this.#sync(),
    })
    this.refreshes = new RefreshLedger({
      backend: config.backend,
      now: () => this.#now(),
      find: (id) => this.#mustFind(id),
      entries: () => this.#catalogue.entries.values(),
      refreshOf: (id) => this.#catalogue.refreshes.get(id),
    })
    config.backend.connect((delta) => this.#catalogue.apply(delta, this.#now()))
  }

  async get(id: string, options: CallOptions = {}): Promise<AuthProfile | undefined> {
    await this.#ready(options)
    return this.#find(id)?.freshProfile()
  }

  async getByProvider(
    provider: string,
    preference: ProfilePreference = 'valid',
    options: CallOptions = {},
  ): Promise<AuthProfile[]> {
    await this.#ready(options)
    const group = this.#catalogue.groups.get(provider.toLowerCase())
    if (group === undefined) return []
    group.advance(this.#now().getTime())
    const ordered = group.ordered(preference)
    const usable = ordered.filter((entry) => entry.standing.state === 'available')
    const others = ordered.filter((entry) => entry.standing.state !== 'available')
    return [...usable, ...others].map((entry) => entry.freshProfile())
  }

  async list(options: CallOptions = {}): Promise<AuthProfile[]> {
    await this.#ready(options)
    return this.#sorted().map((entry) => entry.freshProfile())
  }

  async resolve(request: ResolutionOptions, options: CallOptions = {}): Promise<ProfileResolutionResult> {
    return this.candidates.resolve(request, options)
  }

  async save(profile: AuthProfile, options: CallOptions = {}): Promise<void> {
    checkProfile(profile, this.#config.providers)
    await this.#transact(options, async (tx) => {
      const known = this.#find(profile.id)
      refuseOutdated(profile, known)
      await this.#store(tx, { ...profile, updatedAt: this.#now() }, known)
      await tx.audit(known === undefined ? 'created' : 'changed', profile.id)
    })
  }

  async change(
    id: string,
    decide: (known: AuthProfile | undefined) => AuthProfile,
    options: CallOptions = {},
  ): Promise<AuthProfile> {
    await this.#transact(options, async (tx) => {
      const known = this.#find(id)
      const profile = decide(known?.freshProfile())
      checkProfile(profile, this.#config.providers)
      await this.#store(tx, { ...profile, updatedAt: this.#now() }, known)
      await tx.audit(known === undefined ? 'created' : 'changed', profile.id)
    })
    return this.#mustFind(id).freshProfile()
  }

  async add(input: NewProfile, options: AddOptions = {}): Promise<AuthProfile> {
    const profile = buildProfile(input, this.#config.providers, this.#now())
    await this.#transact(options, async (tx) => {
      const known = this.#find(profile.id)
      if (known !== undefined && options.replace !== true) {
        throw new KeymuxError('profile_exists', `${profile.id} exists already`, {
          hint: 'use --replace to overwrite it, or another name',
        })
      }
      const createdAt = known === undefined ? profile.createdAt : new Date(known.record.meta.createdAt)
      await this.#store(tx, { ...profile, createdAt }, known)
      await tx.audit(known === undefined ? 'created' : 'changed', profile.id)
    })
    return this.#mustFind(profile.id).freshProfile()
  }

  async importProfile(profile: AuthProfile, usage?: ImportedUsage, options: AddOptions = {}): Promise<void> {
    checkProfile(profile, this.#config.providers)
    const secrets = Object.values(splitProfile(profile).secrets)
    const { lastError } = profile
    const clean =
      lastError === undefined ? profile : { ...profile, lastError: cleanMessage(lastError, secrets) }
    await this.#transact(options, async (tx) => {
      const known = this.#find(profile.id)
      if (known !== undefined && options.replace !== true) {
        throw new KeymuxError('profile_exists', `${profile.id} exists already`, {
          hint: 'use --replace to overwrite it',
        })
      }
      await this.#store(tx, clean, known)
      if (usage !== undefined) await tx.putState(profile.id, importedState(clean, usage.stats))
      if (usage?.lastGood === true) await tx.putLastGood(profile.provider, profile.id)
      await tx.audit('imported', profile.id)
    })
  }

  async requireLogins(options: CallOptions = {}): Promise<string[]> {
    return this.#transact(options, async (tx) => {
      const ids: string[] = []
      for (const { id, record } of this.#sorted()) {
        const { meta } = record
        if (meta.mode !== 'oauth' || meta.loginNeeded === true || !(meta.hasSecret || meta.hasRefresh))
          continue
        const secrets = secretsUnlessDamaged(record)
        if (secrets === undefined) continue
        await tx.putProfile({ ...meta, loginNeeded: true, updatedAt: this.#now().getTime() }, secrets)
        await tx.audit('changed', id, 'login_needed')
        ids.push(id)
      }
      return ids
    })
  }

  async update(id: string, patch: ProfilePatch, options: CallOptions = {}): Promise<AuthProfile> {
    await this.#transact(options, async (tx) => {
      const profile = patched(this.#mustFind(id).freshProfile(), patch)
      checkProfile(profile, this.#config.providers)
      await this.#store(tx, { ...profile, updatedAt: this.#now() }, this.#find(id))
      await tx.audit('changed', profile.id, Object.keys(patch).join(','))
    })
    return this.#mustFind(id).freshProfile()
  }

  async rename(id: string, name: string, options: CallOptions = {}): Promise<AuthProfile> {
    let renamedId = ''
    await this.#transact(options, async (tx) => {
      const entry = this.#mustFind(id)
      const fresh = newProfileId(entry.provider, parseProfileName(name))
      renamedId = fresh
      if (fresh === entry.id) return
      if (this.#find(fresh) !== undefined) {
        throw new KeymuxError('profile_exists', `${fresh} exists already`, { hint: 'choose another name' })
      }
      const { lastUsedAt: _used, lastError: _error, lastErrorAt: _at, ...profile } = entry.freshProfile()
      const oauth = profile.oauth === undefined ? {} : { oauth: { ...profile.oauth, profileName: name } }
      const { meta, secrets } = splitProfile({
        ...profile,
        ...oauth,
        id: fresh,
        name,
        updatedAt: this.#now(),
      })
      await tx.putProfile(meta, secrets)
      await tx.putState(fresh, stateWithUse(entry))
      await tx.putRefresh(fresh, this.#catalogue.refreshes.get(entry.id))
      await tx.putRefresh(entry.id, undefined)
      if (entry.lastGood) await tx.putLastGood(entry.provider, fresh)
      await tx.deleteProfile(entry.id)
      await tx.putState(entry.id, undefined)
      await tx.audit('renamed', entry.id, fresh)
    })
    return this.#mustFind(renamedId).freshProfile()
  }

  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transact(options, async (tx) => {
      const entry = this.#mustFind(id)
      await tx.deleteProfile(entry.id)
      await tx.putState(entry.id, undefined)
      await tx.putRefresh(entry.id, undefined)
      if (entry.lastGood) await tx.putLastGood(entry.provider, undefined)
      await tx.audit('removed', entry.id)
    })
  }

  async markUsed(id: string, options: CallOptions = {}): Promise<void> {
    await this.#ready(options)
    this.candidates.used(this.#mustFind(id))
  }

  async markError(id: string, error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#transact(options, async (tx) => {
      const entry = this.#mustFind(id)
      const message = error instanceof Error ? error.message : String(error)
      await tx.putState(entry.id, { ...stateWithUse(entry), ...this.#lastError(entry, message) })
    })
  }

  async markFailure(id: string, reason: FailureReason, options: FailureOptions = {}): Promise<void> {
    await this.reportFailure(id, reason, options)
  }

  async reportFailure(
    id: string,
    reason: FailureReason,
    options: FailureOptions = {},
  ): Promise<OutcomeReport> {
    const scope = await this.#transact(options, async (tx) => {
      const entry = this.#mustFind(id)
      const effect = {
        now: this.#now(),
        provider: entry.provider,
        config: this.#config.cooldown ?? {},
        random: this.#config.random,
        ...(options.model === undefined ? {} : { model: options.model }),
        ...(options.retryAfterMs === undefined ? {} : { retryAfterMs: options.retryAfterMs }),
      }
      const outcome = applyFailure(entry.state.stats, reason, effect)
      await tx.putState(entry.id, {
        ...stateWithUse(entry, outcome.stats),
        ...(options.message === undefined ? {} : this.#lastError(entry, options.message)),
      })
      // Limits and unpaid bills belong to the account: its other keys wait as well.
      const account = entry.record.meta.account
      if (account !== undefined && (reason === 'rate_limit' || reason === 'billing')) {
        const shared = this.#catalogue.accountStats(entry.provider, account)
        const stats = applyFailure(shared ?? { errorCount: 0, failureCounts: {} }, reason, effect).stats
        await tx.putAccount(accountKey(entry.provider, account), stats)
      }
      await tx.audit('failure', entry.id, reason)
      return outcome.scope
    })
    const entry = this.#mustFind(id)
    const { state, until } = entry.standing
    const modelUntil =
      options.model === undefined ? undefined : entry.modelWindow(options.model, this.#now())?.until
    const unusableUntil = until ?? modelUntil
    return {
      profileId: entry.id,
      reason,
      scope,
      state,
      ...(unusableUntil === undefined ? {} : { unusableUntil }),
    }
  }

  async markSuccess(id: string, options: CallOptions & { readonly model?: string } = {}): Promise<void> {
    await this.#ready(options)
    const entry = this.#mustFind(id)
    this.candidates.used(entry)
    if (!this.#successTellsNews(entry, options.model)) return
    await this.#transact(options, async (tx) => {
      const found = this.#mustFind(id)
      const success = { now: this.#now(), ...(options.model === undefined ? {} : { model: options.model }) }
      const { lastError: _message, lastErrorAt: _at, ...state } = stateWithUse(found)
      await tx.putState(found.id, { ...state, stats: applySuccess(state.stats, success) })
      const account = found.record.meta.account
      if (account !== undefined && found.accountStats !== undefined) {
        await tx.putAccount(accountKey(found.provider, account), applySuccess(found.accountStats, success))
      }
      if (!found.lastGood) await tx.putLastGood(found.provider, found.id)
      await tx.audit('success', found.id)
    })
  }

  /**
   * Whether one request may go out with this disabled profile now, to see whether the disable still holds.
   * At most one per 10 minutes may, whichever process asks; the answer is durable before it is given.
   */
  async claimTrial(id: string, options: CallOptions = {}): Promise<boolean> {
    return this.#transact(options, async (tx) => {
      const entry = this.#find(id)
      if (entry === undefined || this.#look(entry).standing.state !== 'disabled') return false
      const stats = applyTrial(entry.state.stats, this.#now())
      if (stats === undefined) return false
      await tx.putState(entry.id, stateWithUse(entry, stats))
      return true
    })
  }

  async isInCooldown(id: string, options: CallOptions = {}): Promise<boolean> {
    await this.#ready(options)
    const { state } = this.#look(this.#mustFind(id)).standing
    return state === 'cooling' || state === 'disabled'
  }

  async clearExpiredCooldowns(options: CallOptions = {}): Promise<boolean> {
    await this.#ready(options)
    const now = this.#now()
    const cleared = (stats: ProfileUsageStats, provider: string): ProfileUsageStats =>
      clearExpiredWindows(clampWindows(stats, now, { provider, config: this.#config.cooldown }), now)
    const due = [...this.#catalogue.entries.values()].filter(
      (entry) => cleared(entry.state.stats, entry.provider) !== entry.state.stats,
    )
    if (due.length === 0) return false
    await this.#transact(options, async (tx) => {
      for (const { id } of due) {
        const entry = this.#find(id)
        if (entry !== undefined)
          await tx.putState(id, stateWithUse(entry, cleared(entry.state.stats, entry.provider)))
      }
    })
    return true
  }

  async reset(id?: string, options: CallOptions = {}): Promise<string[]> {
    return this.#transact(options, async (tx) => {
      const entries = id === undefined ? this.#sorted() : [this.#mustFind(id)]
      const changed: string[] = []
      for (const entry of entries) {
        const refresh = this.#catalogue.refreshes.get(entry.id)
        const backing = refresh?.backoff !== undefined
        if (!isHeld(entry.state.stats) && !isHeld(entry.accountStats) && !backing) continue
        if (backing) await tx.putRefresh(entry.id, refresh.attempt && { attempt: refresh.attempt })
        await tx.putState(entry.id, stateWithUse(entry, applyReset(entry.state.stats)))
        const account = entry.record.meta.account
        if (account !== undefined && entry.accountStats !== undefined) {
          await tx.putAccount(accountKey(entry.provider, account), applyReset(entry.accountStats))
        }
        await tx.audit('reset', entry.id)
        changed.push(entry.id)
      }
      return changed
    })
  }

  async view(id: string, options: CallOptions = {}): Promise<ProfileView> {
    await this.#ready(options)
    const entry = this.#look(this.#mustFind(id))
    return viewOf(entry, this.#now(), this.#catalogue.refreshes.get(entry.id))
  }

  async views(filter: ViewFilter = {}, options: CallOptions = {}): Promise<ProfileView[]> {
    await this.#ready(options)
    const now = this.#now()
    const providers = [...this.#catalogue.groups.keys()].sort()
    return providers.flatMap((provider) => {
      const group = this.#catalogue.group(provider)
      group.advance(now.getTime())
      return group
        .ordered('valid')
        .filter((entry) => passesFilter(entry, filter))
        .map((entry) => viewOf(entry, now, this.#catalogue.refreshes.get(entry.id)))
    })
  }

  async stats(id: string, options: CallOptions = {}): Promise<ProfileUsageStats> {
    await this.#ready(options)
    return structuredClone(stateWithUse(this.#mustFind(id)).stats)
  }

  async noteRevealed(
    id: string | readonly string[],
    event: 'revealed' | 'exported',
    options: CallOptions = {},
  ): Promise<void> {
    await this.#transact(options, async (tx) => {
      for (const each of [id].flat()) await tx.audit(event, this.#mustFind(each).id)
    })
  }

  damaged(): readonly string[] {
    return this.#catalogue.damaged
  }

  /** Writes down times of use that are still in memory. */
  async flush(): Promise<void> {
    await this.#uses.flush()
  }

  /**
   * Writes down what is left and stops the timers. Times of use that cannot be written (a full disk, a
   * read-only one) are no reason to fail: whoever asked for a credential has it.
   */
  async close(): Promise<void> {
    try {
      await this.#uses.close()
    } catch (error) {
      this.#config.logger?.warn('times of use could not be written', {
        code: error instanceof KeymuxError ? error.code : 'unknown',
      })
    }
  }

  async #writeUses(entries: readonly Entry[]): Promise<void> {
    if (!this.#config.backend.isUnlocked()) return
    const surface = this.#config.surface ?? 'library'
    const nowMs = this.#now().getTime()
    await this.#config.backend.transact(async (tx) => {
      for (const { id } of entries) {
        const entry = this.#find(id)
        if (entry === undefined) continue
        const state = stateWithUse(entry)
        const audited = state.auditedUses?.[surface]
        const due = audited === undefined || Math.abs(nowMs - audited) > AUDIT_USE_EVERY_MS
        const auditedUses = { ...state.auditedUses, [surface]: nowMs }
        await tx.putState(id, due ? { ...state, auditedUses } : state)
        await this.#writeCutAccount(tx, entry)
        if (due) await tx.audit('used', id)
      }
    })
  }

  async #writeCutAccount(tx: ProfileTransaction, entry: Entry): Promise<void> {
    const { account } = entry.record.meta
    if (account === undefined || entry.accountStats === undefined) return
    if (entry.accountStats === this.#catalogue.accountStats(entry.provider, account)) return
    await tx.putAccount(accountKey(entry.provider, account), entry.accountStats)
  }

  /** Stores a profile; a changed credential lifts what was held against the old one. */
  async #store(tx: ProfileTransaction, profile: AuthProfile, known: Entry | undefined): Promise<void> {
    const { meta, secrets } = splitProfile(profile)
    const changed =
      known !== undefined && credentialChanged(known.record, { meta, openSecrets: () => secrets })
    await tx.putProfile(withGeneration(meta, known, changed), secrets)
    const usedAt = profile.lastUsedAt
    if (known === undefined) {
      if (usedAt === undefined && profile.lastError === undefined) return
      await tx.putState(profile.id, importedState(profile))
    } else if (changed) {
      await tx.putRefresh(profile.id, undefined)
      const { lastError: _message, lastErrorAt: _at, ...state } = stateWithUse(known)
      await tx.putState(profile.id, { ...state, stats: applyReset(state.stats) })
    }
  }

  #successTellsNews(entry: Entry, model: string | undefined): boolean {
    return (
      !entry.lastGood ||
      entry.state.lastError !== undefined ||
      disproves(entry.state.stats, model) ||
      disproves(entry.accountStats, model)
    )
  }

  #lastError(entry: Entry, message: string): { lastError: string; lastErrorAt: Date } {
    const lastError = cleanMessage(message, Object.values(entry.record.openSecrets()))
    return { lastError, lastErrorAt: this.#now() }
  }

  async #transact<T>(options: CallOptions, body: (tx: ProfileTransaction) => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted()
    return this.#config.backend.transact(body)
  }

  async #ready(options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#config.backend.stale()) await this.#sync()
  }

  async #sync(): Promise<void> {
    await this.#config.backend.sync()
  }

  #look(entry: Entry): Entry {
    this.#catalogue.group(entry.provider).advance(this.#now().getTime())
    return entry
  }

  #sorted(): Entry[] {
    return [...this.#catalogue.entries.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  }

  #find(id: string): Entry | undefined {
    const colon = id.lastIndexOf(':')
    const normal = colon < 0 ? newProfileId(id) : newProfileId(id.slice(0, colon), id.slice(colon + 1))
    return this.#catalogue.entries.get(normal)
  }

  #mustFind(id: string): Entry {
    const entry = this.#find(id)
    if (entry !== undefined) return entry
    throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
      hint: 'see keymux list',
    })
  }

  #now(): Date {
    return new Date(Number(this.#config.clock.now()))
  }
}

/** Metadata that counts the credentials of an OAuth profile: other tokens are another generation. */
function withGeneration(meta: ProfileMeta, known: Entry | undefined, changed: boolean): ProfileMeta {
  const { generation: _callers, ...rest } = meta
  if (meta.mode !== 'oauth') return rest
  const before = known?.record.meta.generation ?? 0
  const first = known === undefined && (meta.hasSecret || meta.hasRefresh)
  const generation = first || changed ? before + 1 : before
  return generation === 0 ? rest : { ...rest, generation }
}

/**
 * Refuses to put tokens back that have been renewed since the profile was read: they are used up.
 *
 * @throws KeymuxError `conflict`
 */
function refuseOutdated(profile: AuthProfile, known: Entry | undefined): void {
  const [given, stored] = [profile.oauth?.generation, known?.record.meta.generation]
  if (given === undefined || stored === undefined || given >= stored) return
  throw new KeymuxError('conflict', `the login of ${profile.id} was renewed after it had been read`, {
    hint: 'read the profile again, then change it',
  })
}

/** The entry's memory of use with the latest time of use, and other statistics where given. */
function stateWithUse(entry: Entry, stats: ProfileUsageStats = entry.state.stats): ProfileState {
  if (entry.lastUsedMs === 0) return { ...entry.state, stats }
  return { ...entry.state, stats: { ...stats, lastUsed: new Date(entry.lastUsedMs) } }
}

/** Whether there is a window or a run to lift. */
function isHeld(stats: ProfileUsageStats | undefined): boolean {
  if (stats === undefined) return false
  return (
    stats.cooldownUntil !== undefined ||
    stats.disabledUntil !== undefined ||
    Object.keys(stats.modelCooldowns ?? {}).length > 0 ||
    Object.keys(stats.runs ?? {}).length > 0
  )
}

/** Whether a success would change more than the time of use. */
function disproves(stats: ProfileUsageStats | undefined, model: string | undefined): boolean {
  if (stats === undefined) return false
  return (
    stats.disabledUntil !== undefined ||
    Object.keys(stats.runs ?? {}).length > 0 ||
    (model !== undefined && stats.modelCooldowns?.[model] !== undefined)
  )
}

/** A message that may be stored: on one line, without secrets, not too long. */
function cleanMessage(message: string, secrets: readonly (string | undefined)[]): string {
  const known = secrets.filter((text) => text !== undefined)
  return redactSecrets(message, known)
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, MAX_STORED_MESSAGE)
}

function secretsUnlessDamaged(record: ProfileRecord): ProfileSecrets | undefined {
  try {
    return record.openSecrets()
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return undefined
    throw error
  }
}

function importedState(profile: AuthProfile, stats: ProfileUsageStats = newUsageStats()): ProfileState {
  return {
    stats: {
      ...stats,
      ...(stats.lastUsed !== undefined || profile.lastUsedAt === undefined
        ? {}
        : { lastUsed: profile.lastUsedAt }),
    },
    ...(profile.lastError === undefined ? {} : { lastError: profile.lastError }),
    ...(profile.lastErrorAt === undefined ? {} : { lastErrorAt: profile.lastErrorAt }),
  }
}

function patched(profile: AuthProfile, patch: ProfilePatch): AuthProfile {
  const { account, models, baseUrl, ...kept } = profile
  return {
    ...kept,
    ...(patch.enabled === undefined ? {} : { enabled: patch.enabled }),
    ...(patch.priority === undefined ? {} : { priority: patch.priority }),
    ...optional('account', account, patch.account),
    ...optional('models', models, patch.models),
    ...optional('baseUrl', baseUrl, patch.baseUrl),
  }
}

/** A field as it shall be: `undefined` leaves it, `null` clears it. */
function optional<K extends string, V>(
  key: K,
  before: V | undefined,
  change: V | null | undefined,
): { [P in K]?: V } {
  const value = change === undefined ? before : (change ?? undefined)
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
}
