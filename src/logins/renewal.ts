import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { OAuthRenewer, RenewOptions } from '../domain/logins.js'
import type { CallOptions, Clock, Logger, OAuthTokenRefresher, TokenOptions } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import type { OfferingManager } from '../profiles/native.js'
import type { RefreshLocks } from '../storage/locks.js'
import { MemoryLocks } from '../storage/memory/locks.js'
import type { SpillPlace } from '../vault/unsaved-tokens.js'
import { FreshKeeper } from './keep-fresh.js'
import { type Ledger, RefreshLedger } from './refresh-ledger.js'
import { RenewalRun } from './renewal-run.js'
import type { RenewalTiming } from './renewal-timing.js'
import { DEFAULT_TIMING, isDue, servableUntilMs, servedBetween } from './renewal-timing.js'
import { sleep } from './sleep.js'

/** What renews OAuth logins. */
export interface RenewerConfig {
  readonly store: OfferingManager
  readonly refresher: OAuthTokenRefresher
  readonly clock: Clock
  /** Shared with every process on the same vault. By default they hold within this object alone. */
  readonly locks?: RefreshLocks | undefined
  /** Under which name a profile is locked: the same for every process on the same vault. Its id by default. */
  readonly lockName?: ((profileId: string) => string) | undefined
  /** Where new tokens go that the vault does not take. By default they stay in memory alone. */
  readonly spill?: SpillPlace | undefined
  /** In [0, 1): how much earlier than needed logins are renewed here, so that processes spread. Default 0. */
  readonly jitter?: number | undefined
  readonly timing?: Partial<RenewalTiming> | undefined
  readonly logger?: Logger | undefined
}

interface Flight {
  readonly forced: boolean
  readonly outcome: Promise<OAuthCredential>
}

/**
 * Renews OAuth logins, each profile on its own: at most one request per profile is under way among all
 * processes on one vault, and everyone who asks meanwhile gets its outcome. New tokens are on disk before
 * anyone sees them. No failure deletes a credential.
 */
export class Renewer implements OAuthRenewer {
  readonly #config: RenewerConfig
  readonly #run: RenewalRun
  readonly #locking: { readonly locks: RefreshLocks; readonly lockName: (profileId: string) => string }
  readonly #flights = new Map<string, Flight>()
  readonly #closing = new AbortController()

  /** @param foreign Keeps the record for a manager of another make. Without it, there is none. */
  constructor(config: RenewerConfig, foreign: (config: RenewerConfig) => Ledger = refuseForeign) {
    this.#config = config
    const { native } = config.store
    this.#locking = {
      locks: config.locks ?? new MemoryLocks(),
      lockName: config.lockName ?? ((id) => id),
    }
    this.#run = new RenewalRun({
      ...config,
      ...this.#locking,
      ledger: native === undefined ? foreign(config) : new RefreshLedger(native.refreshes),
      timing: { ...DEFAULT_TIMING, ...config.timing },
      closing: this.#closing.signal,
    })
  }

  /**
   * A credential that can be used now: the stored one, renewed first when it has run out. One that is due and
   * still good is given at once and renewed in the background, or after `renewalWaitMs` at the latest.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, `refresh_failed`, storage errors
   */
  async getValidToken(profileId: string, options: TokenOptions = {}): Promise<OAuthCredential> {
    const oauth = await this.#oauth(profileId)
    const nowMs = this.#nowMs()
    if (oauth.accessToken !== '' && oauth.loginNeeded !== true) {
      if (!isDue(oauth, this.#config.jitter ?? 0, nowMs)) return oauth
      if (nowMs < servableUntilMs(oauth)) {
        return (await this.#withinWait(this.#renewAhead(profileId, oauth), options)) ?? oauth
      }
    }
    options.signal?.throwIfAborted()
    return unlessAborted(this.#fly(profileId, oauth, false), options.signal)
  }

  /** Stores a credential that came from a login. What was held against the old one is lifted. */
  async saveCredential(
    profileId: string,
    credential: OAuthCredential,
    options: CallOptions = {},
  ): Promise<void> {
    const profile = await this.#profile(profileId)
    const { generation: _counted, ...oauth } = credential
    await this.#config.store.save({ ...profile, oauth }, options)
  }

  /**
   * Renews now, whether due or not, unless others have renewed it since it was read, or since `rejected` was
   * current. An abort ends this caller's wait alone: the renewal goes on and its result is stored.
   *
   * @throws KeymuxError `refresh_failed`; its cause is the refresher's own error
   */
  async renew(profileId: string, options: RenewOptions = {}): Promise<OAuthCredential> {
    options.signal?.throwIfAborted()
    const { rejected } = options
    for (;;) {
      const flight = this.#flights.get(profileId)
      if (flight === undefined || flight.forced) break
      // It may end without a request, with the very token that was refused.
      const outcome = await unlessAborted(
        flight.outcome.catch(() => undefined),
        options.signal,
      )
      if (rejected !== undefined && outcome !== undefined && outcome.accessToken !== rejected) return outcome
    }
    const oauth = await this.#oauth(profileId)
    if (rejected !== undefined && oauth.accessToken !== rejected && this.#isServable(oauth)) return oauth
    options.signal?.throwIfAborted()
    return unlessAborted(this.#fly(profileId, oauth, true), options.signal)
  }

  /**
   * Renews logins ahead of time, until the signal fires: for whoever runs for long. Failures are logged and
   * tried again after a wait.
   */
  keepFresh(signal: AbortSignal): Promise<void> {
    const { store, clock, jitter = 0, logger } = this.#config
    const keeper = new FreshKeeper({
      list: () => store.list(),
      renew: (id, seen) => this.#fly(id, seen, false),
      dueMs: (oauth) => {
        const { fromMs, untilMs } = servedBetween(oauth, jitter)
        return this.#nowMs() < fromMs ? 0 : untilMs
      },
      clock,
      logger,
    })
    return keeper.run(signal)
  }

  /**
   * Runs `body` while no process renews the profile, once the tokens are in the vault that a renewal could not
   * store. Waits for a renewal under way, up to `waitMs`, and goes on without the lock then.
   *
   * @throws KeymuxError storage errors; whatever `body` throws
   */
  async exclusively<T>(profileId: string, waitMs: number, body: () => Promise<T>): Promise<T> {
    const { locks, lockName } = this.#locking
    const lock = await locks.acquire(lockName(profileId), { timeoutMs: waitMs })
    try {
      // Who holds no lock leaves them to whoever does.
      if (lock !== undefined) await this.#recover(profileId)
      return await body()
    } finally {
      await lock?.release()
    }
  }

  async #recover(profileId: string): Promise<void> {
    const profile = await this.#config.store.get(profileId)
    if (profile?.mode !== 'oauth' || profile.oauth === undefined) return
    await this.#run.recover(profileId, { ...profile.oauth })
  }

  /** Whether a request is under way whose tokens must still be stored. */
  get underWay(): boolean {
    return this.#run.requests > 0
  }

  /** Gives up waiting, and lets requests under way end: their tokens must be stored. Nothing is begun any more. */
  async close(): Promise<void> {
    this.#closing.abort(new KeymuxError('aborted', 'the vault is being closed'))
    await Promise.allSettled([...this.#flights.values()].map((flight) => flight.outcome))
  }

  /** Renews what is still good; `undefined` when that fails, which is told by whoever began it. */
  #renewAhead(profileId: string, oauth: OAuthCredential): Promise<OAuthCredential | undefined> {
    const known = this.#flights.get(profileId)
    if (known !== undefined) return known.outcome.catch(() => undefined)
    if (this.#closing.signal.aborted) return Promise.resolve(undefined)
    return this.#fly(profileId, oauth, false).catch((error: unknown) => {
      this.#config.logger?.warn('a login could not be renewed ahead of time', {
        profile: profileId,
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      return undefined
    })
  }

  async #withinWait<T>(
    work: Promise<T>,
    { renewalWaitMs = 0, signal }: TokenOptions,
  ): Promise<T | undefined> {
    if (renewalWaitMs <= 0) return undefined
    const over = new AbortController()
    const waited = sleep(renewalWaitMs, this.#config.clock, over.signal).catch(() => undefined)
    try {
      return await unlessAborted(Promise.race([work, waited.then(() => undefined)]), signal)
    } finally {
      over.abort()
    }
  }

  #fly(profileId: string, seen: OAuthCredential, forced: boolean): Promise<OAuthCredential> {
    const known = this.#flights.get(profileId)
    if (known !== undefined && (known.forced || !forced)) return known.outcome
    const outcome = this.#run.renew(profileId, seen, forced).finally(() => {
      if (this.#flights.get(profileId) === flight) this.#flights.delete(profileId)
    })
    const flight = { forced, outcome }
    this.#flights.set(profileId, flight)
    return outcome
  }

  #isServable(oauth: OAuthCredential): boolean {
    return oauth.accessToken !== '' && this.#nowMs() < servableUntilMs(oauth)
  }

  async #oauth(profileId: string): Promise<OAuthCredential> {
    const { mode, oauth } = await this.#profile(profileId)
    if (mode === 'oauth' && oauth !== undefined) return { ...oauth }
    throw new KeymuxError('unsupported_mode', `${profileId} holds no OAuth login`, {
      hint: mode === 'oauth' ? `run keymux login ${profileId}` : 'only OAuth logins can be renewed',
    })
  }

  async #profile(profileId: string): Promise<AuthProfile> {
    const profile = await this.#config.store.get(profileId)
    if (profile !== undefined) return profile
    throw new KeymuxError('profile_not_found', `there is no profile "${profileId}"`, {
      hint: 'see keymux list',
    })
  }

  #nowMs(): number {
    return Number(this.#config.clock.now())
  }
}

function refuseForeign(): never {
  throw new KeymuxError('internal_error', 'this manager keeps no record of refreshes')
}

/** The promise's outcome, or a rejection as soon as the signal fires; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  // Whoever has stopped waiting hears of no failure: nobody else may be there to.
  work.catch(() => undefined)
  signal.throwIfAborted()
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
