import type { ProfileId } from '../domain/ids.js'
import { profileName, profileProvider } from '../domain/ids.js'
import type { AuthMode, AuthProfile } from '../domain/profile.js'
import type { QuotaState } from '../domain/quota.js'
import type {
  OutcomeOrigin,
  ProfileCooldownConfig,
  ProfileUsageStats,
  UnusableReason,
} from '../domain/usage.js'
import { newUsageStats } from '../domain/usage.js'
import type { RenewalObstacle } from '../oauth/renewable.js'
import { isBehind } from '../policy/behind.js'
import { modelAllowed } from '../policy/model-globs.js'
import { QuotaFacts } from '../policy/quota-facts.js'
import { servableUntil } from '../policy/refresh-due.js'
import { isRefusing } from '../policy/refused.js'
import type { RenewalWait, Standing } from '../policy/standing.js'
import { modelWindow, standing } from '../policy/standing.js'
import { judgedFor } from '../policy/verdicts.js'
import { clampWindows, type Window } from '../policy/windows.js'
import type { ProfileState, RefreshState } from './backend.js'
import { longestBackoffMs } from './backoff-limit.js'
import { Layered } from './layered.js'
import type { ProfileMeta, ProfileRecord } from './record.js'
import { toProfile } from './record.js'

/** What standing depends on besides the profile. */
export interface StandingContext {
  readonly config: ProfileCooldownConfig
  /** What keeps every login from being renewed here, or this one; `undefined` when nothing does. */
  readonly obstacle: (provider: string, clientId: string | undefined) => RenewalObstacle | undefined
  /** Another number once {@link StandingContext.obstacle} may say something else. Absent: it never does. */
  readonly version?: () => number
  /** Called when impossible windows were cut, so that the cut is written down. */
  readonly onCut: (entry: Entry) => void
  /** The share of a quota window that is kept back at a provider, in percent. Absent: 0. */
  readonly reserve?: ((provider: string) => number) | undefined
}

const AVAILABLE: Standing = { state: 'available', expired: false }
const NEVER_USED: ProfileState = { stats: newUsageStats() }
const NO_MODELS: readonly string[] = []

/**
 * One profile in memory: its record, the memory of its use, and what follows from them at the last look.
 * The fields from `id` to `lastGood` are the sort key of the orders of choice: they change only while the
 * entry is out of every ordered list.
 */
export class Entry {
  readonly id: ProfileId
  readonly provider: string
  readonly name: string
  record: ProfileRecord
  /** What is remembered of its use. */
  use: Layered<ProfileState> = newUse()
  accountStats: ProfileUsageStats | undefined
  /** What is known of its limits, or of its account's. */
  quotaState: QuotaState | undefined
  /** The wait after renewals that failed. */
  backoff: RefreshState['backoff']

  mode: AuthMode
  priority: number
  valid = false
  lastUsedMs = 0
  lastGood = false
  turn = 0
  /** What is left of its limits, since the last look. */
  quota: QuotaFacts | undefined

  /** What can be said of it since the last look. */
  standing: Standing = { state: 'invalid', expired: false }
  /** What keeps an OAuth login from ever being renewed, since the last look. */
  obstacle: RenewalObstacle | undefined
  /** Whether a use has not been written down yet. */
  unflushed = false
  /** Models, and globs of models, that it serves in another way than others, since the last look. */
  models: readonly string[] = NO_MODELS
  /** Whether windows were cut that are stored as they were. */
  isCut = false
  #profile: AuthProfile | undefined
  #origin: OutcomeOrigin | undefined
  #modelChangeMs = Number.POSITIVE_INFINITY

  constructor(record: ProfileRecord) {
    this.id = record.meta.id
    this.provider = profileProvider(record.meta.id)
    this.name = profileName(record.meta.id)
    this.record = record
    this.mode = record.meta.mode
    this.priority = record.meta.priority
  }

  /** What it is filed under, whatever it is called. */
  get uid(): string {
    return this.record.meta.uid
  }

  /** Its share of the requests under the preference `weighted`. */
  get weight(): number {
    return this.record.meta.weight ?? 1
  }

  /** What its limits are filed under. */
  get quotaKey(): string {
    const { account, uid } = this.record.meta
    return account === undefined ? uid : accountKey(this.provider, account)
  }

  /** In which epoch a reading of its limits counts. */
  get quotaEpoch(): number {
    const stats = this.record.meta.account === undefined ? this.use.value.stats : this.accountStats
    return stats?.epoch ?? 0
  }

  /** When something about it changes by the passing of time alone, in epoch milliseconds. */
  get nextChangeMs(): number {
    const standing = this.standing.nextChangeAt?.getTime() ?? Number.POSITIVE_INFINITY
    return Math.min(standing, this.quota?.nextChangeMs ?? Number.POSITIVE_INFINITY, this.#modelChangeMs)
  }

  /** Takes over what is remembered of a profile that had another name, or was not there yet. */
  takeUse(use: Layered<ProfileState>, lastUsedMs = 0): void {
    this.use = use
    this.turn = Math.max(this.state.stats.turn ?? 0, this.turn)
    this.lastUsedMs = Math.max(this.state.stats.lastUsed?.getTime() ?? 0, lastUsedMs)
    this.#profile = undefined
  }

  /** Takes a newer record of the same profile. */
  replaceRecord(record: ProfileRecord): void {
    this.record = record
    this.mode = record.meta.mode
    this.priority = record.meta.priority
    this.#profile = undefined
  }

  /** Takes a newer memory of use. The time of use only grows: one not yet written down is kept. */
  replaceState(state: ProfileState | undefined): void {
    this.use.store(state ?? NEVER_USED)
    this.turn = Math.max(this.state.stats.turn ?? 0, this.turn)
    this.lastUsedMs = Math.max(this.state.stats.lastUsed?.getTime() ?? 0, this.lastUsedMs)
    this.#profile = undefined
  }

  /** Takes a time of use that another process knows of. */
  usedElsewhere(ms: number, turn = 0): void {
    if (turn > this.turn) this.turn = turn
    if (ms <= this.lastUsedMs) return
    this.lastUsedMs = ms
    this.#profile = undefined
  }

  /** Changes what is ahead of the stored memory of use. */
  changeUse(change: (use: Layered<ProfileState>) => void): void {
    change(this.use)
    this.#profile = undefined
  }

  /** The memory of use as it counts here: what was said of an earlier credential does not. */
  get state(): ProfileState {
    const { value } = this.use
    const { generation } = this.record.meta
    if (value.stats.generation === undefined || generation === undefined) return value
    const stats = judgedFor(value.stats, generation)
    return stats === value.stats ? value : { ...value, stats }
  }

  /** What the outcome of a request speaks of that is sent now. The same object until that changes. */
  get origin(): OutcomeOrigin {
    const generation = this.record.meta.generation ?? 0
    const epoch = this.use.value.stats.epoch ?? 0
    const accountEpoch = this.accountStats?.epoch ?? 0
    const known = this.#origin
    const same =
      known?.generation === generation && known.epoch === epoch && known.accountEpoch === accountEpoch
    if (same) return known
    this.#origin = { generation, epoch, accountEpoch }
    return this.#origin
  }

  /** What a transaction writes: the memory of use that it builds upon, with the latest time of use. */
  stateWithUse(stats: ProfileUsageStats = this.use.base.stats): ProfileState {
    return this.#used({ ...this.use.base, stats })
  }

  /** What is stored, under some of the changes that are ahead of it, with the latest time of use. */
  stateWith(changes: ReadonlySet<unknown>): ProfileState {
    return this.#used(this.use.with(changes))
  }

  #used(state: ProfileState): ProfileState {
    if (this.lastUsedMs === 0) return state
    const stats = { ...state.stats, lastUsed: new Date(this.lastUsedMs) }
    return { ...state, stats: this.turn === 0 ? stats : { ...stats, turn: this.turn } }
  }

  /** Works out the standing at `now`. */
  look(now: Date, context: StandingContext): void {
    const { meta } = this.record
    if (this.#isPlain()) {
      this.quota = undefined
      this.models = NO_MODELS
      this.#modelChangeMs = Number.POSITIVE_INFINITY
      this.standing = AVAILABLE
      this.valid = true
      return
    }
    this.#cutImpossibleWindows(now, context)
    this.quota = this.quotaFacts(now, context)
    this.#lookAtModels(now)
    this.obstacle = meta.mode === 'oauth' ? context.obstacle(this.provider, meta.clientId) : undefined
    this.standing = standing(
      {
        provider: this.provider,
        enabled: meta.enabled,
        mode: meta.mode,
        hasCredential:
          meta.loginNeeded !== true && (meta.hasSecret || meta.reference !== undefined || meta.hasRefresh),
        renewable: meta.hasRefresh && this.obstacle === undefined,
        expiresAt: meta.expiresAt,
        stats: this.state.stats,
        accountStats: this.accountStats,
        renewal: this.backoff && renewalWait(meta, this.backoff),
        quotaUntil: this.quota?.asideUntil,
      },
      now,
    )
    this.valid =
      this.standing.state !== 'off' && this.standing.state !== 'invalid' && this.standing.state !== 'expired'
  }

  /** What is known of its limits at `now`; `undefined` where that is nothing. */
  quotaFacts(
    now: Date,
    context: StandingContext,
    state: QuotaState | undefined = this.quotaState,
  ): QuotaFacts | undefined {
    if (state === undefined || state.epoch < this.quotaEpoch) return undefined
    return new QuotaFacts(state.windows, now.getTime(), context.reserve?.(this.provider) ?? 0)
  }

  #lookAtModels(now: Date): void {
    const nowMs = now.getTime()
    const windows = [this.state.stats, this.accountStats].flatMap((stats) =>
      Object.entries(stats?.modelCooldowns ?? {}).filter(([, { until }]) => until.getTime() > nowMs),
    )
    this.#modelChangeMs = Math.min(...windows.map(([, { until }]) => until.getTime()))
    const names = [...windows.map(([model]) => model), ...(this.quota?.models ?? [])]
    this.models = names.length === 0 ? NO_MODELS : [...new Set(names)]
  }

  /** A clock that was wrong may have left windows longer than any can be: they are cut once, for good. */
  #cutImpossibleWindows(now: Date, context: StandingContext): void {
    const limits = { provider: this.provider, config: context.config }
    const { stored } = this.use
    const stats = clampWindows(stored.stats, now, limits)
    const shared = this.accountStats && clampWindows(this.accountStats, now, limits)
    if (stats === stored.stats && shared === this.accountStats) return
    this.use.store({ ...stored, stats })
    this.accountStats = shared
    this.isCut = true
    context.onCut(this)
  }

  /** Whether nothing but its owner can change its standing: true for almost all of many profiles. */
  #isPlain(): boolean {
    const { meta } = this.record
    const { stats } = this.state
    return (
      meta.enabled &&
      meta.expiresAt === undefined &&
      meta.mode !== 'oauth' &&
      (meta.hasSecret || meta.reference !== undefined) &&
      stats.cooldownUntil === undefined &&
      stats.disabledUntil === undefined &&
      stats.modelCooldowns === undefined &&
      this.accountStats === undefined &&
      this.quotaState === undefined
    )
  }

  /** Whether it may, and can at present, serve `model`. */
  serves(model: string, now: Date): boolean {
    if (!modelAllowed(this.record.meta.models, model)) return false
    const window = this.modelWindow(model, now)
    // A presumption costs nobody his only account.
    return window === undefined || isPresumedMissing(window)
  }

  /**
   * Whether it is asked after others for this model: its answers broke off, it refuses what others serve, or it is
   * presumed not to have it.
   */
  isBehind(model: string | undefined, nowMs: number): boolean {
    const { behind, refused, modelCooldowns } = this.use.value.stats
    if (behind === undefined && refused === undefined && modelCooldowns === undefined) return false
    const { stats } = this.state
    const now = new Date(nowMs)
    if (isBehind(stats, model, now) || isRefusing(stats, model, now)) return true
    const window = model === undefined ? undefined : this.modelWindow(model, now)
    return window !== undefined && isPresumedMissing(window)
  }

  /** The window that sets `model` aside on this profile or its account: the latest. */
  modelWindow(
    model: string,
    now: Date,
  ): (Omit<Window, 'reason'> & { readonly reason: UnusableReason }) | undefined {
    const failed = modelWindow(this.state.stats, this.accountStats, model, now)
    const until = this.quota?.modelAsideUntil(model)
    if (until === undefined || until <= now) return failed
    return failed !== undefined && failed.until >= until ? failed : { until, reason: 'quota' }
  }

  /** The profile as its users see it; the same object until something about it changes. */
  profile(): AuthProfile {
    this.#profile ??= this.freshProfile()
    return this.#profile
  }

  /** The profile with the latest time of use. */
  freshProfile(): AuthProfile {
    return toProfile(this.record, {
      lastUsedAt: this.lastUsedMs === 0 ? undefined : new Date(this.lastUsedMs),
      lastError: this.state.lastError,
      lastErrorAt: this.state.lastErrorAt,
    })
  }
}

/** The memory of use of a profile that was never used. */
export function newUse(): Layered<ProfileState> {
  return new Layered(NEVER_USED)
}

/** A failed renewal stands in nobody's way as long as the access token is good. */
function renewalWait(
  meta: ProfileMeta,
  { until, reason }: NonNullable<RefreshState['backoff']>,
): RenewalWait | undefined {
  if (meta.mode !== 'oauth') return undefined
  const { expiresAt = 0, issuedAt } = meta
  const lifetimeMs = issuedAt === undefined ? undefined : expiresAt - issuedAt
  return {
    servableUntil: meta.hasSecret ? servableUntil(new Date(expiresAt), lifetimeMs).getTime() : 0,
    from: until.getTime() - longestBackoffMs(reason),
    until,
    reason,
  }
}

/** The key under which profiles of one provider and account share windows. */
export function accountKey(provider: string, account: string): string {
  return `${provider}\u0000${account}`
}

/** Whether a model is set aside because wording or a status alone says that the account does not have it. */
function isPresumedMissing({
  reason,
  presumed,
}: {
  readonly reason: UnusableReason
  readonly presumed?: boolean
}): boolean {
  return presumed === true && reason === 'model_not_found'
}
