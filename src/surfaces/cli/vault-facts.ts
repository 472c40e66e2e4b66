import { resolve } from 'node:path'
import type { VaultHeader } from '../../crypto/header.js'
import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import { quote } from '../../domain/ids.js'
import type { Keymux } from '../../domain/keymux.js'
import type { SlotView, VaultStatus } from '../../domain/vault.js'
import { hasVault, inspectVault } from '../../vault/open.js'
import type { CliContext } from './context.js'
import { opensUnasked } from './passphrase.js'

/** What can be said of a vault; the last two only of an open one. */
export type VaultFacts = Omit<VaultStatus, 'profiles' | 'secrets' | 'sequence'> &
  Partial<Pick<VaultStatus, 'profiles' | 'secrets'>>

/** A locked vault as its file tells, none of it authenticated. */
export interface LockedVault {
  readonly location: string
  readonly kind: string
  /** The file that holds it, where it is one. */
  readonly file: string | undefined
  readonly header: VaultHeader
  readonly term: number
}

/** A path as it was given, from the folder that keymux was called in. @throws KeymuxError `invalid_value` */
export function absolutePath({ host }: CliContext, what: string, path: string): string {
  if (path === '' || path.includes('\0')) throw new KeymuxError('invalid_value', `${what} is no path`)
  // An option that lacks its value swallows the next option.
  if (path.startsWith('-')) {
    throw new KeymuxError('invalid_value', `${what} wants a path, and ${quote(path)} looks like an option`, {
      hint: `write ./${path} if that is its name`,
    })
  }
  return resolve(host.cwd, path)
}

/**
 * Reads the header of a vault, the configured one by default.
 *
 * @throws KeymuxError `vault_not_found`, `vault_corrupt`, storage errors
 */
export async function inspectLocked(
  { host, settings, signal }: CliContext,
  location: string = settings.vault,
): Promise<LockedVault> {
  const store = await host.services.openStore(location, signal)
  try {
    const { location: shown, kind, file } = store
    const header = await inspectVault(store)
    return { location: shown, kind, file, header, term: await store.read((reader) => reader.term()) }
  } finally {
    await store.close()
  }
}

/** Whether there is a vault already. A file that a creation left unfinished is none. @throws storage errors */
export async function vaultExists({ host, settings, signal }: CliContext): Promise<boolean> {
  try {
    const store = await host.services.openStore(settings.vault, signal)
    try {
      return await hasVault(store)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (isKeymuxError(error, 'vault_not_found')) return false
    throw error
  }
}

/**
 * The open vault if that takes no question; `undefined` where there is none, or only asking would open it.
 *
 * @throws KeymuxError `wrong_passphrase` and whatever else opening throws
 */
export async function openUnasked(context: CliContext): Promise<Keymux | undefined> {
  try {
    const { header } = await inspectLocked(context)
    if (!opensUnasked(context, typesOf(header))) return undefined
  } catch (error) {
    if (isKeymuxError(error, 'vault_not_found')) return undefined
    throw error
  }
  return context.open()
}

/** The types of a vault's slots. */
export function typesOf(header: VaultHeader): string[] {
  return header.slots.map((slot) => slot.type)
}

/** What is known of a vault that was not opened. */
export function lockedFacts({ location, kind, header, term }: LockedVault): VaultFacts {
  return {
    location,
    kind,
    vaultId: header.vaultId.toString('hex'),
    format: header.format,
    term,
    createdAt: header.createdAt,
    unlocked: false,
    slots: header.slots.map(({ id, type, label, createdAt }): SlotView => {
      return { id, type, createdAt, current: false, ...(label === undefined ? {} : { label }) }
    }),
  }
}
