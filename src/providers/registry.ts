import type { AuthMode } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { CATALOGUE } from './catalogue.js'
import { ProviderRegistry } from './provider-registry.js'

export { ProviderRegistry } from './provider-registry.js'

// The tests of the catalogue check what is checked of every other provider here.
const builtin = ProviderRegistry.ofSound(CATALOGUE)

/** The registry behind the functions below: the built-in providers and those registered at run time. */
export const defaultRegistry: ProviderRegistry = new ProviderRegistry([], builtin)

/** The built-in providers by name. Read-only; {@link registerCustomProvider} does not change it. */
export const builtinProviders: Readonly<Record<string, ProviderMetadata>> = Object.freeze(
  // Without a prototype, so that `constructor` and the like are no providers.
  Object.assign(Object.create(null), Object.fromEntries(builtin.list().map((one) => [one.name, one]))),
)

/** Metadata of a provider; the name is case-insensitive. */
export function getProvider(name: string): ProviderMetadata | undefined {
  return defaultRegistry.get(name)
}

/** Metadata of a provider with its OAuth scopes filled in, from its parent where it has none of its own. */
export function getProviderWithScopes(name: string): ProviderMetadata | undefined {
  return defaultRegistry.getWithScopes(name)
}

/** All providers, by name. */
export function listProviders(): ProviderMetadata[] {
  return defaultRegistry.list()
}

/** Providers that support `mode`, by name. Every provider supports `token`. */
export function listProvidersByMode(mode: AuthMode): ProviderMetadata[] {
  return defaultRegistry.listByMode(mode)
}

/** Whether there is a provider of this name. */
export function isValidProvider(name: string): boolean {
  return defaultRegistry.isValid(name)
}

/** Whether a provider takes credentials of this mode. Every provider takes `token`. */
export function supportsMode(provider: string, mode: AuthMode): boolean {
  return defaultRegistry.supportsMode(provider, mode)
}

/**
 * OAuth scopes for a service of a provider: those of `PROVIDER-SERVICE` where there is such a provider,
 * else the provider's own.
 *
 * @throws KeymuxError `unknown_provider`
 */
export function getOAuthScopes(provider: string, service?: string): string[] {
  return defaultRegistry.oauthScopes(provider, service)
}

/** Names to offer when a profile of this provider is made. */
export function getSuggestedProfileNames(provider: string): string[] {
  return defaultRegistry.suggestedNames(provider)
}

/**
 * Makes a provider known to this process.
 *
 * @throws KeymuxError `invalid_provider`, `provider_exists`
 */
export function registerCustomProvider(metadata: ProviderMetadata): void {
  defaultRegistry.register(metadata)
}
