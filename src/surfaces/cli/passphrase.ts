import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import type { Keymux } from '../../domain/keymux.js'
import type { Unlock } from '../../domain/vault.js'
import type { CliContext } from './context.js'
import { readPassphraseDescriptor } from './descriptor.js'
import type { CommandInput } from './input.js'
import type { Prompter } from './prompt.js'
import type { OpenOptions } from './services.js'

const TRIES = 3

/** An open vault, and what opened it. */
export interface Unlocked {
  readonly handle: Keymux
  readonly unlock: Unlock
}

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
  const fromEnv = filledVariable(host.env, 'KEYMUX_PASSPHRASE')
  if (fromEnv !== undefined) return fromEnv
  if (settings.passphraseFd === undefined) return undefined
  return readPassphraseDescriptor(settings.passphraseFd, signal)
}

/** Where the environment says the key file is; `undefined` when it does not. */
export function givenKeyFile({ host }: CliContext): string | undefined {
  const path = host.env.KEYMUX_KEY_FILE
  return path === undefined || path === '' ? undefined : path
}

/** Whether a vault with these slots can be opened without asking anybody. Reads no descriptor. */
export function opensUnasked(context: CliContext, slotTypes: readonly string[]): boolean {
  const { host, settings } = context
  const passphrase = host.env.KEYMUX_PASSPHRASE !== undefined || settings.passphraseFd !== undefined
  return (
    (passphrase && takesPassphrase(slotTypes)) ||
    (givenKeyFile(context) !== undefined && slotTypes.includes('key_file'))
  )
}

/** Where a passphrase other than the vault's own may come from. */
export interface OtherPassphrase {
  /** Environment variable that may hold it. */
  readonly variable: string
  /** The option that may name a descriptor, without dashes. */
  readonly option: string
  /** Asks on the terminal; `undefined` where there is none. */
  readonly ask: (prompter: Prompter) => Promise<string | undefined>
  /** What cannot be done without it: `the export cannot be sealed`. */
  readonly otherwise: string
}

/**
 * A passphrase other than the one that opens the vault: from a variable, a descriptor, or the terminal.
 *
 * @throws KeymuxError `vault_locked` with the list of ways when there is none; `invalid_value`, `usage`
 */
export async function otherPassphrase(
  { host, settings, signal }: CliContext,
  input: CommandInput,
  { variable, option, ask, otherwise }: OtherPassphrase,
): Promise<string | Uint8Array> {
  const fromEnv = filledVariable(host.env, variable)
  if (fromEnv !== undefined) return fromEnv
  const fd = input.integer(option, { min: 0, max: 65_535 })
  if (fd !== undefined) {
    if (fd !== settings.passphraseFd) return readPassphraseDescriptor(fd, signal)
    throw new KeymuxError('usage', `--passphrase-fd and --${option} cannot be the same descriptor`)
  }
  const typed = await ask(host.prompter)
  if (typed === '') throw new KeymuxError('wrong_passphrase', 'no passphrase was typed')
  if (typed !== undefined) return typed
  throw new KeymuxError('vault_locked', `${otherwise}: there is no passphrase, and no terminal to ask on`, {
    hint: `set ${variable}, or use --${option} N, or run it in a terminal`,
  })
}

/** A passphrase for a format that takes nothing but text. @throws KeymuxError `invalid_value` */
export function passphraseText(passphrase: string | Uint8Array): string {
  if (typeof passphrase === 'string') return passphrase
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(passphrase)
  } catch {
    throw new KeymuxError('invalid_value', 'the passphrase is not UTF-8 text')
  }
}

/**
 * Opens the vault with the first that applies: `KEYMUX_PASSPHRASE`, `--passphrase-fd`, `KEYMUX_KEY_FILE`, a
 * prompt. A way for which the vault has no key slot does not apply. A passphrase mistyped at the prompt may
 * be typed again.
 *
 * @throws KeymuxError `vault_locked` with the list of ways, `wrong_passphrase`, …
 */
export async function openWithUnlock(context: CliContext, options: OpenOptions = {}): Promise<Keymux> {
  const { vault } = context.settings
  return (await openAt(context, vault, { ...options, shown: shownLocation(vault) })).handle
}

/** {@link openWithUnlock} for a vault elsewhere, which is called `shown` when its passphrase is asked for. */
export async function openAt(
  context: CliContext,
  location: string,
  { shown, ...options }: OpenOptions & { readonly shown: string },
): Promise<Unlocked> {
  const { host, settings, signal } = context
  for (let tries = 1; ; tries += 1) {
    let asked = false
    let used: Unlock | undefined
    const unlock = async (slotTypes: readonly string[]): Promise<Unlock> => {
      used = await givenUnlock(context, slotTypes)
      asked = used === undefined
      used ??= await askUnlock(context, slotTypes, shown, tries > 1)
      return used
    }
    try {
      const handle = await host.services.openVault({
        ...options,
        location,
        config: settings.config,
        configRequired: settings.configSource !== 'default',
        unlock,
        env: host.env,
        clock: host.clock,
        signal,
      })
      if (used === undefined) throw new Error('the vault was opened without its key')
      return { handle, unlock: used }
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

async function askUnlock(
  context: CliContext,
  slotTypes: readonly string[],
  shown: string,
  again: boolean,
): Promise<Unlock> {
  const typed = takesPassphrase(slotTypes)
    ? await context.host.prompter.hidden(`${again ? 'Wrong passphrase. ' : ''}Passphrase for ${shown}: `)
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

function filledVariable(env: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  const value = env[name]
  if (value !== '') return value
  throw new KeymuxError('invalid_value', `${name} is empty`, { hint: 'unset it, or give a passphrase' })
}

/** A path as it is; a database URL without user, password and settings. */
export function shownLocation(location: string): string {
  if (!/^postgres(ql)?:\/\//i.test(location) || !URL.canParse(location)) return location
  const { protocol, host, pathname } = new URL(location)
  return `${protocol}//${host}${pathname}`
}
