import { KeymuxError } from '../domain/errors.js'
import type { Clock, ProfileManager } from '../domain/ports.js'
import type { OAuthCredential } from '../domain/profile.js'
import { isSameVersion } from '../domain/profile.js'
import type { FailureOutcome, Ledger, RefreshFailureFacts, RefreshStep } from '../logins/refresh-ledger.js'
import { isOvertaken } from '../logins/refresh-ledger.js'
import type { RefreshState } from '../profiles/backend.js'

/**
 * A ledger over a manager of somebody else's. It can promise no more than that manager does: attempts and backoffs
 * last as long as this process, and storing is two steps, a look and a save.
 */
export class ManagerLedger implements Ledger {
  readonly #store: ProfileManager
  readonly #clock: Clock
  readonly #states = new Map<string, RefreshState & { readonly token: string }>()

  constructor(store: ProfileManager, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async begin(id: string, seen: OAuthCredential): Promise<RefreshStep> {
    const oauth = await this.stored(id)
    if (!isSameVersion(oauth, seen)) return { kind: 'newer', oauth }
    if (oauth.refreshToken === '' || oauth.loginNeeded === true) return { kind: 'login', oauth }
    const state = this.#stateOf(id, oauth)
    const now = new Date(Number(this.#clock.now()))
    if (state?.backoff !== undefined && state.backoff.until > now)
      return { kind: 'backoff', ...state.backoff }
    return { kind: 'go', oauth }
  }

  async complete(id: string, used: OAuthCredential, fresh: OAuthCredential): Promise<OAuthCredential> {
    const stored = await this.stored(id)
    if (isOvertaken(stored, { used, fresh })) return stored
    this.#states.delete(id)
    await this.#save(id, fresh)
    return fresh
  }

  async fail(
    id: string,
    used: OAuthCredential,
    { reason, untilAfter, loginEnded }: RefreshFailureFacts,
  ): Promise<FailureOutcome> {
    const stored = await this.stored(id)
    if (!isSameVersion(stored, used)) return { kind: 'newer', oauth: stored }
    if (loginEnded) await this.#save(id, { ...stored, loginNeeded: true })
    const failures = (this.#stateOf(id, used)?.backoff?.failures ?? 0) + 1
    const until = untilAfter(failures)
    this.#states.set(id, { token: used.refreshToken, backoff: { failures, until, reason } })
    return { kind: 'recorded', until }
  }

  #stateOf(id: string, oauth: OAuthCredential): RefreshState | undefined {
    const state = this.#states.get(id)
    return state?.token === oauth.refreshToken ? state : undefined
  }

  async stored(id: string): Promise<OAuthCredential> {
    const profile = await this.#store.get(id)
    if (profile === undefined) throw new KeymuxError('profile_not_found', `there is no profile "${id}"`)
    if (profile.mode !== 'oauth' || profile.oauth === undefined)
      throw new KeymuxError('unsupported_mode', `${id} holds no OAuth login`)
    return { ...profile.oauth }
  }

  async #save(id: string, oauth: OAuthCredential): Promise<void> {
    const profile = await this.#store.get(id)
    if (profile !== undefined) await this.#store.save({ ...profile, oauth })
  }
}
