import { KeymuxError } from '../../../domain/errors.js'
import { NEW_PASSPHRASE_OPTION, readNewPassphrase } from '../new-slot.js'
import { slotToJson } from '../render/slots.js'
import type { CommandSpec } from '../spec.js'

/** `keymux vault passwd`: changes the passphrase. */
export const vaultPasswd: CommandSpec = {
  description:
    'The present passphrase opens the vault first, as for every command. The new one comes from KEYMUX_NEW_PASSPHRASE, --new-passphrase-fd or the terminal, where it is typed twice. Key files and other passphrases go on opening the vault, and so do old copies of it with the old passphrase.',
  options: [NEW_PASSPHRASE_OPTION],
  examples: [
    { line: 'keymux vault passwd', does: 'asks for the present passphrase and the new one' },
    { line: 'keymux vault passwd --new-passphrase-fd 3 3< FILE', does: 'reads the new one from a file' },
  ],
  async run(context, input) {
    const { vault } = await context.open()
    const slots = await vault.slots({ signal: context.signal })
    if (!slots.some(({ type }) => type === 'passphrase')) {
      throw new KeymuxError('slot_not_found', 'the vault has no passphrase', {
        hint: 'add one with keymux vault add-slot --passphrase',
      })
    }
    const passphrase = await readNewPassphrase(context, input)
    const slot = await vault.changePassphrase(passphrase, { signal: context.signal })
    context.output.result(
      { slot: slotToJson(slot) },
      () => `${context.style.good('✓')} The passphrase is changed; the old one opens the vault no more.`,
    )
    return undefined
  },
}
