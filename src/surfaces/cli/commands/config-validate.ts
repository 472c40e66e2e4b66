import { existsSync } from 'node:fs'
import { ConfigError } from '../../../config/errors.js'
import { reviewRules } from '../rule-doubts.js'
import type { CommandSpec } from '../spec.js'

/** `keymux config validate`: is the config file right? */
export const configValidate: CommandSpec = {
  description:
    'Exits 2 when it is not, and names the line, the key and what was expected there. Declarations of providers are checked too. Rules about failures that never decide, or speak of nearly everything, are told as warnings.',
  examples: [{ line: 'keymux config validate --config draft.yaml', does: 'checks a file before it is used' }],
  async run(context) {
    const { settings, output, host, style } = context
    try {
      await host.services.providers(settings.config, settings.configSource !== 'default')
    } catch (error) {
      // The error itself tells of the first.
      if (error instanceof ConfigError) for (const problem of error.problems.slice(1)) output.note(problem)
      throw error
    }
    const exists = existsSync(settings.config)
    const { doubts } = await reviewRules(context, 'config')
    const warnings = doubts.map(({ where, message }) => `${where}: ${message}`)
    for (const warning of warnings) output.note(warning)
    output.result(
      { path: settings.config, exists, valid: true, ...(warnings.length > 0 && { warnings }) },
      () =>
        exists
          ? `${style.good('✓')} ${settings.config} is valid.`
          : `There is no ${settings.config}; the defaults hold.`,
    )
    return undefined
  },
}
