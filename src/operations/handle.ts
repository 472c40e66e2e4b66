import type { KeymuxConfig } from '../config/schema.js'
import type { Logins } from '../logins/logins.js'
import type { Renewer } from '../logins/renewal.js'
import type { Profiles } from '../profiles/types.js'
import type { ProviderRegistry } from '../providers/registry.js'
import type { Resolver } from '../resolver/resolver.js'
import type { Forwarder } from '../transport/types.js'
import type { ProviderShelf } from '../vault/custom-providers.js'
import type { VaultHandle } from '../vault/handle.js'

/** An open vault, as operations and the command line use it. */
export interface KeymuxHandle {
  readonly profiles: Profiles
  readonly resolver: Resolver
  readonly vault: VaultHandle
  readonly oauth: Renewer
  /** Logs accounts in and out. */
  logins(): Promise<Logins>
  /** The built-in providers, and those of the config and the vault. */
  readonly providers: ProviderRegistry
  /** Custom providers kept in the vault. */
  readonly providerShelf: ProviderShelf
  readonly forwarder: Forwarder
  readonly config: KeymuxConfig
  /** Takes over a new configuration, or throws `invalid_config` and keeps the old one. */
  reconfigure(config: KeymuxConfig): void
  close(): Promise<void>
}
