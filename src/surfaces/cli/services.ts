import type { Clock } from '../../domain/ports.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import type { Profiles, Unlock, Vault } from '../../profiles/types.js'
import type { Resolver } from '../../resolver/resolver.js'

/** Providers known to a handle: the built-in ones and those of the config and the vault. */
export interface CliProviders {
  get(name: string): ProviderMetadata | undefined
  list(): readonly ProviderMetadata[]
}

/** An open vault, as the commands use it. */
export interface CliHandle {
  readonly profiles: Profiles
  readonly resolver: Pick<Resolver, 'resolve'>
  readonly vault: Vault
  readonly providers: CliProviders
  close(): Promise<void>
}

/** Which vault to open, and how. */
export interface OpenRequest {
  /** An absolute path, or a `postgres://` URL. */
  readonly location: string
  readonly config: string
  /** The config file must exist, because somebody named it. */
  readonly configRequired: boolean
  /** Make a new vault and refuse where there is one (`vault_exists`). Default: open an existing one. */
  readonly create?: boolean
  /**
   * Asked once the vault is known to exist, with the types of its key slots; none when it is being created.
   * What it throws is thrown by the opening.
   */
  readonly unlock: (slotTypes: readonly string[]) => Promise<Unlock>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What the command line needs from the rest of keymux. Loaded when called, so that help stays quick. */
export interface CliServices {
  /** @throws KeymuxError `vault_not_found`, `wrong_passphrase`, `invalid_config`, storage errors, … */
  openVault(request: OpenRequest): Promise<CliHandle>
  /** Names of the providers that are known without opening a vault, for completion. */
  providerNames(config: string): Promise<readonly string[]>
  version(): string
}
