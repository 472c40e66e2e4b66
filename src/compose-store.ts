import type { StoreConfig } from './compat/foreign-store.js'
import { openForeignStore } from './compat/foreign-store.js'
import type { ProfileManager, VaultInterface } from './domain/ports.js'
import type { StoredProfiles } from './profiles/manager.js'
import { defaultRegistry } from './providers/registry.js'
import { systemClock, systemRandom } from './system/clock.js'
import { readSecretFile } from './system/safe-file.js'

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
  return openForeignStore(config, {
    providers: defaultRegistry,
    clock: systemClock,
    random: systemRandom,
    env: process.env,
    readFile: async (path) => (await readSecretFile(path)).toString(),
  })
}
