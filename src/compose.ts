import { homedir } from 'node:os'
import { isAbsolute, join, resolve as resolvePath } from 'node:path'
import { ProfileTools, Renewer, Resolver } from './compose-compat.js'
import { LiveConfig } from './compose-config.js'
import { composeForwarder } from './compose-forwarder.js'
import { loadConfig, parseConfigObject } from './config/load.js'
import { keymuxFolder } from './config/paths.js'
import type { KdfCost } from './crypto/kdf.js'
import type { KeymuxConfig, KeymuxConfigInput } from './domain/config.js'
import { isKeymuxError, KeymuxError } from './domain/errors.js'
import type { Forwarder } from './domain/forwarding.js'
import type { Keymux } from './domain/keymux.js'
import type { Clock, Logger, OAuthTokenRefresher } from './domain/ports.js'
import type { ProviderMetadata } from './domain/provider.js'
import type { Providers } from './domain/providers.js'
import type { Unlock } from './domain/vault.js'
import { sleep } from './logins/sleep.js'
import type { ToolPermissions } from './operations/profile-tools.js'
import { StoredProfiles } from './profiles/manager.js'
import { decodeMeta } from './profiles/record-codec.js'
import { createReferenceReader } from './profiles/references.js'
import { SealedBackend } from './profiles/sealed-backend.js'
import { parseCustomProvider } from './providers/custom.js'
import type { Store } from './storage/contract.js'
import { systemClock, systemRandom } from './system/clock.js'
import { PinFiles } from './system/pin-file.js'
import { readSecretFile } from './system/safe-file.js'
import { slotSecretOf } from './system/slot-secret.js'
import { SpillFolder } from './system/spill-files.js'
import { ProviderShelf } from './vault/custom-providers.js'
import { VaultHandle } from './vault/handle.js'
import type { OpenedVault, OpenParts } from './vault/open.js'
import { createVault, hasVault, inspectVault, openVault } from './vault/open.js'
import type { PinStore } from './vault/pin-keeper.js'
import { SealedSpill } from './vault/unsaved-tokens.js'

/** Writing a pin takes a millisecond; many processes may end at once. */
const PIN_WAIT_MS = 5_000

/** Somebody renews the login at this moment: he stores its tokens. */
const UNSAVED_WAIT_MS = 1_000

/** How to open a vault. */
export interface OpenKeymuxOptions {
  /** A path, or a store that is open already (it is closed with the handle). */
  readonly vault: string | Store
  /** What opens it; a function is asked once the vault is known to exist, with the types of its slots. */
  readonly unlock: Unlock | ((slotTypes: readonly string[]) => Promise<Unlock>)
  /** Make the vault when it is absent. Default false. */
  readonly create?: boolean
  /** Settings in camelCase, or the path of a YAML file that must exist. */
  readonly config?: KeymuxConfigInput | string
  /** Governs cooldowns and expiry. The system's by default. */
  readonly clock?: Clock
  readonly logger?: Logger
  /** Renews OAuth logins instead of keymux's own refresher. */
  readonly refresher?: OAuthTokenRefresher
  /** What `tools` may do besides: by default they reveal nothing, and take no address and no reference. */
  readonly tools?: ToolPermissions
}

/** Options for the surfaces of this package. */
export interface ComposeOptions extends Omit<OpenKeymuxOptions, 'config'> {
  readonly config?: KeymuxConfigInput | string | KeymuxConfigSource
  readonly surface?: string
  /** The process ends in a moment. What it learns of profiles leaves a line of audit each. */
  readonly shortLived?: boolean
  /** Refuse with `vault_exists` where there is a vault, and make one. */
  readonly mustNotExist?: boolean
  /** Open although the vault looks rolled back or tampered with. */
  readonly lenient?: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly kdf?: KdfCost
  readonly signal?: AbortSignal
}

/** A config file that may be absent. */
export interface KeymuxConfigSource {
  readonly path: string
  readonly required: boolean
}

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
  env: Readonly<Record<string, string | undefined>>,
  live: LiveConfig,
  store: Store,
): Promise<Keymux> {
  const { registry } = live
  const clock = options.clock ?? systemClock
  const { logger } = options
  const opened = await unlocked(options, env, store, clock)
  const { core, audit } = opened
  const shelf = new ProviderShelf(core, registry, parseCustomProvider, logger)
  const vault = new VaultHandle({
    core,
    audit,
    clock,
    slotSecret: slotSecretOf,
    profileIdOf: (meta) => decodeMeta(meta).id,
    profileManager: () => profiles,
    takeInUnsaved: async () => {
      for (const { id } of spill === undefined ? [] : await profiles.views({ mode: 'oauth' })) {
        const login = (await profiles.get(id))?.oauth
        if (login === undefined || (await spill?.read(login)) === undefined) continue
        // What cannot be stored now can be read after the rotation too.
        await renewer.exclusively(id, UNSAVED_WAIT_MS, async () => {}).catch(() => undefined)
      }
    },
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
    store.file === undefined ? undefined : new SealedSpill(core.keyring, spillFolder(store.file, env))
  const profiles = new StoredProfiles({
    spill,
    backend: new SealedBackend(core),
    providers: registry,
    clock,
    random: systemRandom,
    readReference,
    cooldown: live.cooldown,
    canRefresh: options.refresher === undefined ? 'configured' : true,
    surface: options.surface ?? 'library',
    shortLived: options.shortLived === true,
    logger,
  })
  const jitter = systemRandom()
  const refresher = lazily(async () => {
    const { ProviderRefresher } = await import('./oauth/refresher.js')
    const provider = (name: string): ProviderMetadata | undefined => registry.get(name)
    return new ProviderRefresher({ provider, readReference, now: () => new Date(Number(clock.now())) })
  })
  const renewer = new Renewer({
    store: profiles,
    clock,
    jitter,
    refresher: options.refresher ?? {
      refreshToken: async (...call) => (await refresher()).refreshToken(...call),
    },
    locks: store.locks,
    lockName: (id) => core.keyring.rowId('refresh', profiles.uidOf(id)).toString('hex'),
    spill,
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
    renewer,
    providers: registry,
    clock,
    gateway: () => live.current.gateway,
    logger,
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= shutDown(forwarder, profiles, resolver, renewer, opened, store)
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
    logins: lazily(async () => {
      const { LoginManager } = await import('./logins/logins.js')
      const { agentHostId } = await import('./logins/agent-host.js')
      return new LoginManager({
        profiles,
        providers: registry,
        refresher: await refresher(),
        secrets: vault,
        hostId: agentHostId(core.header.vaultId),
        readReference,
        clock,
        sleep: (ms, signal) => sleep(ms, clock, signal),
        exclusively: (id, waitMs, body) => renewer.exclusively(id, waitMs, body),
      })
    }),
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
  renewer: Renewer,
  { core }: OpenedVault,
  store: Store,
): Promise<void> {
  try {
    await forwarder.close()
    // Tokens that are on their way must be stored before anything is shut.
    await renewer.close()
    await profiles.close()
  } finally {
    resolver.invalidateCache()
    await core.close()
    await store.close()
  }
}

async function unlocked(
  options: ComposeOptions,
  env: Readonly<Record<string, string | undefined>>,
  store: Store,
  clock: Clock,
): Promise<OpenedVault> {
  const exists = await hasVault(store)
  if (exists && options.mustNotExist === true) {
    throw new KeymuxError('vault_exists', `there is a vault at ${store.location} already`, {
      hint: 'use it, or name another place with --vault',
    })
  }
  const create = !exists && (options.create === true || options.mustNotExist === true)
  const slotTypes = create ? [] : (await inspectVault(store)).slots.map((slot) => slot.type)
  const unlock = typeof options.unlock === 'function' ? await options.unlock(slotTypes) : options.unlock
  const parts: OpenParts = {
    store,
    secret: await slotSecretOf(unlock, create ? 'new slot' : 'open'),
    ...('keyFile' in unlock ? { reopen: () => slotSecretOf(unlock, 'open') } : {}),
    clock,
    surface: options.surface ?? 'library',
    // What ends with the process cannot be put back in an older state.
    pins: store.ephemeral === true ? undefined : pinsOf(env),
    logger: options.logger,
    shortLived: options.shortLived,
    lenient: options.lenient,
    kdf: options.kdf,
  }
  if (!create) return openVault(parts)
  return createVault(parts).catch((error: unknown) => {
    // Another process made it a moment ago, which is as good unless it had to be this one.
    if (options.mustNotExist === true || !isKeymuxError(error, 'vault_exists')) throw error
    return openVault(parts)
  })
}

/** Beside the vault, where every process looks; where that takes nothing, in the user's state folder. */
function spillFolder(file: string, env: Readonly<Record<string, string | undefined>>): SpillFolder {
  const state = keymuxFolder('state', { platform: process.platform, env, home: homedir() })
  return new SpillFolder([`${file}-spill`, join(state, 'spill')])
}

function pinsOf(env: Readonly<Record<string, string | undefined>>): PinStore {
  const state = keymuxFolder('state', { platform: process.platform, env, home: homedir() })
  return new PinFiles(state, async (name, body) => {
    const { SqliteLocks } = await import('./storage/sqlite/index.js')
    const lock = await new SqliteLocks(join(state, 'locks')).acquire(name, { timeoutMs: PIN_WAIT_MS })
    if (lock === undefined) throw new KeymuxError('storage_busy', 'another process keeps the pin locked')
    try {
      await body()
    } finally {
      await lock.release()
    }
  })
}

/**
 * The storage of a vault.
 *
 * @throws KeymuxError `vault_not_found`, storage errors
 */
export async function composeStore(
  options: Pick<ComposeOptions, 'vault' | 'create' | 'mustNotExist' | 'signal'>,
): Promise<Store> {
  if (typeof options.vault !== 'string') return options.vault
  if (/^postgres(ql)?:\/\//i.test(options.vault)) {
    throw new KeymuxError('storage_unavailable', 'vaults on PostgreSQL are not part of this version', {
      hint: 'use a path',
    })
  }
  if (options.vault === '') throw new KeymuxError('invalid_value', 'the path of the vault is empty')
  const path = isAbsolute(options.vault) ? options.vault : resolvePath(options.vault)
  const { openSqliteStore } = await import('./storage/sqlite/index.js')
  return openSqliteStore(path, {
    create: options.create === true || options.mustNotExist === true,
    signal: options.signal,
  })
}

async function configOf(config: ComposeOptions['config']): Promise<KeymuxConfig> {
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

async function runLazily(commandLine: string, signal?: AbortSignal): Promise<string> {
  const { runCommand } = await import('./system/command.js')
  return runCommand(commandLine, signal)
}

/** Makes it when it is first asked for. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
