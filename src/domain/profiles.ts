import type { CallOptions, FailureOptions, ProfileManager } from './ports.js'
import type { AuthMode, AuthProfile, OAuthCredential } from './profile.js'
import type { QuotaWindow } from './quota.js'
import type {
  Certainty,
  FailureReason,
  FailureScope,
  OutcomeOrigin,
  ProfileUsageStats,
  Told,
  UnusableReason,
} from './usage.js'

/**
 * What can be said of a profile at an instant: `off` was switched off by its owner, `invalid` has no
 * credential (or needs a login), `expired` cannot be renewed, `disabled` and `cooling` wait for a time, a login
 * whose renewal failed among them.
 */
export type ProfileState = 'available' | 'cooling' | 'disabled' | 'off' | 'expired' | 'invalid'

/**
 * What is known of a window: a documented code, type or header led to it, or somebody's own word (`stated`); wording or a
 * status alone (`presumed`); the provider's cheap check has said so since (`confirmed`).
 */
export type WindowCertainty = Certainty | 'confirmed'

/** What it is known by that a profile is set aside. */
export interface EvidenceView {
  readonly certainty?: WindowCertainty
  /** What a presumption was told by. */
  readonly told?: Told
  /** The check that confirmed it, such as `GET /models`, and when. */
  readonly checkedBy?: string
  readonly checkedAt?: Date
  /** When a presumption is put to the check again, where some process does that. */
  readonly nextCheckAt?: Date
}

/** One model that is set aside on a profile. */
export interface ModelCooldownView {
  readonly model: string
  readonly until: Date
  readonly reason: UnusableReason
  readonly certainty: WindowCertainty
}

/** One model for which a profile is asked after others, because its answers broke off. */
export interface BehindView {
  /** Empty for requests that name no model. */
  readonly model: string
  readonly until: Date
}

/** A profile as people and agents see it: everything but its secrets. */
export interface ProfileView extends EvidenceView {
  readonly id: string
  readonly provider: string
  readonly name: string
  readonly mode: AuthMode
  readonly enabled: boolean
  readonly valid: boolean
  /** The access token or token has passed its expiry (it may still be renewable). */
  readonly expired: boolean
  readonly email?: string
  readonly priority: number
  readonly account?: string
  readonly models?: readonly string[]
  readonly baseUrl?: string
  readonly pool?: string
  readonly concurrency?: number
  readonly weight?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly proxy?: string
  /** The reference the secret is read from, when it is not kept in the profile itself. */
  readonly reference?: string
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly lastUsedAt?: Date
  readonly lastError?: string
  readonly lastErrorAt?: Date
  readonly expiresAt?: Date
  /** Whether an OAuth profile can be renewed: there is a refresh token, a token endpoint and a client id. */
  readonly renewable?: boolean
  /** Counts the credentials that an OAuth profile has had: renewals and logins. */
  readonly generation?: number
  /** When a failed renewal is tried again, and why it failed. */
  readonly renewal?: { readonly retryAt: Date; readonly reason: FailureReason }
  /** What its owner can do about a login that is not renewed, as a phrase. */
  readonly renewalHint?: string
  /** Whether an OAuth profile waits for `keymux login`. */
  readonly loginNeeded?: boolean
  readonly scopes?: readonly string[]
  readonly state: ProfileState
  readonly unusableUntil?: Date
  readonly unusableReason?: UnusableReason
  readonly modelCooldowns: readonly ModelCooldownView[]
  /** Absent where there is none. */
  readonly behind?: readonly BehindView[]
  /** What is left of its limits, as answers said, the tightest first. Absent where nothing is known. */
  readonly quota?: readonly QuotaWindow[]
  readonly errorCount: number
  readonly failureCounts: Readonly<Partial<Record<FailureReason, number>>>
  readonly lastGood: boolean
}

/** What `add` takes. Exactly one way of giving the secret, or none for an OAuth profile that logs in later. */
export interface NewProfile {
  readonly provider: string
  /** `default` when absent. */
  readonly name?: string | undefined
  /** The provider's first mode when absent. */
  readonly mode?: AuthMode | undefined
  /** The API key or token itself. */
  readonly secret?: string | undefined
  /** `vault://NAME`, `env://VAR`, `file:///path`, `exec://…`. */
  readonly reference?: string | undefined
  readonly oauth?: Omit<OAuthCredential, 'provider' | 'profileName'> | undefined
  readonly expiresAt?: Date | undefined
  readonly priority?: number | undefined
  readonly enabled?: boolean | undefined
  readonly account?: string | undefined
  readonly models?: readonly string[] | undefined
  readonly baseUrl?: string | undefined
  readonly pool?: string | undefined
  readonly concurrency?: number | undefined
  readonly weight?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly proxy?: string | undefined
}

/** What `update` may change. `undefined` leaves a field alone, `null` clears it. */
export interface ProfilePatch {
  readonly enabled?: boolean | undefined
  readonly priority?: number | undefined
  readonly account?: string | null | undefined
  readonly models?: readonly string[] | null | undefined
  readonly baseUrl?: string | null | undefined
  readonly pool?: string | null | undefined
  readonly concurrency?: number | null | undefined
  readonly weight?: number | null | undefined
  readonly headers?: Readonly<Record<string, string>> | null | undefined
  readonly proxy?: string | null | undefined
}

/** What a reported outcome meant. */
export interface OutcomeReport {
  readonly profileId: string
  readonly reason: FailureReason
  readonly scope: FailureScope
  readonly certainty: Certainty
  readonly state: ProfileState
  readonly unusableUntil?: Date
}

/** What accompanies a failure that is noted. */
export interface NotedFailure extends Omit<FailureOptions, 'signal'> {
  /**
   * The answer broke off after content: the profile goes behind others for this model, for 30 s doubling to 5 min.
   * `stated` where an error in the answer says why: then the reason has its own effect besides; otherwise it is only
   * counted.
   */
  readonly brokeOff?: 'stated' | 'unstated' | undefined
  /**
   * Another account has served what this one refused: what tells the conversation from others. After three different ones
   * without a success of the model the profile goes behind others for it, for 60 s doubling to 1 h.
   */
  readonly servedElsewhere?: string | undefined
}

/** What accompanies a success. */
export interface SuccessOptions {
  /** The model that answered. */
  readonly model?: string | undefined
  /** Which credential the request was sent with. Absent: the present one. */
  readonly origin?: OutcomeOrigin | undefined
}

/** What accompanies quota windows. */
export interface QuotaOptions {
  /** Which credential the request was sent with. Absent: the present one. */
  readonly origin?: OutcomeOrigin | undefined
}

/** Filter of views. */
export interface ViewFilter {
  readonly provider?: string | undefined
  readonly mode?: AuthMode | undefined
  readonly enabled?: boolean | undefined
}

/** Options of `add`. */
export interface AddOptions extends CallOptions {
  /**
   * Replace an existing profile of the same id instead of refusing: its credential. Settings that are not given stay as
   * they are; windows and runs of another credential are lifted.
   */
  readonly replace?: boolean | undefined
}

/** What another program remembers of a profile's use. */
export interface ImportedUsage {
  readonly stats: ProfileUsageStats
  /** It served its provider last. */
  readonly lastGood: boolean
}

/** Options of `change`. */
export interface ChangeOptions extends CallOptions {
  /** What the audit calls it. Default: `created` or `changed`. */
  readonly event?: 'login' | 'logout' | undefined
}

/** The manager of a handle: the seed's {@link ProfileManager} and what the surfaces need. */
export interface Profiles extends ProfileManager {
  /** @throws KeymuxError `profile_exists`, `invalid_secret`, `unsupported_mode`, `unknown_provider`, … */
  add(profile: NewProfile, options?: AddOptions): Promise<AuthProfile>
  /**
   * Takes over a profile of another program as it is, with what is remembered of its use.
   *
   * @throws KeymuxError `profile_exists`, `unknown_provider`, …
   */
  importProfile(profile: AuthProfile, usage?: ImportedUsage, options?: AddOptions): Promise<void>
  /** Marks every OAuth login as ended, because its tokens may be used up elsewhere. Gives the ids. */
  requireLogins(options?: CallOptions): Promise<string[]>
  /**
   * Puts what `decide` gives in the place of what is stored, in one step: nobody's change comes in between.
   * What it throws changes nothing. A changed credential lifts windows and runs.
   */
  change(
    id: string,
    decide: (known: AuthProfile | undefined) => AuthProfile,
    options?: ChangeOptions,
  ): Promise<AuthProfile>
  /** @throws KeymuxError `profile_not_found` */
  update(id: string, patch: ProfilePatch, options?: CallOptions): Promise<AuthProfile>
  /** Renames within the provider; usage, windows and last-good go along. @throws KeymuxError `profile_exists` */
  rename(id: string, name: string, options?: CallOptions): Promise<AuthProfile>
  /** A success: ends runs of failures, lifts a disable, sets last-good. */
  markSuccess(id: string, options?: CallOptions & SuccessOptions): Promise<void>
  /**
   * {@link Profiles.markSuccess} and {@link Profiles.reportFailure} for those who cannot wait for the disk: it
   * counts here at once, and is written down together with others some 5 ms later, or when the handle is
   * closed. What cannot be written is kept and tried again. A profile that is gone is passed over. Whoever
   * calls has cut the profile's own secret out of the message; what looks like a secret is cut out here.
   */
  noteSuccess(id: string, options?: SuccessOptions): void
  noteFailure(id: string, reason: FailureReason, options?: NotedFailure): void
  /**
   * Notes what is left of the profile's limits, as `readQuota` read it from the headers of an answer. It counts here at
   * once and is written down with others a second later. A profile that is gone is passed over, and so is what was read
   * with a credential that was replaced or reset since.
   */
  noteQuota(id: string, windows: readonly QuotaWindow[], options?: QuotaOptions): void
  /** Whether the profile has another credential by now than the one that a request was sent with, put there by hand. */
  isReplaced(id: string, origin: OutcomeOrigin): boolean
  /** Records a failure and tells what it meant. */
  reportFailure(id: string, reason: FailureReason, options?: FailureOptions): Promise<OutcomeReport>
  /** Clears windows and runs of one profile, or of all; totals stay. Gives the ids that had something to clear. */
  reset(id?: string, options?: CallOptions): Promise<string[]>
  /** @throws KeymuxError `profile_not_found` */
  view(id: string, options?: CallOptions): Promise<ProfileView>
  /** Views by provider, then in the order of choice. Opens no secret. */
  views(filter?: ViewFilter, options?: CallOptions): Promise<ProfileView[]>
  /** A copy of the usage statistics. @throws KeymuxError `profile_not_found` */
  stats(id: string, options?: CallOptions): Promise<ProfileUsageStats>
  /** Records that its secret was shown or exported; for several in one step. */
  noteRevealed(
    id: string | readonly string[],
    event: 'revealed' | 'exported',
    options?: CallOptions,
  ): Promise<void>
  /** Ids of records that could not be read, as opaque hexadecimal. */
  damaged(): readonly string[]
}
