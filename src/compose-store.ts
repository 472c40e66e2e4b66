import type { Clock, Logger, OAuthManager, ProfileManager, VaultInterface } from './domain/ports.js'
import type { ProfileCooldownConfig } from './domain/usage.js'
import { KvBackend } from './profiles/kv-backend.js'
import { StoredProfiles } from './profiles/manager.js'
import { createReferenceReader } from './profiles/references.js'
import { defaultRegistry } from './providers/registry.js'
import { systemClock, systemRandom } from './system/clock.js'
import { readSecretFile } from './system/safe-file.js'

/** What `newStore` takes. */
export interface StoreConfig {
  /** Where the profiles are kept; it may be locked for now. */
  readonly vault: VaultInterface
  /** Whoever resolves from this store renews logins with it. */
  readonly oauthManager?: OAuthManager
  readonly logger?: Logger
  readonly cooldownConfig?: ProfileCooldownConfig
  readonly clock?: Clock
}

/** The managers of keymux's own vaults: their profiles are records of their own, not one document. */
export const nativeProfiles: WeakMap<VaultInterface, StoredProfiles> = new WeakMap()

/**
 * A profile manager over any vault. A vault of keymux gives the manager of its handle; another one keeps all
 * profiles as one document under `auth:profiles:store`, as the original does. A locked vault has no profiles
 * until it is unlocked; it says so in the log, and writing rejects with `vault_locked`.
 */
export function newStore(config: StoreConfig): ProfileManager {
  const native = nativeProfiles.get(config.vault)
  if (native !== undefined) return native
  return new StoredProfiles({
    backend: new KvBackend(config.vault, config.logger),
    providers: defaultRegistry,
    clock: config.clock ?? systemClock,
    random: systemRandom,
    canRefresh: config.oauthManager !== undefined,
    readReference: createReferenceReader({
      vault: config.vault,
      env: process.env,
      readFile: async (path) => (await readSecretFile(path)).toString(),
    }),
    ...(config.cooldownConfig === undefined ? {} : { cooldown: config.cooldownConfig }),
    ...(config.logger === undefined ? {} : { logger: config.logger }),
  })
}
