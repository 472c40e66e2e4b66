import { existsSync } from 'node:fs'
import { loadConfig } from '../../../config/load.js'
import { effectiveSettings } from '../effective-settings.js'
import type { CommandSpec } from '../spec.js'
import { type Column, renderTable } from '../table.js'

const COLUMNS: readonly Column[] = [
  { header: 'SETTING', keep: true },
  { header: 'VALUE', keep: true },
  { header: 'FROM', keep: true },
]

/** `keymux config show`: the settings that hold. */
export const configShow: CommandSpec = {
  description:
    'Flags win over the environment, that over the config file, that over the defaults. Passphrases and keys are no settings, and not shown.',
  examples: [{ line: 'keymux config show --json', does: 'the same for programs' }],
  async run({ settings, output, style }) {
    const config = await loadConfig(settings.config, { required: settings.configSource !== 'default' })
    const all = await effectiveSettings(settings, config)
    output.result({ path: settings.config, exists: existsSync(settings.config), settings: all }, () =>
      renderTable(
        COLUMNS,
        all.map(({ key, value, source }) => [
          key,
          shown(value),
          source === 'default' ? { text: source, paint: style.dim } : source,
        ]),
        { width: output.width, header: style.bold },
      ),
    )
    return undefined
  },
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
