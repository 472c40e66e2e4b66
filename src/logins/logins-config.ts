import type { EgressOwner } from '../domain/egress.js'
import type { Clock } from '../domain/ports.js'
import type { Profiles } from '../domain/profiles.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { Way } from '../oauth/http.js'
import type { ProviderRefresher } from '../oauth/refresher.js'
import type { ClientSecrets } from './login-secret.js'

/** What logins work with. */
export interface LoginsConfig {
  readonly profiles: Profiles
  readonly providers: ProviderLookup
  readonly refresher: ProviderRefresher
  /** The way out for requests about a login. */
  readonly way: (owner: EgressOwner) => Way
  /** Where client secrets that were given with a login are kept. */
  readonly secrets: ClientSecrets
  /** Names this vault to providers that ask where keymux runs: a `urn:uuid:` that never changes. */
  readonly hostId: string
  readonly readReference: (reference: string, signal?: AbortSignal) => Promise<string>
  readonly clock: Clock
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Keeps renewals of the profile away meanwhile. */
  readonly exclusively: <T>(profileId: string, waitMs: number, body: () => Promise<T>) => Promise<T>
}
