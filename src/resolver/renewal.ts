import { KeymuxError } from '../domain/errors.js'
import type {
  CallOptions,
  Clock,
  OAuthManager,
  OAuthTokenRefresher,
  ProfileManager,
} from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import {
  isOAuthCredentialExpired,
  mergeRefreshedCredential,
  OAUTH_EXPIRY_BUFFER_MS,
} from '../domain/profile.js'
import { classifyFailure } from '../policy/classify-message.js'

/** What renews OAuth logins. */
export interface RenewerConfig {
  readonly store: ProfileManager
  readonly refresher: OAuthTokenRefresher
  readonly clock: Clock
}

const FIRST_BACKOFF_MS = 5_000
const LONGEST_BACKOFF_MS = 60_000

interface Backoff {
  readonly untilMs: number
  readonly delayMs: number
  /** The refresh token that failed: another one starts afresh. */
  readonly refreshToken: string
}

/**
 * Renews OAuth logins, each profile on its own: at most one request per profile is under way in this
 * process, and everyone who asks meanwhile gets its outcome. New tokens are stored before anyone sees them.
 * No failure deletes a credential.
 */
export class Renewer implements OAuthManager {
  readonly #config: RenewerConfig
  readonly #flights = new Map<string, Promise<OAuthCredential>>()
  readonly #backoffs = new Map<string, Backoff>()

  constructor(config: RenewerConfig) {
    this.#config = config
  }

  /**
   * A credential that outlives the 5-minute buffer, renewed first if it has to be.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, `refresh_failed`
   */
  async getValidToken(profileId: string, options: CallOptions = {}): Promise<OAuthCredential> {
    const { oauth } = await this.#oauthProfile(profileId)
    if (!isOAuthCredentialExpired(oauth, OAUTH_EXPIRY_BUFFER_MS, this.#now())) return oauth
    return this.renew(profileId, options)
  }

  /** Stores a credential that came from a login. */
  async saveCredential(
    profileId: string,
    credential: OAuthCredential,
    options: CallOptions = {},
  ): Promise<void> {
    const { profile } = await this.#oauthProfile(profileId)
    this.#backoffs.delete(profileId)
    await this.#config.store.save({ ...profile, oauth: credential }, options)
  }

  /**
   * Renews now, whether due or not, unless a renewal of this profile is under way already. An abort ends
   * this caller's wait alone.
   *
   * @throws KeymuxError `refresh_failed`; its cause is the refresher's own error
   */
  renew(profileId: string, options: CallOptions = {}): Promise<OAuthCredential> {
    let flight = this.#flights.get(profileId)
    if (flight === undefined) {
      flight = this.#renew(profileId).finally(() => this.#flights.delete(profileId))
      this.#flights.set(profileId, flight)
    }
    return unlessAborted(flight, options.signal)
  }

  async #renew(profileId: string): Promise<OAuthCredential> {
    const { profile, oauth } = await this.#oauthProfile(profileId)
    if (oauth.refreshToken === '' || oauth.loginNeeded === true) {
      throw new KeymuxError('refresh_failed', `${profileId} cannot be renewed: it needs a new login`, {
        hint: `run keymux login ${profileId}`,
      })
    }
    this.#refuseDuringBackoff(profileId, oauth.refreshToken)
    try {
      const fresh = await this.#config.refresher.refreshToken(profile.provider, oauth.refreshToken, {
        profileId,
        ...(oauth.clientId === undefined ? {} : { clientId: oauth.clientId }),
        ...(oauth.scopes === undefined ? {} : { scopes: oauth.scopes }),
      })
      if (fresh.email !== undefined && oauth.email !== undefined && fresh.email !== oauth.email) {
        throw new KeymuxError('conflict', `the renewed token of ${profileId} belongs to another account`)
      }
      this.#backoffs.delete(profileId)
      return await this.#store(profileId, oauth, mergeRefreshedCredential(oauth, fresh))
    } catch (error) {
      return this.#failed(profileId, oauth, error)
    }
  }

  /** Stores the new tokens, unless somebody has put others in their place meanwhile: those stand. */
  async #store(profileId: string, used: OAuthCredential, fresh: OAuthCredential): Promise<OAuthCredential> {
    const { profile, oauth } = await this.#oauthProfile(profileId)
    if (oauth.refreshToken !== used.refreshToken) return oauth
    await this.#config.store.save({ ...profile, oauth: fresh })
    return fresh
  }

  async #failed(profileId: string, used: OAuthCredential, error: unknown): Promise<never> {
    const reason = classifyFailure(error)
    if (reason === 'session_expired') await this.#endLogin(profileId, used)
    else this.#backOff(profileId, used.refreshToken)
    throw new KeymuxError('refresh_failed', `${profileId} could not be renewed (${reason})`, {
      hint: reason === 'session_expired' ? `run keymux login ${profileId}` : 'it is tried again shortly',
      cause: error,
    })
  }

  /** The provider ended the login: say so, keep the tokens, and only if they are still the ones refused. */
  async #endLogin(profileId: string, used: OAuthCredential): Promise<void> {
    const profile = await this.#config.store.get(profileId)
    if (profile?.oauth === undefined || profile.oauth.refreshToken !== used.refreshToken) return
    await this.#config.store.save({ ...profile, oauth: { ...profile.oauth, loginNeeded: true } })
  }

  #refuseDuringBackoff(profileId: string, refreshToken: string): void {
    const backoff = this.#backoffs.get(profileId)
    if (backoff === undefined || backoff.refreshToken !== refreshToken) return
    if (this.#now().getTime() >= backoff.untilMs) return
    throw new KeymuxError('refresh_failed', `${profileId} could not be renewed a moment ago`, {
      hint: `it is tried again at ${new Date(backoff.untilMs).toISOString()}`,
    })
  }

  #backOff(profileId: string, refreshToken: string): void {
    const before = this.#backoffs.get(profileId)
    const delayMs =
      before?.refreshToken === refreshToken
        ? Math.min(before.delayMs * 2, LONGEST_BACKOFF_MS)
        : FIRST_BACKOFF_MS
    this.#backoffs.set(profileId, { untilMs: this.#now().getTime() + delayMs, delayMs, refreshToken })
  }

  async #oauthProfile(profileId: string): Promise<{ profile: AuthProfile; oauth: OAuthCredential }> {
    const profile = await this.#config.store.get(profileId)
    if (profile === undefined)
      throw new KeymuxError('profile_not_found', `there is no profile "${profileId}"`)
    if (profile.mode !== 'oauth' || profile.oauth === undefined) {
      throw new KeymuxError('unsupported_mode', `${profileId} holds no OAuth login`)
    }
    return { profile, oauth: { ...profile.oauth } }
  }

  #now(): Date {
    return new Date(Number(this.#config.clock.now()))
  }
}

/** The promise's outcome, or a rejection as soon as the signal fires; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
