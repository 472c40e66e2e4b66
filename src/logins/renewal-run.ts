import type { Clock, Logger, OAuthTokenRefresher } from '../domain/ports.js'
import type { OAuthCredential, OAuthToken } from '../domain/profile.js'
import { isSameAccount, mergeRefreshedCredential } from '../domain/profile.js'
import { startDeadline } from '../egress/deadline.js'
import { OAuthError } from '../oauth/errors.js'
import { backoffMs } from '../policy/backoff.js'
import { longestBackoffMs } from '../profiles/backoff-limit.js'
import type { RefreshLocks } from '../storage/locks.js'
import type { SpillPlace } from '../vault/unsaved-tokens.js'
import { refreshFailureOf } from './refresh-failure.js'
import type { Ledger } from './refresh-ledger.js'
import { anotherAccount, backingOff, loginNeeded, renewalFailed, stillLocked } from './renewal-errors.js'
import type { RenewalTiming } from './renewal-timing.js'
import { servableUntilMs } from './renewal-timing.js'
import { sleep } from './sleep.js'
import { TokenKeeper } from './token-keeper.js'

/** What one renewal works with. */
export interface RunParts {
  readonly ledger: Ledger
  readonly locks: RefreshLocks
  readonly lockName: (profileId: string) => string
  readonly refresher: OAuthTokenRefresher
  readonly clock: Clock
  readonly timing: RenewalTiming
  readonly spill?: SpillPlace | undefined
  readonly logger?: Logger | undefined
  /** Fires when waiting shall end; a request under way goes on. */
  readonly closing: AbortSignal
}

const BACKOFF = { baseMs: 5_000, maxMs: 60_000 } as const

/** One renewal from the lock to the stored tokens. */
export class RenewalRun {
  readonly #parts: RunParts
  readonly #keeper: TokenKeeper
  #requests = 0

  constructor(parts: RunParts) {
    this.#parts = parts
    this.#keeper = new TokenKeeper(parts)
  }

  /** Requests that are about to be sent, or sent, and not yet dealt with to the end. */
  get requests(): number {
    return this.#requests
  }

  /**
   * New tokens in the place of `seen`, by one request at most; others' newer ones where there are some.
   *
   * @param forced not content with a token that is still good
   */
  async renew(id: string, seen: OAuthCredential, forced: boolean): Promise<OAuthCredential> {
    const { locks, lockName, timing, closing } = this.#parts
    const patient = forced || !this.#isServable(seen)
    const options = { timeoutMs: patient ? timing.lockWaitMs : 0, signal: closing }
    const lock = await locks.acquire(lockName(id), options)
    if (lock === undefined) {
      if (!patient) return seen
      throw stillLocked(id)
    }
    try {
      return await this.#holding(id, seen, forced)
    } finally {
      await lock.release()
    }
  }

  /** Stores what earlier renewals could not. For the holder of the profile's lock. */
  async recover(id: string, seen: OAuthCredential): Promise<void> {
    await this.#keeper.recover(id, seen)
  }

  async #holding(id: string, seen: OAuthCredential, forced: boolean): Promise<OAuthCredential> {
    const kept = await this.#keeper.recover(id, seen)
    if (kept !== undefined && this.#isServable(kept)) return kept
    const present = kept ?? seen
    const content = !forced && this.#isServable(present)
    let waited = false
    for (;;) {
      this.#parts.closing.throwIfAborted()
      const deadlineAt = new Date(this.#nowMs() + this.#parts.timing.hardDeadlineMs)
      const step = await this.#parts.ledger.begin(id, present, { deadlineAt, waited })
      if (step.kind === 'go') return this.#counted(() => this.#request(id, step.oauth, forced))
      if (step.kind === 'newer' && this.#isServable(step.oauth)) return step.oauth
      if (step.kind === 'newer') return this.#holding(id, step.oauth, forced)
      if (step.kind === 'login') throw loginNeeded(id)
      if (content) return present
      if (step.kind === 'backoff') throw backingOff(id, step)
      await this.#waitOut(step.until)
      // Its sender may have had no other place to put the answer: under another name it holds another lock.
      const late = await this.#keeper.recover(id, present)
      if (late !== undefined) return this.#isServable(late) ? late : this.#holding(id, late, forced)
      waited = true
    }
  }

  /** Waits for the end of somebody else's request. A clock that was set back cannot make that longer. */
  async #waitOut(until: Date): Promise<void> {
    const left = Math.min(until.getTime() - this.#nowMs(), this.#parts.timing.hardDeadlineMs)
    await sleep(Math.max(0, left), this.#parts.clock, this.#parts.closing)
  }

  async #counted<T>(request: () => Promise<T>): Promise<T> {
    this.#requests += 1
    try {
      return await request()
    } finally {
      this.#requests -= 1
    }
  }

  async #request(id: string, used: OAuthCredential, forced: boolean): Promise<OAuthCredential> {
    const startedMs = this.#nowMs()
    let fresh: OAuthCredential
    try {
      fresh = this.#accepted(id, used, await this.#ask(id, used))
    } catch (error) {
      return this.#failed(id, used, error, { startedMs, forced })
    }
    return this.#keeper.keep(id, used, fresh)
  }

  /** Exactly one request; the refresher's signal fires first, and nobody is waited for beyond the hard deadline. */
  async #ask(id: string, used: OAuthCredential): Promise<OAuthToken> {
    const { refresher, timing } = this.#parts
    const controller = new AbortController()
    const tooLate = (): OAuthError =>
      new OAuthError('refresh_failed', 'the provider did not answer in time', {
        reason: 'timeout',
        delivery: 'unknown',
      })
    const stopAbort = startDeadline(timing.requestMs, () => controller.abort(tooLate()))
    let stopWaiting = (): void => {}
    try {
      return await Promise.race([
        refresher.refreshToken(used.provider, used.refreshToken, {
          profileId: id,
          signal: controller.signal,
          clientId: used.clientId,
          clientSecretRef: used.clientSecretRef,
          scopes: used.scopes,
          metadata: used.metadata,
        }),
        new Promise<never>((_, reject) => {
          stopWaiting = startDeadline(timing.hardDeadlineMs, () => reject(tooLate()))
        }),
      ])
    } finally {
      stopAbort()
      stopWaiting()
    }
  }

  /** What will be stored. Looks at nothing that could be wrong with the answer but whose it is. */
  #accepted(id: string, used: OAuthCredential, fresh: OAuthToken): OAuthCredential {
    if (typeof fresh.accessToken !== 'string' || fresh.accessToken === '') {
      throw new OAuthError('refresh_failed', 'the provider gave no access token', {
        reason: 'server_error',
        delivery: 'answered',
      })
    }
    if (!isSameAccount(used, fresh)) {
      throw anotherAccount(id)
    }
    // A refresher's own clock may be ahead of ours: nothing was issued in the future.
    const issuedAt = new Date(Math.min(fresh.issuedAt?.getTime() ?? this.#nowMs(), this.#nowMs()))
    return mergeRefreshedCredential(used, { ...fresh, issuedAt })
  }

  async #failed(
    id: string,
    used: OAuthCredential,
    error: unknown,
    { startedMs, forced }: { readonly startedMs: number; readonly forced: boolean },
  ): Promise<OAuthCredential> {
    const { ledger, timing } = this.#parts
    const { reason, delivery, retryAfterMs } = refreshFailureOf(error)
    const loginEnded = reason === 'session_expired'
    const resolved = delivery !== 'unknown'
    const stated = Math.min(retryAfterMs ?? 0, longestBackoffMs(reason))
    const untilAfter = (failures: number): Date => {
      const pauseMs = Math.max(backoffMs(failures, BACKOFF), stated)
      return new Date(Math.max(this.#nowMs() + pauseMs, resolved ? 0 : startedMs + timing.hardDeadlineMs))
    }
    const outcome = await ledger.fail(id, used, { reason, untilAfter, resolved, loginEnded })
    if (outcome.kind === 'newer' && this.#isServable(outcome.oauth)) return outcome.oauth
    if (!forced && !loginEnded && this.#isServable(used)) {
      this.#parts.logger?.warn('a login could not be renewed ahead of time', { profile: id, reason })
      return used
    }
    throw renewalFailed(id, { reason, error, until: outcome.kind === 'newer' ? undefined : outcome.until })
  }

  #isServable(oauth: OAuthCredential): boolean {
    return oauth.accessToken !== '' && oauth.loginNeeded !== true && this.#nowMs() < servableUntilMs(oauth)
  }

  #nowMs(): number {
    return Number(this.#parts.clock.now())
  }
}
