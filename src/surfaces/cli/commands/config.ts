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
  subcommands: [
    {
      name: 'show',
      summary: 'print the settings that hold, and where each comes from',
      load: async () => (await import('./config-show.js')).configShow,
    },
    { name: 'path', summary: 'print where the config file is', load: async () => path },
    {
      name: 'validate',
      summary: 'check the config file',
      load: async () => (await import('./config-validate.js')).configValidate,
    },
  ],
  defaultSubcommand: 'show',
  examples: [
    { line: 'keymux config show', does: 'the settings that hold' },
    { line: 'keymux config validate', does: 'whether the file is right' },
  ],
}
