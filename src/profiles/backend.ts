import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import type { ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'

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

/** One thing that is different now. `undefined` means it is gone. */
export type ProfileChange =
  | { readonly kind: 'profile'; readonly id: string; readonly record: ProfileRecord | undefined }
  | { readonly kind: 'state'; readonly uid: string; readonly state: ProfileState | undefined }
  | { readonly kind: 'refresh'; readonly uid: string; readonly refresh: RefreshState | undefined }
  | { readonly kind: 'account'; readonly key: string; readonly stats: ProfileUsageStats | undefined }
  | { readonly kind: 'last_good'; readonly provider: string; readonly uid: string | undefined }

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

/** What is remembered, by what it is filed under. */
export type StateValue =
  | { readonly kind: 'profile'; readonly uid: string; readonly state: ProfileState }
  | { readonly kind: 'account'; readonly key: string; readonly stats: ProfileUsageStats }
  | { readonly kind: 'last_good'; readonly provider: string; readonly uid: string }

/** A change of something that is remembered, on its own: without a transaction and without a line of audit. */
export interface StateEdit {
  readonly of:
    | Pick<StateValue & { kind: 'profile' }, 'kind' | 'uid'>
    | Pick<StateValue & { kind: 'account' }, 'kind' | 'key'>
    | Pick<StateValue & { kind: 'last_good' }, 'kind' | 'provider'>
  /**
   * What it is to be, given all that the sink has been told; `undefined` leaves it. Asked again when another process
   * was quicker.
   */
  readonly next: () => StateValue | undefined
  /** Called once it has come through, before the sink hears of it. */
  readonly done?: (() => void) | undefined
}

/** The writing side of a backend's transaction. Nothing takes effect unless the whole transaction does. */
export interface ProfileTransaction {
  /** Gives what is stored; its uid is the one to file the profile's state under. */
  putProfile(meta: ProfileMeta, secrets: ProfileSecrets): Promise<ProfileRecord>
  /** @param uid forget what is remembered of its use as well, which is filed under this */
  deleteProfile(id: string, uid?: string): Promise<void>
  /** `undefined` forgets it. */
  putState(uid: string, state: ProfileState | undefined): Promise<void>
  /** `undefined` forgets it. */
  putRefresh(uid: string, refresh: RefreshState | undefined): Promise<void>
  putAccount(key: string, stats: ProfileUsageStats | undefined): Promise<void>
  putLastGood(provider: string, uid: string | undefined): Promise<void>
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
  /** Sets who is told. Called once, before anything else. */
  connect(sink: (delta: ProfileDelta) => void): void
}
