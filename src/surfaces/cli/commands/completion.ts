import { COMPLETION_SHELLS, completionScript, isCompletionShell } from '../completion/scripts.js'
import { usageError } from '../errors.js'
import type { CommandSpec } from '../spec.js'

/** `keymux completion`: a script that teaches a shell to complete command lines. */
export const completion: CommandSpec = {
  description: `It completes commands, options, their values and the names of providers. It never opens the vault,
so the ids of profiles are not completed.`,
  arguments: [
    { name: 'SHELL', summary: `one of ${COMPLETION_SHELLS.join(', ')}`, completes: COMPLETION_SHELLS },
  ],
  examples: [
    { line: 'eval "$(keymux completion bash)"', does: 'in ~/.bashrc' },
    { line: 'eval "$(keymux completion zsh)"', does: 'in ~/.zshrc, after compinit' },
    { line: 'keymux completion fish | source', does: 'in ~/.config/fish/config.fish' },
    {
      line: 'keymux completion powershell | Out-String | Invoke-Expression',
      does: 'in your PowerShell $PROFILE',
    },
  ],
  async run({ output }, input) {
    const shell = input.argument('SHELL')
    if (!isCompletionShell(shell)) {
      throw usageError('this shell has no completion script', `use ${COMPLETION_SHELLS.join(', ')}`)
    }
    const script = completionScript(shell)
    output.result({ shell, script }, () => script)
    return undefined
  },
}
