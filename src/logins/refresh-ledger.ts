import { createHash } from 'node:crypto'
import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import type { OAuthCredential } from '../domain/profile.js'
import { isSameVersion } from '../domain/profile.js'
import type { FailureReason } from '../domain/usage.js'
import type { ProfileTransaction, RefreshAttempt, RefreshState, StateChange } from '../profiles/backend.js'
import { longestBackoffMs } from '../profiles/backoff-limit.js'
import type { Entry } from '../profiles/entry.js'
import type { RefreshRecords } from '../profiles/profile-index.js'
import { splitProfile } from '../profiles/record.js'

/** What is to happen to a login that its caller wants renewed. */
export type RefreshStep =
  /** The attempt is recorded: send the request. */
  | { readonly kind: 'go'; readonly oauth: OAuthCredential }
  /** Others have put newer tokens there: no request is needed. */
  | { readonly kind: 'newer'; readonly oauth: OAuthCredential }
  /** Somebody died, or lost sight of his request, with this refresh token in his hands. */
  | { readonly kind: 'wait'; readonly until: Date }
  | { readonly kind: 'backoff'; readonly until: Date; readonly reason: FailureReason }
  /** There is nothing to renew with. */
  | { readonly kind: 'login'; readonly oauth: OAuthCredential }

/** How an attempt failed. */
export interface RefreshFailureFacts {
  readonly reason: FailureReason
  /** When the next try may be after so many failures in a row, this one included. */
  readonly untilAfter: (failures: number) => Date
  /** The outcome is known: the server has not taken the refresh token. Otherwise the attempt stays on record. */
  readonly resolved: boolean
  /** The provider has ended the login. */
  readonly loginEnded: boolean
}

/** What a failed attempt left. */
export type FailureOutcome =
  /** Somebody else has stored newer tokens meanwhile: nothing was written down. */
  | { readonly kind: 'newer'; readonly oauth: OAuthCredential }
  | { readonly kind: 'recorded'; readonly until: Date }

/** Options of {@link Ledger.begin}. */
export interface BeginOptions {
  /** When the request that is about to be sent has certainly ended. */
  readonly deadlineAt: Date
  /** The deadline of an earlier attempt has been waited out. */
  readonly waited: boolean
}

/** Where renewals are written down. {@link RefreshLedger} says what is promised. */
export interface Ledger {
  begin(id: string, seen: OAuthCredential, options: BeginOptions): Promise<RefreshStep>
  complete(id: string, used: OAuthCredential, fresh: OAuthCredential): Promise<OAuthCredential>
  fail(id: string, used: OAuthCredential, failure: RefreshFailureFacts): Promise<FailureOutcome>
  /** What is stored now. */
  stored(id: string): Promise<OAuthCredential>
}

/**
 * The durable side of renewals: attempts, backoffs, and new tokens in the place of old ones. Every step is
 * one transaction that first takes over what other processes wrote, so that what it decides on is the truth.
 */
export class RefreshLedger implements Ledger {
  readonly #parts: RefreshRecords

  constructor(parts: RefreshRecords) {
    this.#parts = parts
  }

  /**
   * Looks at what is stored and, when a request is due, records that it is about to be sent.
   *
   * @param seen what the caller knows; other tokens than these count as newer
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  begin(id: string, seen: OAuthCredential, { deadlineAt, waited }: BeginOptions): Promise<RefreshStep> {
    return this.#parts.backend.transact(async (tx): Promise<RefreshStep> => {
      const entry = this.#parts.find(id)
      const oauth = oauthOf(entry)
      if (!isSameVersion(oauth, seen)) return { kind: 'newer', oauth }
      if (oauth.refreshToken === '' || oauth.loginNeeded === true) return { kind: 'login', oauth }
      const digest = digestOf(oauth.refreshToken)
      const { attempt, backoff } = this.#stateOf(entry)
      const now = this.#parts.now()
      if (backoff !== undefined && isAhead(backoff, now)) return { kind: 'backoff', ...backoff }
      const open = attempt !== undefined && attempt.digest === digest && attempt.deadlineAt > now
      if (open && !waited) return { kind: 'wait', until: attempt.deadlineAt }
      const begun = { digest, startedAt: now, deadlineAt }
      await tx.putState(refreshOf(entry, { attempt: begun, backoff }))
      return { kind: 'go', oauth }
    })
  }

  /**
   * Puts new tokens in the place of those they were got with, unless others stand there by now: then those
   * stay. Windows and runs are left alone: a rate limit holds for the account, whatever its token.
   *
   * @returns what is stored now
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  complete(id: string, used: OAuthCredential, fresh: OAuthCredential): Promise<OAuthCredential> {
    return this.#parts.backend.transact(async (tx) => {
      const entry = this.#follow(id, used)
      const stored = oauthOf(entry)
      if (isOvertaken(stored, { used, fresh })) return stored
      const { loginNeeded: _ended, ...tokens } = fresh
      const { profileName } = stored
      const oauth = { ...tokens, profileName, generation: (stored.generation ?? 0) + 1 }
      await this.#put(tx, entry, oauth)
      await tx.putState(refreshOf(entry, undefined))
      await tx.audit('refreshed', entry.id)
      return oauth
    })
  }

  /**
   * Writes down that an attempt failed, and whether that ended the login. Tokens are never touched.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  fail(id: string, used: OAuthCredential, failure: RefreshFailureFacts): Promise<FailureOutcome> {
    return this.#parts.backend.transact(async (tx): Promise<FailureOutcome> => {
      const entry = this.#follow(id, used)
      const stored = oauthOf(entry)
      if (!isSameVersion(stored, used)) return { kind: 'newer', oauth: stored }
      const { attempt, backoff } = this.#stateOf(entry)
      const { reason, resolved, loginEnded } = failure
      const failures = (backoff?.failures ?? 0) + 1
      const until = failure.untilAfter(failures)
      if (loginEnded) {
        await this.#put(tx, entry, { ...stored, loginNeeded: true })
        await tx.putState(refreshOf(entry, undefined))
      } else {
        const next = { failures, until, reason }
        await tx.putState(refreshOf(entry, { attempt: resolved ? undefined : attempt, backoff: next }))
      }
      await tx.audit('failure', entry.id, `refresh: ${reason}`)
      return { kind: 'recorded', until }
    })
  }

  /**
   * What is stored now, other processes' changes included.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  async stored(id: string): Promise<OAuthCredential> {
    if (this.#parts.backend.stale()) await this.#parts.backend.sync()
    return oauthOf(this.#parts.find(id))
  }

  /** The request that was begun for a profile and whose end nobody has written down. */
  attemptOf(id: string): RefreshAttempt | undefined {
    return this.#stateOf(this.#parts.find(id)).attempt
  }

  async #put(tx: ProfileTransaction, entry: Entry, oauth: OAuthCredential): Promise<void> {
    const updatedAt = this.#parts.now()
    const identity = withoutUndefined({ ...entry.record.meta, generation: oauth.generation })
    const { meta, secrets } = splitProfile({ ...entry.freshProfile(), oauth, updatedAt }, identity)
    await tx.putProfile(meta, secrets)
  }

  /** The profile the tokens were taken from, whatever it is called by now. */
  #follow(id: string, used: OAuthCredential): Entry {
    try {
      return this.#parts.find(id)
    } catch (error) {
      for (const entry of this.#parts.entries()) {
        const { meta } = entry.record
        const same = entry.provider === used.provider && meta.generation === used.generation
        if (same && meta.mode === 'oauth' && isSameVersion(oauthOf(entry), used)) return entry
      }
      throw error
    }
  }

  #stateOf(entry: Entry): RefreshState {
    return this.#parts.refreshOf(entry.uid) ?? {}
  }
}

/**
 * Whether others have put tokens of their own in the place of `used` since `fresh` was got with them. Whoever
 * changed something else and left the refresh token has not: where the server rotates, that one is spent.
 */
export function isOvertaken(
  stored: OAuthCredential,
  { used, fresh }: { readonly used: OAuthCredential; readonly fresh: OAuthCredential },
): boolean {
  if (isSameVersion(stored, used)) return false
  return stored.refreshToken !== used.refreshToken || fresh.refreshToken === used.refreshToken
}

/** What is to be remembered of the renewals of a login. */
function refreshOf(
  { uid }: Entry,
  state: { [K in keyof RefreshState]: RefreshState[K] | undefined } | undefined,
): StateChange {
  return { kind: 'refresh', key: uid, value: state && withoutUndefined(state) }
}

/** The credential as stored, its secrets opened. */
function oauthOf(entry: Entry): OAuthCredential {
  const { oauth, mode } = entry.freshProfile()
  if (mode !== 'oauth' || oauth === undefined) {
    throw new KeymuxError('unsupported_mode', `${entry.id} holds no OAuth login`, {
      hint: `run keymux login ${entry.id}`,
    })
  }
  return { ...oauth }
}

/** Whether the wait is not over. One longer than any can be comes from a clock that was wrong. */
function isAhead({ until, reason }: { until: Date; reason: FailureReason }, now: Date): boolean {
  const left = until.getTime() - now.getTime()
  return left > 0 && left <= longestBackoffMs(reason)
}

function digestOf(refreshToken: string): string {
  return createHash('sha256').update(refreshToken).digest('hex')
}
