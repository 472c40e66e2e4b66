import type { CommandSpec } from '../spec.js'
import { absolutePath } from '../vault-facts.js'

/** `keymux vault backup`: a copy of the vault. */
export const vaultBackup: CommandSpec = {
  description:
    'The copy is as it was at one instant, sealed like the vault, and opens with the same passphrases and key files. An existing file is never overwritten. Put it back with keymux vault restore.',
  arguments: [{ name: 'PATH', summary: 'the file to write', completes: 'file' }],
  examples: [{ line: 'keymux vault backup ~/backups/keymux.db', does: 'while others go on using the vault' }],
  async run(context, input) {
    const path = absolutePath(context, 'PATH', input.argument('PATH'))
    const { vault } = await context.open()
    await vault.backup(path, { signal: context.signal })
    context.output.result({ path }, () =>
      context.output.isTTY ? `${context.style.good('✓')} The vault is copied to ${path}.` : path,
    )
    return undefined
  },
}
