import type { QuotaState } from '../domain/quota.js'
import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import type { Proof } from '../policy/proofs.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'
import type { Segment } from './segments.js'

/** What is remembered of one profile's use, stored apart from the profile itself. */
export interface ProfileState {
  readonly stats: ProfileUsageStats
  readonly lastError?: string
  readonly lastErrorAt?: Date
  /** When a use by a surface was last written to the audit, in epoch milliseconds. */
  readonly auditedUses?: Readonly<Record<string, number>>
}

/** What is remembered of the renewals of one OAuth profile. All times are the clock's. */
export interface RefreshState {
  /** A request that was begun, and of whose outcome nothing is known. */
  readonly attempt?: RefreshAttempt
  /** Set by failures in a row; gone after a success, a login, or a reset. */
  readonly backoff?: {
    readonly failures: number
    readonly until: Date
    readonly reason: FailureReason
  }
}

/** A request for new tokens that is, or was, under way. */
export interface RefreshAttempt {
  /** SHA-256 of the refresh token that it spends, in hexadecimal. */
  readonly digest: string
  /** When it was recorded, just before it was sent. */
  readonly startedAt: Date
  /** When it has certainly ended, whatever became of it. */
  readonly deadlineAt: Date
}

/** What is remembered beside the profiles, by its kind. */
export interface StateValues {
  /** The use of a profile, by its uid. */
  readonly use: ProfileState
  /** The renewals of a login, by its profile's uid. */
  readonly refresh: RefreshState
  /** What profiles of one account share, by `accountKey`. */
  readonly account: ProfileUsageStats
  /** The uid of the profile that last worked, by provider. */
  readonly last_good: string
  /** When profiles were last used by one process that lives long, by what it calls itself. */
  readonly writer: WriterUse
  /** Whose objects those are that upstream answers named, in segments by number. */
  readonly owners: Segment
  /** Who served conversations, in segments by number. */
  readonly conversations: Segment
  /** Which endpoints of checks refuse made-up keys, by a digest of each; all of them under the empty key. */
  readonly proofs: Readonly<Record<string, Proof>>
  /** What is left of the limits of a profile, by its uid, or of an account, by `accountKey`. */
  readonly quota: QuotaState
  /** What accounts have refused, in segments by number. */
  readonly refusals: Segment
}

/** What is kept in segments. */
export type SegmentKind = 'owners' | 'conversations' | 'refusals'

/** What one process that lives long knows of the use of profiles. */
export interface WriterUse {
  /** When it wrote that down, in epoch milliseconds. */
  readonly at: number
  /** The last use of each profile, in epoch milliseconds, by uid. */
  readonly usedAt: Readonly<Record<string, number>>
  /** How far each has come in the order of `weighted`, by uid. */
  readonly turns?: Readonly<Record<string, number>>
}

/** What something that is remembered is filed under. */
export interface StateKey {
  readonly kind: keyof StateValues
  readonly key: string
}

/** Something that is remembered, as it is now; `undefined` where it is forgotten. */
export type StateChange = {
  readonly [K in keyof StateValues]: {
    readonly kind: K
    readonly key: string
    readonly value: StateValues[K] | undefined
  }
}[keyof StateValues]

/** One thing that is different now: a profile, which is `undefined` where it is gone, or what is remembered. */
export type ProfileChange =
  | { readonly kind: 'profile'; readonly id: string; readonly record: ProfileRecord | undefined }
  | StateChange

/** Changes in the order in which they took effect. */
export interface ProfileDelta {
  /** When true, everything known before is void. */
  readonly full: boolean
  readonly changes: readonly ProfileChange[]
  /** Opaque names of records that exist and cannot be read. */
  readonly damaged?: readonly string[]
}

/** Something worth an audit line. */
export type AuditEvent =
  | 'created'
  | 'changed'
  | 'renamed'
  | 'removed'
  | 'revealed'
  | 'exported'
  | 'imported'
  | 'used'
  | 'refreshed'
  | 'login'
  | 'logout'
  | 'failure'
  | 'success'
  | 'reset'

/** A change of something that is remembered, on its own: without a transaction and without a line of audit. */
export interface StateEdit {
  readonly of: StateKey
  /**
   * What it is to be, given all that the sink has been told; `undefined` leaves it. Asked again when another process
   * was quicker.
   */
  readonly next: () => StateChange | undefined
  /** Called once it has come through, before the sink hears of it. */
  readonly done?: (() => void) | undefined
}

/** The writing side of a backend's transaction. Nothing takes effect unless the whole transaction does. */
export interface ProfileTransaction {
  /** Gives what is stored; its uid is the one to file the profile's state under. */
  putProfile(meta: ProfileMeta, secrets: ProfileSecrets): Promise<ProfileRecord>
  deleteProfile(id: string): Promise<void>
  putState(change: StateChange): Promise<void>
  /** Removes what is remembered under a key that is never used again. */
  forget(of: StateKey): Promise<void>
  audit(event: AuditEvent, subject: string, detail?: string): Promise<void>
}

/**
 * Where a manager keeps its profiles. The manager holds the index in memory; the backend tells it of every
 * change, its own and other processes', through the sink.
 */
export interface ProfileBackend {
  isUnlocked(): boolean
  /** Whether {@link ProfileBackend.sync} might bring news. Synchronous and cheap: asked at every resolution. */
  stale(): boolean
  /** Reads what changed elsewhere into the sink. The first call brings everything. */
  sync(): Promise<void>
  /**
   * Runs `body` as the only writer, after feeding the sink with what others changed. Own changes reach the
   * sink once they are durable and before the promise resolves.
   */
  transact<T>(body: (tx: ProfileTransaction) => Promise<T>): Promise<T>
  /** Changes what is remembered, each on its own. Durable when it resolves; the sink has been told by then. */
  changeState(edits: readonly StateEdit[]): Promise<void>
  /** Whether a record lies under this id that cannot be read. Absent where none is ever damaged. */
  damages?(id: string): boolean
  /** A keyed hash that stays the same: 16 bytes. Absent where nothing outlives the process. */
  digest?(text: string): Buffer
  /** Sets who is told. Called once, before anything else. */
  connect(sink: (delta: ProfileDelta) => void): void
}
