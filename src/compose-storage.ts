import { homedir } from 'node:os'
import { isAbsolute, join, resolve as resolvePath } from 'node:path'
import type { ComposeOptions, Environment } from './compose-options.js'
import { keymuxFolder } from './config/paths.js'
import { isKeymuxError, KeymuxError } from './domain/errors.js'
import type { Clock } from './domain/ports.js'
import type { Store } from './storage/contract.js'
import { PinFiles } from './system/pin-file.js'
import { slotSecretOf } from './system/slot-secret.js'
import { SpillFolder } from './system/spill-files.js'
import type { OpenedVault, OpenParts } from './vault/open.js'
import { createVault, hasVault, inspectVault, openVault } from './vault/open.js'
import type { PinStore } from './vault/pin-keeper.js'

/** Writing a pin takes a millisecond; many processes may end at once. */
const PIN_WAIT_MS = 5_000

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

/** Opens the vault of a store, or makes it there. */
export async function composeVault(
  options: ComposeOptions,
  env: Environment,
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
    notice: options.notice,
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
export function composeSpill(file: string, env: Environment): SpillFolder {
  const state = keymuxFolder('state', { platform: process.platform, env, home: homedir() })
  return new SpillFolder([`${file}-spill`, join(state, 'spill')])
}

function pinsOf(env: Environment): PinStore {
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
