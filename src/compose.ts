import { ProfileTools, Resolver } from './compose-compat.js'
import { configOf, LiveConfig } from './compose-config.js'
import { composeEgress } from './compose-egress.js'
import { composeForwarder } from './compose-forwarder.js'
import { composeHealth } from './compose-health.js'
import { type ComposedLogins, composeLogins } from './compose-logins.js'
import type { ComposeOptions, Environment, OpenKeymuxOptions } from './compose-options.js'
import { composeSpill, composeStore, composeVault } from './compose-storage.js'
import { reserveOf } from './domain/config.js'
import type { Forwarder } from './domain/forwarding.js'
import type { Keymux } from './domain/keymux.js'
import { StoredProfiles } from './profiles/manager.js'
import { decodeMeta } from './profiles/record-codec.js'
import { createReferenceReader } from './profiles/references.js'
import { SealedBackend } from './profiles/sealed-backend.js'
import { parseCustomProvider } from './providers/custom.js'
import type { Store } from './storage/contract.js'
import { systemClock, systemRandom } from './system/clock.js'
import { readSecretFile } from './system/safe-file.js'
import { slotSecretOf } from './system/slot-secret.js'
import { ProviderShelf } from './vault/custom-providers.js'
import { VaultHandle } from './vault/handle.js'
import type { OpenedVault } from './vault/open.js'
import { SealedSpill } from './vault/unsaved-tokens.js'

/**
 * Opens a vault.
 *
 * @throws KeymuxError `vault_not_found`, `wrong_passphrase`, `wrong_key_file`, `vault_locked`,
 * `vault_corrupt`, `vault_tampered`, `vault_rolled_back`, `vault_too_new`, `invalid_config`, storage errors
 */
export async function openKeymux(options: OpenKeymuxOptions): Promise<Keymux> {
  return composeKeymux(options)
}

/** {@link openKeymux} with what only the surfaces of this package need. */
export async function composeKeymux(options: ComposeOptions): Promise<Keymux> {
  const env = options.env ?? process.env
  const live = new LiveConfig(await configOf(options.config))
  const store = await composeStore(options)
  try {
    return await assemble(options, env, live, store)
  } catch (error) {
    await store.close().catch(() => {})
    throw error
  }
}

async function assemble(
  options: ComposeOptions,
  env: Environment,
  live: LiveConfig,
  store: Store,
): Promise<Keymux> {
  const { registry } = live
  const clock = options.clock ?? systemClock
  const { logger } = options
  const opened = await composeVault(options, env, store, clock)
  const { core, audit } = opened
  const shelf = new ProviderShelf(core, registry, parseCustomProvider, logger)
  const vault = new VaultHandle({
    core,
    audit,
    clock,
    slotSecret: slotSecretOf,
    profileIdOf: (meta) => decodeMeta(meta).id,
    profileManager: () => profiles,
    takeInUnsaved: () => takeInUnsaved(),
  })
  const readReference = createReferenceReader({
    vault,
    env,
    readFile: async (path) => (await readSecretFile(path)).toString(),
    get run() {
      return live.current.references.exec ? runLazily : undefined
    },
  })
  const spill =
    store.file === undefined ? undefined : new SealedSpill(core.keyring, composeSpill(store.file, env))
  const profiles = new StoredProfiles({
    spill,
    backend: new SealedBackend(core),
    providers: registry,
    clock,
    random: systemRandom,
    readReference,
    cooldown: live.cooldown,
    reserve: (provider) => reserveOf(live.current, provider),
    reserveVersion: () => live.version,
    canRefresh: options.refresher === undefined ? 'configured' : true,
    surface: options.surface ?? 'library',
    shortLived: options.shortLived === true,
    logger,
  })
  const {
    routes,
    egress,
    close: closeEgress,
  } = composeEgress({
    env,
    general: () => live.current.proxy,
    ofProvider: (provider) => live.proxyOf(provider),
    ofProfile: async (id) => (await profiles.get(id))?.proxy,
    readReference,
  })
  const jitter = systemRandom()
  const { renewer, logins, takeInUnsaved } = composeLogins({
    core,
    vault,
    profiles,
    providers: registry,
    locks: store.locks,
    spill,
    readReference,
    clock,
    jitter,
    refresher: options.refresher,
    routes,
    logger,
  })
  const resolver = new Resolver({
    store: profiles,
    clock,
    jitter,
    providers: registry,
    oauthManager: renewer,
    get defaultPreference() {
      return live.current.defaultPreference
    },
    logger,
  })
  const forwarder = composeForwarder({
    resolver,
    profiles,
    affinity: profiles.affinity,
    refusals: profiles.refusals,
    renewer,
    providers: registry,
    clock,
    gateway: () => live.current.gateway,
    failureRules: () => live.current.failureRules,
    routes,
    pseudonym: (id, value) => core.keyring.pseudonym(profiles.uidOf(id), value),
    logger,
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= shutDown(
      forwarder,
      profiles,
      resolver,
      renewer,
      opened,
      store,
      options.shortLived === true,
    ).finally(closeEgress)
    return closing
  }
  try {
    await core.begin()
  } catch (error) {
    await core.close()
    throw error
  }
  return {
    profiles,
    resolver,
    tools: new ProfileTools(profiles, resolver, {
      allowReveal: options.tools?.allowReveal === true,
      allowEndpoints: options.tools?.allowEndpoints === true,
      providers: registry,
      clock,
    }),
    vault,
    oauth: renewer,
    forwarder,
    health: composeHealth({
      profiles,
      renewer,
      providers: registry,
      egress,
      config: () => live.current,
      clock,
      logger,
    }),
    egress,
    logins,
    providers: registry,
    providerShelf: shelf,
    get config() {
      return live.current
    },
    reconfigure: (config) => live.replace(config),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function shutDown(
  forwarder: Forwarder,
  profiles: StoredProfiles,
  resolver: Resolver,
  renewer: ComposedLogins['renewer'],
  { core }: OpenedVault,
  store: Store,
  shortLived: boolean,
): Promise<void> {
  try {
    await forwarder.close()
    // Tokens that are on their way must be stored before anything is shut.
    await renewer.close()
    // What is left are times of use: whoever waits for a command's end need not wait for somebody's rotation.
    if (shortLived) store.hurry?.()
    await profiles.close()
  } finally {
    resolver.invalidateCache()
    await core.close()
    await store.close()
  }
}

async function runLazily(commandLine: string, signal?: AbortSignal): Promise<string> {
  const { runCommand } = await import('./system/command.js')
  return runCommand(commandLine, signal)
}
