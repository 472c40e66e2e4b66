import { KeymuxError } from '../../domain/errors.js'
import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import { newPassphrase } from './passphrase.js'
import type { OptionSpec } from './spec.js'

/** The option of commands that take another passphrase, for {@link readNewPassphrase}. */
export const NEW_PASSPHRASE_OPTION: OptionSpec = {
  flags: '--new-passphrase-fd <N>',
  summary: 'read the new passphrase from file descriptor N',
}

/**
 * The new passphrase: from `KEYMUX_NEW_PASSPHRASE`, `--new-passphrase-fd`, or typed twice.
 *
 * @throws KeymuxError `invalid_secret` when there is none, `invalid_value`, `usage`
 */
export async function readNewPassphrase(
  context: CliContext,
  input: CommandInput,
): Promise<string | Uint8Array> {
  const passphrase = await newPassphrase(context, {
    variable: 'KEYMUX_NEW_PASSPHRASE',
    fdOption: '--new-passphrase-fd',
    fd: input.text('new-passphrase-fd'),
    question: 'New passphrase',
  })
  if (passphrase !== undefined) return passphrase
  throw new KeymuxError('invalid_secret', 'no new passphrase was given, and there is no terminal to ask on', {
    hint: 'set KEYMUX_NEW_PASSPHRASE, or use --new-passphrase-fd N, or run it in a terminal',
  })
}
