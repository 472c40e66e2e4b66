import type { Affinity } from '../domain/affinity.js'
import { KeymuxError } from '../domain/errors.js'
import type {
  CallOptions,
  FailureOptions,
  ProfilePreference,
  ProfileResolutionResult,
  ResolutionOptions,
} from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import type {
  AddOptions,
  ChangeOptions,
  ImportedUsage,
  NewProfile,
  NotedFailure,
  OutcomeReport,
  ProfilePatch,
  Profiles,
  ProfileView,
  QuotaOptions,
  SuccessOptions,
  ViewFilter,
} from '../domain/profiles.js'
import type { QuotaWindow } from '../domain/quota.js'
import type { Refusals } from '../domain/refusals.js'
import type { FailureReason, OutcomeOrigin, ProfileUsageStats } from '../domain/usage.js'
import { StoredAffinity } from './affinity.js'
import { CandidateSource } from './candidates.js'
import { Checks } from './checks.js'
import { ProfileEdits } from './edits.js'
import type { NativeProfiles, OfferingManager } from './native.js'
import { Outcomes } from './outcomes.js'
import { type ManagerConfig, ProfileIndex } from './profile-index.js'
import { StoredRefusals } from './refusals.js'
import { Trials } from './trials.js'
import { UseWriter } from './use-writer.js'
import { passesFilter, viewOf } from './views.js'

export type { ManagerConfig } from './profile-index.js'

/**
 * The profiles of one vault: everything in memory for choosing, everything durable before it is
 * acknowledged. Failures and owners' changes are written at once, noted outcomes some milliseconds later, times of
 * use at most a second later.
 */
export class StoredProfiles implements Profiles, OfferingManager {
  readonly #index: ProfileIndex
  readonly #edits: ProfileEdits
  readonly #outcomes: Outcomes
  readonly #uses: UseWriter
  readonly #trials: Trials
  readonly native: NativeProfiles
  /** Absent where nothing outlives the process. */
  readonly affinity: Affinity | undefined
  /** Absent where nothing outlives the process. */
  readonly refusals: Refusals | undefined

  constructor(config: ManagerConfig) {
    const index = new ProfileIndex(config, (entries, last) => this.#uses.write(entries, last))
    this.#index = index
    this.#edits = new ProfileEdits(index)
    this.#uses = new UseWriter(index)
    this.#trials = new Trials(index)
    const hash = config.backend.digest?.bind(config.backend)
    this.affinity = hash && new StoredAffinity(index, hash)
    const refusals = hash && new StoredRefusals(index, hash)
    this.refusals = refusals
    this.#outcomes = new Outcomes(index, refusals)
    this.native = {
      candidates: new CandidateSource(index),
      refreshes: {
        backend: config.backend,
        now: () => index.now(),
        find: (id) => index.mustFind(id),
        entries: () => index.catalogue.entries.values(),
        refreshOf: (uid) => index.catalogue.refreshes.get(uid),
      },
      checks: new Checks(index),
      claimTrial: (id, options) => this.#trials.claim(id, options),
    }
  }

  async get(id: string, options: CallOptions = {}): Promise<AuthProfile | undefined> {
    await this.#index.ready(options)
    return this.#index.find(id)?.freshProfile()
  }

  async getByProvider(
    provider: string,
    preference: ProfilePreference = 'valid',
    options: CallOptions = {},
  ): Promise<AuthProfile[]> {
    await this.#index.ready(options)
    const group = this.#index.catalogue.groups.get(provider.toLowerCase())
    if (group === undefined) return []
    group.advance(this.#index.now().getTime())
    const ordered = group.ordered(preference)
    const usable = ordered.filter((entry) => entry.standing.state === 'available')
    const others = ordered.filter((entry) => entry.standing.state !== 'available')
    return [...usable, ...others].map((entry) => entry.freshProfile())
  }

  async list(options: CallOptions = {}): Promise<AuthProfile[]> {
    await this.#index.ready(options)
    return this.#index.sorted().map((entry) => entry.freshProfile())
  }

  async resolve(request: ResolutionOptions, options: CallOptions = {}): Promise<ProfileResolutionResult> {
    return this.native.candidates.resolve(request, options)
  }

  async markUsed(id: string, options: CallOptions = {}): Promise<void> {
    await this.#index.ready(options)
    this.#index.used(this.#index.mustFind(id))
  }

  async markFailure(id: string, reason: FailureReason, options: FailureOptions = {}): Promise<void> {
    await this.reportFailure(id, reason, options)
  }

  async isInCooldown(id: string, options: CallOptions = {}): Promise<boolean> {
    await this.#index.ready(options)
    const { state } = this.#index.look(this.#index.mustFind(id)).standing
    return state === 'cooling' || state === 'disabled'
  }

  async view(id: string, options: CallOptions = {}): Promise<ProfileView> {
    await this.#index.ready(options)
    const entry = this.#index.look(this.#index.mustFind(id))
    return viewOf(entry, this.#index.now(), this.#index.config.providers)
  }

  async views(filter: ViewFilter = {}, options: CallOptions = {}): Promise<ProfileView[]> {
    await this.#index.ready(options)
    const now = this.#index.now()
    const providers = [...this.#index.catalogue.groups.keys()].sort()
    return providers.flatMap((provider) => {
      const group = this.#index.catalogue.group(provider)
      group.advance(now.getTime())
      return group
        .ordered('valid')
        .filter((entry) => passesFilter(entry, filter))
        .map((entry) => viewOf(entry, now, this.#index.config.providers))
    })
  }

  async stats(id: string, options: CallOptions = {}): Promise<ProfileUsageStats> {
    await this.#index.ready(options)
    return structuredClone(this.#index.mustFind(id).stateWithUse().stats)
  }

  damaged(): readonly string[] {
    return this.#index.catalogue.damaged
  }

  /** What a profile is filed under, whatever it is called; the id itself of one that is not there. */
  uidOf(id: string): string {
    return this.#index.find(id)?.uid ?? id
  }

  /** Writes down outcomes and times of use that are still in memory. */
  async flush(): Promise<void> {
    await this.#index.outcomes.flush()
    await this.#index.uses.flush()
    await this.#index.quotas.flush()
    for (const log of Object.values(this.#index.segments)) await log.flush()
  }

  /**
   * Writes down what is left and stops the timers. Outcomes and times of use that cannot be written (a full
   * disk, a read-only one) are no reason to fail: whoever asked for a credential has it.
   */
  async close(): Promise<void> {
    const { outcomes, uses, quotas, config, segments } = this.#index
    for (const log of [...Object.values(segments), quotas, outcomes, uses]) {
      try {
        await log.close()
      } catch (error) {
        config.logger?.warn('not everything that is known of the profiles could be written', {
          code: error instanceof KeymuxError ? error.code : 'unknown',
        })
      }
    }
  }

  save(profile: AuthProfile, options: CallOptions = {}): Promise<void> {
    return this.#edits.save(profile, options)
  }

  change(
    id: string,
    decide: (known: AuthProfile | undefined) => AuthProfile,
    options: ChangeOptions = {},
  ): Promise<AuthProfile> {
    return this.#edits.change(id, decide, options)
  }

  add(input: NewProfile, options: AddOptions = {}): Promise<AuthProfile> {
    return this.#edits.add(input, options)
  }

  importProfile(profile: AuthProfile, usage?: ImportedUsage, options: AddOptions = {}): Promise<void> {
    return this.#edits.importProfile(profile, usage, options)
  }

  requireLogins(options: CallOptions = {}): Promise<string[]> {
    return this.#edits.requireLogins(options)
  }

  update(id: string, patch: ProfilePatch, options: CallOptions = {}): Promise<AuthProfile> {
    return this.#edits.update(id, patch, options)
  }

  rename(id: string, name: string, options: CallOptions = {}): Promise<AuthProfile> {
    return this.#edits.rename(id, name, options)
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#edits.delete(id, options)
  }

  noteRevealed(
    id: string | readonly string[],
    event: 'revealed' | 'exported',
    options: CallOptions = {},
  ): Promise<void> {
    return this.#edits.noteRevealed(id, event, options)
  }

  markError(id: string, error: unknown, options: CallOptions = {}): Promise<void> {
    return this.#outcomes.markError(id, error, options)
  }

  reportFailure(id: string, reason: FailureReason, options: FailureOptions = {}): Promise<OutcomeReport> {
    return this.#outcomes.reportFailure(id, reason, options)
  }

  markSuccess(id: string, options: CallOptions & SuccessOptions = {}): Promise<void> {
    return this.#outcomes.markSuccess(id, options)
  }

  noteFailure(id: string, reason: FailureReason, options: NotedFailure = {}): void {
    this.#outcomes.noteFailure(id, reason, options)
  }

  noteSuccess(id: string, options: SuccessOptions = {}): void {
    this.#outcomes.noteSuccess(id, options)
  }

  noteQuota(id: string, windows: readonly QuotaWindow[], options: QuotaOptions = {}): void {
    const entry = this.#index.find(id)
    if (entry !== undefined) this.#index.quotas.note(entry, windows, options)
  }

  isReplaced(id: string, { generation }: OutcomeOrigin): boolean {
    return (this.#index.find(id)?.record.meta.replacedAt ?? 0) > generation
  }

  clearExpiredCooldowns(options: CallOptions = {}): Promise<boolean> {
    return this.#outcomes.clearExpiredCooldowns(options)
  }

  reset(id?: string, options: CallOptions = {}): Promise<string[]> {
    return this.#outcomes.reset(id, options)
  }
}
