import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { AUTH_MODES, type AuthMode } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { Providers } from '../domain/providers.js'
import { readProvider } from './declaration.js'

const SUGGESTED_NAMES: readonly string[] = ['default', 'work', 'personal']
/** Longest chain of parents that is followed; a longer one is a circle. */
const MAX_PARENTS = 8

/**
 * The providers that are known: built-in ones, and custom ones on top. Names are case-insensitive. A
 * registry with a parent knows whatever the parent knows, also what is registered there later; its own
 * entry wins over the parent's.
 */
export class ProviderRegistry implements Providers {
  readonly #providers = new Map<string, ProviderMetadata>()
  readonly #parent: ProviderRegistry | undefined
  #changes = 0

  /** @throws KeymuxError `invalid_provider`, `provider_exists` */
  constructor(providers: Iterable<ProviderMetadata> = [], parent?: ProviderRegistry) {
    this.#parent = parent
    for (const provider of providers) this.register(provider)
  }

  /** One of definitions that need no checking: every command would pay for it. They are frozen as they are. */
  static ofSound(providers: readonly ProviderMetadata[]): ProviderRegistry {
    const registry = new ProviderRegistry()
    for (const provider of providers) registry.#providers.set(provider.name, deepFreeze(provider))
    return registry
  }

  /** Grows with every provider that is registered or forgotten, here or in the parent. */
  get version(): number {
    return this.#changes + (this.#parent?.version ?? 0)
  }

  /** The provider's metadata, frozen. */
  get(name: string): ProviderMetadata | undefined {
    return this.#providers.get(name.toLowerCase()) ?? this.#parent?.get(name)
  }

  /** The same, also by what other programs call it. A name goes before what others call something. */
  named(name: string): ProviderMetadata | undefined {
    const asked = name.toLowerCase()
    return this.get(asked) ?? this.list().find(({ aliases }) => aliases?.includes(asked) === true)
  }

  /** All providers, by name. */
  list(): ProviderMetadata[] {
    const inherited = this.#parent?.list().filter(({ name }) => !this.#providers.has(name)) ?? []
    return [...inherited, ...this.#providers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Providers that support `mode`, by name. */
  listByMode(mode: AuthMode): ProviderMetadata[] {
    return this.list().filter(({ name }) => this.supportsMode(name, mode))
  }

  isValid(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Whether the provider takes credentials of this mode. Every provider takes a bearer token. */
  supportsMode(name: string, mode: AuthMode): boolean {
    const modes = this.get(name)?.modes
    if (modes === undefined || !AUTH_MODES.includes(mode)) return false
    return mode === 'token' || modes.includes(mode)
  }

  /** The metadata with its OAuth scopes and endpoints filled in from its own settings, then its parents'. */
  getWithScopes(name: string): ProviderMetadata | undefined {
    const line = this.#lineage(name)
    const [provider] = line
    if (provider === undefined) return undefined
    const endpoint = withoutUndefined({
      authUrl: first(line, (one) => one.oauthEndpoint?.authUrl),
      tokenUrl: first(line, (one) => one.oauthEndpoint?.tokenUrl),
      scopes: first(line, (one) => one.oauthEndpoint?.scopes),
    })
    return withoutUndefined({
      ...provider,
      scopes: first(line, ownScopes) ?? [],
      oauthEndpoint: Object.keys(endpoint).length === 0 ? undefined : endpoint,
    })
  }

  /**
   * OAuth scopes for a service of a provider: those of the provider `PROVIDER-SERVICE` where there is one,
   * else the provider's own.
   *
   * @throws KeymuxError `unknown_provider`
   */
  oauthScopes(provider: string, service = ''): string[] {
    const found =
      (service === '' ? undefined : this.getWithScopes(`${provider}-${service}`)) ??
      this.getWithScopes(provider)
    if (found === undefined) {
      throw new KeymuxError('unknown_provider', `there is no provider ${quote(provider)}`, {
        hint: 'see keymux providers',
      })
    }
    return [...(found.scopes ?? [])]
  }

  /** Names to offer when a profile of this provider is made. */
  suggestedNames(provider: string): string[] {
    return [...(this.get(provider)?.suggestedNames ?? SUGGESTED_NAMES)]
  }

  /**
   * Adds a provider. A copy is kept, frozen.
   *
   * @throws KeymuxError `invalid_provider`, `provider_exists`
   */
  register(metadata: ProviderMetadata): ProviderMetadata {
    const { name, ...fields } = metadata
    const provider = deepFreeze(readProvider(name, fields, 'camel'))
    if (this.isValid(provider.name)) {
      throw new KeymuxError('provider_exists', `there is a provider ${quote(provider.name)} already`, {
        hint: 'choose another name',
      })
    }
    this.#providers.set(provider.name, provider)
    this.#changes += 1
    return provider
  }

  /** Forgets a provider that was registered here. A parent's stay. */
  unregister(name: string): void {
    if (this.#providers.delete(name.toLowerCase())) this.#changes += 1
  }

  /** The provider, its parent, the parent's parent, … */
  #lineage(name: string): ProviderMetadata[] {
    const line: ProviderMetadata[] = []
    let next: string | undefined = name
    while (next !== undefined && line.length < MAX_PARENTS) {
      const provider = this.get(next)
      if (provider !== undefined) line.push(provider)
      next = provider?.parentProvider
    }
    return line
  }
}

function ownScopes(provider: ProviderMetadata): readonly string[] | undefined {
  return provider.scopes ?? provider.oauthEndpoint?.scopes ?? provider.oauth?.scopes
}

function first<T>(
  line: readonly ProviderMetadata[],
  get: (one: ProviderMetadata) => T | undefined,
): T | undefined {
  return line.map(get).find((value) => value !== undefined)
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze)
    Object.freeze(value)
  }
  return value
}
