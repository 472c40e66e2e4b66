import type { StoreConfig } from './compat/foreign-store.js'
import { openForeignStore } from './compat/foreign-store.js'
import { ManagerFinder } from './compat/manager-finder.js'
import { ManagerLedger } from './compat/manager-ledger.js'
import { toolManager } from './compat/tool-manager.js'
import type { ProfileManager } from './domain/ports.js'
import type { CredentialResolver } from './domain/resolver.js'
import { Renewer as NativeRenewer, type RenewerConfig } from './logins/renewal.js'
import { ProfileTools as NativeTools, type ProfileToolsOptions } from './operations/profile-tools.js'
import { defaultRegistry } from './providers/registry.js'
import type { ResolverConfig } from './resolver/config.js'
import { Resolver as NativeResolver } from './resolver/resolver.js'
import { systemClock, systemRandom } from './system/clock.js'
import { readSecretFile } from './system/safe-file.js'

/**
 * A profile manager over any vault. A vault of keymux gives the manager of its handle; another one keeps all
 * profiles as one document under `auth:profiles:store`, as the original does. A locked vault has no profiles
 * until it is unlocked; it says so in the log, and writing rejects with `vault_locked`.
 */
export function newStore(config: StoreConfig): ProfileManager {
  return (
    config.vault.profileManager ??
    openForeignStore(config, {
      providers: defaultRegistry,
      clock: systemClock,
      random: systemRandom,
      env: process.env,
      readFile: async (path) => (await readSecretFile(path)).toString(),
    })
  )
}

/**
 * Hands out a credential that works now: the first usable profile in the order of preference, OAuth logins
 * renewed, profiles whose credential cannot be had passed over. A manager of another make is asked for its choice.
 *
 * What is cached are opened credentials, never decisions: a profile that was cooled, switched off, changed
 * or deleted, here or in another process, is not handed out.
 */
export class Resolver extends NativeResolver {
  constructor(config: ResolverConfig) {
    super(config, (parts) => new ManagerFinder(parts))
  }
}

/**
 * Renews OAuth logins, each profile on its own: at most one request per profile is under way among all
 * processes on one vault, and everyone who asks meanwhile gets its outcome. New tokens are on disk before
 * anyone sees them. No failure deletes a credential. For a manager of another make, what is known of requests
 * under way and of waits lasts as long as this object.
 */
export class Renewer extends NativeRenewer {
  constructor(config: RenewerConfig) {
    super(config, ({ store, clock }) => new ManagerLedger(store, clock))
  }
}

/**
 * The operations on profiles that agents may call: snake_case in and out, as in the original. They never
 * throw, whatever they are given: a result says `success: false`, one sentence in `error` and a stable
 * `code`. Only `export` ever gives a secret.
 */
export class ProfileTools extends NativeTools {
  constructor(
    manager: ProfileManager,
    resolver: Pick<CredentialResolver, 'resolve'>,
    options: ProfileToolsOptions = {},
  ) {
    const { providers = defaultRegistry, clock = systemClock } = options
    super(toolManager(manager, providers, clock), resolver, options)
  }
}
