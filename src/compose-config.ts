import type { ComposeOptions, KeymuxConfigSource } from './compose-options.js'
import { loadConfig, parseConfigObject } from './config/load.js'
import type { KeymuxConfig } from './domain/config.js'
import { KeymuxError } from './domain/errors.js'
import type { Providers } from './domain/providers.js'
import type { ProfileCooldownConfig } from './domain/usage.js'
import { parseCustomProvider } from './providers/custom.js'
import { DeclarationError } from './providers/place.js'
import { defaultRegistry, ProviderRegistry } from './providers/registry.js'

/** A configuration that can be replaced while a vault is open. */
export class LiveConfig {
  /** The built-in and registered providers, and those of the config. */
  readonly registry: ProviderRegistry = new ProviderRegistry([], defaultRegistry)
  /** The cooldowns that count now: one object all along, for whoever keeps hold of it. */
  readonly cooldown: ProfileCooldownConfig
  #config: KeymuxConfig

  /** @throws KeymuxError `invalid_config` */
  constructor(config: KeymuxConfig) {
    this.#config = config
    this.cooldown = { ...config.cooldown }
    this.#register(config)
  }

  get current(): KeymuxConfig {
    return this.#config
  }

  /**
   * Takes over a new configuration, or leaves the old one as it is.
   *
   * @throws KeymuxError `invalid_config`
   */
  replace(config: KeymuxConfig): void {
    const old = this.#config
    this.#unregister(old)
    try {
      this.#register(config)
    } catch (error) {
      this.#register(old)
      throw error
    }
    this.#config = config
    const cooldown = this.cooldown as Record<string, unknown>
    for (const key of Object.keys(cooldown)) delete cooldown[key]
    Object.assign(cooldown, config.cooldown)
  }

  /** All of a config's providers, or none. */
  #register(config: KeymuxConfig): void {
    const done: string[] = []
    for (const [name, { settings, where }] of Object.entries(config.providers)) {
      try {
        this.registry.register(parseCustomProvider(name, settings))
        done.push(name)
      } catch (error) {
        for (const each of done) this.registry.unregister(each)
        if (!(error instanceof KeymuxError)) throw error
        const path = error instanceof DeclarationError ? error.path : []
        throw new KeymuxError('invalid_config', `${where(...path)}: ${error.message}`, {
          hint: error.hint,
          cause: error,
        })
      }
    }
  }

  #unregister(config: KeymuxConfig): void {
    for (const name of Object.keys(config.providers)) this.registry.unregister(name)
  }
}

/** @throws KeymuxError `invalid_config`, `file_not_found` */
export async function configOf(config: ComposeOptions['config']): Promise<KeymuxConfig> {
  if (typeof config === 'string') return loadConfig(config, { required: true })
  if (config !== undefined && 'path' in config) return loadConfig(config.path, { required: config.required })
  return parseConfigObject(config ?? {})
}

/**
 * What is known of providers without a vault: the built-in and registered ones, and those of the config.
 *
 * @throws KeymuxError `invalid_config`, `file_not_found`
 */
export async function composeProviders(config: KeymuxConfigSource): Promise<Providers> {
  return new LiveConfig(await configOf(config)).registry
}
