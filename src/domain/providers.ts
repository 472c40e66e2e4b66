import type { CallOptions } from './ports.js'
import type { AuthMode } from './profile.js'
import type { ProviderMetadata } from './provider.js'

/** The part of {@link Providers} that profiles need. */
export interface ProviderLookup {
  get(name: string): ProviderMetadata | undefined
  supportsMode(name: string, mode: AuthMode): boolean
  /** Another number once a provider has come, gone or changed. Absent: none ever does. */
  readonly version?: number
}

/** The providers that are known: built-in ones, and custom ones on top. Names are case-insensitive. */
export interface Providers extends ProviderLookup {
  readonly version: number
  /** The provider's metadata, frozen. */
  get(name: string): ProviderMetadata | undefined
  /** The same, also by what other programs call it: `google` is Gemini. */
  named(name: string): ProviderMetadata | undefined
  /** All providers, by name. */
  list(): ProviderMetadata[]
  /** Providers that support `mode`, by name. */
  listByMode(mode: AuthMode): ProviderMetadata[]
  isValid(name: string): boolean
  /** Whether the provider takes credentials of this mode. Every provider takes a bearer token. */
  supportsMode(name: string, mode: AuthMode): boolean
  /** The metadata with its OAuth scopes and endpoints filled in from its own settings, then its parents'. */
  getWithScopes(name: string): ProviderMetadata | undefined
  /**
   * OAuth scopes for a service of a provider: those of the provider `PROVIDER-SERVICE` where there is one,
   * else the provider's own.
   *
   * @throws KeymuxError `unknown_provider`
   */
  oauthScopes(provider: string, service?: string): string[]
  /** Names to offer when a profile of this provider is made. */
  suggestedNames(provider: string): string[]
  /**
   * Adds a provider until the handle is closed. A copy is kept, frozen.
   *
   * @throws KeymuxError `invalid_provider`, `provider_exists`
   */
  register(metadata: ProviderMetadata): ProviderMetadata
  /** Forgets a provider that was registered. Built-in ones stay. */
  unregister(name: string): void
}

/** Custom providers kept in the vault. */
export interface CustomProviders {
  /** Names of the providers kept in the vault, sorted. */
  names(): Promise<string[]>
  /**
   * Keeps a custom provider in the vault.
   *
   * @param value Its JSON form, as `docs/configuration.md` describes it.
   * @throws KeymuxError `invalid_provider`, `provider_exists`
   */
  add(
    name: string,
    value: unknown,
    options?: CallOptions & { readonly replace?: boolean | undefined },
  ): Promise<void>
  /** @throws KeymuxError `provider_not_found` for one that is not kept in the vault */
  remove(name: string, options?: CallOptions): Promise<void>
}
