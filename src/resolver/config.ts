import type { Clock, Logger, OAuthManager, ProfilePreference } from '../domain/ports.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { OfferingManager } from '../profiles/native.js'

/** What a resolver is made of. */
export interface ResolverConfig {
  readonly store: OfferingManager
  /** Renews OAuth logins; without it expired ones are passed over. */
  readonly oauthManager?: OAuthManager | undefined
  readonly logger?: Logger | undefined
  /** Default `valid`. */
  readonly defaultPreference?: ProfilePreference | undefined
  readonly clock?: Clock | undefined
  /** In [0, 1): how much earlier than needed logins are renewed, so that processes spread. Default 0. */
  readonly jitter?: number | undefined
  /** Tells unknown providers apart from those without profiles. */
  readonly providers?: ProviderLookup | undefined
}

/** What finds credentials works with. */
export interface FinderParts extends Omit<ResolverConfig, 'defaultPreference'> {
  readonly clock: Clock
  readonly jitter: number
}
