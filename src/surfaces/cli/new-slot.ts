import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import type { OptionSpec } from './parameters.js'
import { otherPassphrase } from './passphrase.js'

/** The option of commands that take another passphrase, for {@link readNewPassphrase}. */
export const NEW_PASSPHRASE_OPTION: OptionSpec = {
  flags: '--new-passphrase-fd <N>',
  summary: 'read the new passphrase from file descriptor N',
}

/**
 * The new passphrase: from `KEYMUX_NEW_PASSPHRASE`, `--new-passphrase-fd`, or typed twice.
 *
 * @throws KeymuxError `vault_locked` when there is none, `invalid_value`, `usage`
 */
export function readNewPassphrase(context: CliContext, input: CommandInput): Promise<string | Uint8Array> {
  return otherPassphrase(context, input, {
    variable: 'KEYMUX_NEW_PASSPHRASE',
    option: 'new-passphrase-fd',
    ask: (prompter) => prompter.newPassphrase('New passphrase'),
    otherwise: 'nothing was changed',
  })
}
