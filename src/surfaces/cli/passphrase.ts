import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import type { Unlock } from '../../profiles/types.js'
import type { CliContext } from './context.js'
import { readPassphraseDescriptor } from './descriptor.js'
import type { CliHandle, OpenOptions } from './services.js'

const TRIES = 3

/**
 * The passphrase that the environment or a descriptor gives; `undefined` when neither is used.
 *
 * @throws KeymuxError `invalid_value` for an empty `KEYMUX_PASSPHRASE` or a bad descriptor
 */
export async function givenPassphrase({
  host,
  settings,
  signal,
}: CliContext): Promise<string | Uint8Array | undefined> {
  const fromEnv = host.env.KEYMUX_PASSPHRASE
  if (fromEnv === '') {
    throw new KeymuxError('invalid_value', 'KEYMUX_PASSPHRASE is empty', {
      hint: 'unset it, or give a passphrase',
    })
  }
  if (fromEnv !== undefined) return fromEnv
  if (settings.passphraseFd === undefined) return undefined
  return readPassphraseDescriptor(settings.passphraseFd, signal)
}

/** Where the environment says the key file is; `undefined` when it does not. */
export function givenKeyFile({ host }: CliContext): string | undefined {
  const path = host.env.KEYMUX_KEY_FILE
  return path === undefined || path === '' ? undefined : path
}

/**
 * Opens the vault with the first that applies: `KEYMUX_PASSPHRASE`, `--passphrase-fd`, `KEYMUX_KEY_FILE`, a
 * prompt. A way for which the vault has no key slot does not apply. A passphrase mistyped at the prompt may
 * be typed again.
 *
 * @throws KeymuxError `vault_locked` with the list of ways, `wrong_passphrase`, …
 */
export async function openWithUnlock(context: CliContext, options: OpenOptions = {}): Promise<CliHandle> {
  const { host, settings, signal } = context
  for (let tries = 1; ; tries += 1) {
    let asked = false
    const unlock = async (slotTypes: readonly string[]): Promise<Unlock> => {
      const given = await givenUnlock(context, slotTypes)
      if (given !== undefined) return given
      asked = true
      return askUnlock(context, slotTypes, tries > 1)
    }
    try {
      return await host.services.openVault({
        ...options,
        location: settings.vault,
        config: settings.config,
        configRequired: settings.configSource !== 'default',
        unlock,
        env: host.env,
        clock: host.clock,
        signal,
      })
    } catch (error) {
      if (!asked || tries === TRIES || !isKeymuxError(error, 'wrong_passphrase')) throw error
    }
  }
}

async function givenUnlock(context: CliContext, slotTypes: readonly string[]): Promise<Unlock | undefined> {
  const passphrase = await givenPassphrase(context)
  if (passphrase !== undefined && takesPassphrase(slotTypes)) return { passphrase }
  const keyFile = givenKeyFile(context)
  if (keyFile !== undefined && slotTypes.includes('key_file')) return { keyFile }
  return undefined
}

async function askUnlock(context: CliContext, slotTypes: readonly string[], again: boolean): Promise<Unlock> {
  const { host, settings } = context
  const typed = takesPassphrase(slotTypes)
    ? await host.prompter.hidden(
        `${again ? 'Wrong passphrase. ' : ''}Passphrase for ${shownLocation(settings.vault)}: `,
      )
    : undefined
  if (typed === undefined) throw locked(slotTypes)
  if (typed === '') throw new KeymuxError('wrong_passphrase', 'no passphrase was typed')
  return { passphrase: typed }
}

function locked(slotTypes: readonly string[]): KeymuxError {
  const ways = [
    ...(takesPassphrase(slotTypes) ? ['set KEYMUX_PASSPHRASE', 'use --passphrase-fd N'] : []),
    ...(slotTypes.includes('key_file') ? ['set KEYMUX_KEY_FILE'] : []),
    ...(takesPassphrase(slotTypes) ? ['run it in a terminal'] : []),
  ]
  return new KeymuxError('vault_locked', 'the vault is locked', {
    hint: ways.length > 0 ? ways.join(', or ') : `it opens with ${slotTypes.join(', ') || 'no key'} alone`,
  })
}

function takesPassphrase(slotTypes: readonly string[]): boolean {
  return slotTypes.includes('passphrase')
}

/** A path as it is; a database URL without user, password and settings. */
function shownLocation(location: string): string {
  if (!/^postgres(ql)?:\/\//i.test(location) || !URL.canParse(location)) return location
  const { protocol, host, pathname } = new URL(location)
  return `${protocol}//${host}${pathname}`
}
