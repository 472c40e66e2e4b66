import { existsSync } from 'node:fs'
import type { CommandGroup, CommandSpec } from '../spec.js'

const path: CommandSpec = {
  description: 'The file need not exist: without it the defaults hold.',
  examples: [
    { line: 'keymux config path', does: 'where to put your settings' },
    { line: '$EDITOR "$(keymux config path)"', does: 'edit them' },
  ],
  async run({ settings, output }) {
    const exists = existsSync(settings.config)
    output.result({ path: settings.config, exists }, () => settings.config)
    if (!exists) output.note('There is no such file yet; the defaults hold.')
    return undefined
  },
}

/** `keymux config`: the configuration file. */
export const config: CommandGroup = {
  subcommands: [{ name: 'path', summary: 'print where the config file is', load: async () => path }],
  examples: [{ line: 'keymux config path', does: 'where to put your settings' }],
}
