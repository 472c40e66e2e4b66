import type { Clock, Logger, OAuthManager, Random, VaultInterface } from '../domain/ports.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { ProfileCooldownConfig } from '../domain/usage.js'
import { StoredProfiles } from '../profiles/manager.js'
import { createReferenceReader, type ReferenceSources } from '../profiles/references.js'
import { KvBackend } from './kv-backend.js'

/** What `newStore` takes. */
export interface StoreConfig {
  /** Where the profiles are kept; it may be locked for now. */
  readonly vault: VaultInterface
  /** Whoever resolves from this store renews logins with it. */
  readonly oauthManager?: OAuthManager | undefined
  readonly logger?: Logger | undefined
  readonly cooldownConfig?: ProfileCooldownConfig | undefined
  readonly clock?: Clock | undefined
}

/** What a store on a foreign vault takes from the machine and the program around it. */
export interface ForeignStoreParts extends Pick<ReferenceSources, 'env' | 'readFile'> {
  readonly providers: ProviderLookup
  /** Unless the config has one. */
  readonly clock: Clock
  readonly random: Random
}

/** The manager of profiles that a vault of somebody else's making keeps as one document. */
export function openForeignStore(config: StoreConfig, parts: ForeignStoreParts): StoredProfiles {
  const { vault, logger, cooldownConfig } = config
  const { env, readFile, providers, random } = parts
  return new StoredProfiles({
    backend: new KvBackend(vault, logger),
    providers,
    clock: config.clock ?? parts.clock,
    random,
    canRefresh: config.oauthManager !== undefined,
    readReference: createReferenceReader({ vault, env, readFile }),
    cooldown: cooldownConfig,
    logger,
  })
}
