import type { KeymuxConfig } from './config.js'
import type { Egress } from './egress.js'
import type { Forwarder } from './forwarding.js'
import type { Health } from './health.js'
import type { Logins, OAuthRenewer } from './logins.js'
import type { Profiles } from './profiles.js'
import type { CustomProviders, Providers } from './providers.js'
import type { CredentialResolver } from './resolver.js'
import type { Tools } from './tools.js'
import type { Vault } from './vault.js'

/**
 * An open vault, ready to hand out credentials. Everything above the rooms works with this, or with a part of it,
 * and nothing else: whether the vault is open in this process or somewhere else makes no difference.
 */
export interface Keymux extends AsyncDisposable {
  readonly profiles: Profiles
  readonly resolver: CredentialResolver
  /** The operations agents may call: snake_case in and out, never throwing. */
  readonly tools: Tools
  readonly vault: Vault
  /** Renews OAuth logins. */
  readonly oauth: OAuthRenewer
  /** Logs accounts in and out. Loaded when it is asked for. */
  logins(): Promise<Logins>
  /** Passes requests on with failover, for `createFetch` and the gateway. Loaded with its first request. */
  readonly forwarder: Forwarder
  /** Asks about profiles that are set aside, for whoever runs for long. Loaded when it is asked for. */
  readonly health: Health
  /** The way out of this machine, proxies included. Loaded with its first request. */
  readonly egress: Egress
  /** The built-in providers, and those of the config and the vault. */
  readonly providers: Providers
  /** Custom providers kept in the vault. */
  readonly providerShelf: CustomProviders
  /** What counts now. */
  readonly config: KeymuxConfig
  /**
   * Takes over a new configuration at once: cooldowns, providers, chains, preference, limits.
   *
   * @throws KeymuxError `invalid_config`; the old one then stays
   */
  reconfigure(config: KeymuxConfig): void
  /** Writes down what is pending, wipes the keys, releases the storage. */
  close(): Promise<void>
}
