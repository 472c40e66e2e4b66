import { existsSync } from 'node:fs'
import { ConfigError } from '../../../config/errors.js'
import type { CommandSpec } from '../spec.js'

/** `keymux config validate`: is the config file right? */
export const configValidate: CommandSpec = {
  description:
    'Exits 2 when it is not, and names the line, the key and what was expected there. Declarations of providers are checked too.',
  examples: [{ line: 'keymux config validate --config draft.yaml', does: 'checks a file before it is used' }],
  async run({ settings, output, host, style }) {
    try {
      await host.services.providers(settings.config, settings.configSource !== 'default')
    } catch (error) {
      // The error itself tells of the first.
      if (error instanceof ConfigError) for (const problem of error.problems.slice(1)) output.note(problem)
      throw error
    }
    const exists = existsSync(settings.config)
    output.result({ path: settings.config, exists, valid: true }, () =>
      exists
        ? `${style.good('✓')} ${settings.config} is valid.`
        : `There is no ${settings.config}; the defaults hold.`,
    )
    return undefined
  },
}
