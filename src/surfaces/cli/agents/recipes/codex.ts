import type { Recipe } from '../recipe.js'

/**
 * Codex reads no base URL from its environment, and its built-in provider prefers its own login. A provider
 * of the configuration, given on the command line, has neither, and asks over HTTP alone.
 */
export const codex: Recipe = {
  name: 'codex',
  label: 'Codex',
  commands: ['codex'],
  packages: ['@openai/codex'],
  trial: { version: '0.171.0', how: 'run' },
  providers: {
    openai: {
      args: [
        '-c',
        'model_provider="keymux"',
        '-c',
        'model_providers.keymux={name="keymux",base_url="{base}",env_key="{key}",wire_api="responses"}',
      ],
    },
  },
}
