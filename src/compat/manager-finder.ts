import { NoUsableProfileError } from '../domain/errors.js'
import type { Clock, OAuthManager, ProfileManager, Resolution, ResolutionOptions } from '../domain/ports.js'
import type { CacheStats, CredentialFinder, ResolveOptions } from '../domain/resolver.js'
import { isDue } from '../logins/renewal-timing.js'

/** What choosing through a manager of another make takes. */
export interface ManagerFinderParts {
  readonly store: Pick<ProfileManager, 'resolve'>
  readonly oauthManager?: Pick<OAuthManager, 'getValidToken'> | undefined
  readonly clock: Clock
  readonly jitter: number
}

/** Takes what a manager of somebody else's chooses; logins are renewed where due. */
export class ManagerFinder implements CredentialFinder {
  readonly #parts: ManagerFinderParts

  constructor(parts: ManagerFinderParts) {
    this.#parts = parts
  }

  async find(
    request: ResolutionOptions,
    { signal, renewalWaitMs, exclude }: ResolveOptions,
  ): Promise<Resolution> {
    const { store, oauthManager, clock, jitter } = this.#parts
    const { error, ...found } = await store.resolve(request, { signal })
    const { profile } = found
    if (profile === undefined || exclude?.has(profile.id) === true) throw error ?? nothing(request, found)
    const due = profile.oauth !== undefined && isDue(profile.oauth, jitter, Number(clock.now()))
    if (profile.mode !== 'oauth' || !due || oauthManager === undefined) return { ...found, profile }
    const oauth = await oauthManager.getValidToken(profile.id, { signal, renewalWaitMs })
    return { ...found, profile: { ...profile, oauth }, credential: oauth.accessToken }
  }

  /** Such a manager has to be asked, which takes its time. */
  findNow(): undefined {}

  /** There is no way to keep other processes from the same trial. */
  async findTrial(): Promise<undefined> {}

  forget(): void {}

  /** Nothing is kept open. */
  stats(): CacheStats {
    return { totalEntries: 0, valid: 0, expired: 0 }
  }
}

function nothing(
  { provider }: ResolutionOptions,
  { attemptedProfiles }: { readonly attemptedProfiles: readonly string[] },
): NoUsableProfileError {
  const message = `no profile of ${provider} is usable now`
  return new NoUsableProfileError(provider, { attemptedProfiles, reasons: [] }, message)
}
