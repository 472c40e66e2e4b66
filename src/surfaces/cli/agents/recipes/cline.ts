import type { Change, Recipe } from '../recipe.js'

const AT = '1970-01-01T00:00:00.000Z'

/** Cline's name of the provider, and what its SDK wants after the gateway's address. */
function provider(id: string, model: string, version = ''): Change {
  const settings = { provider: id, model, baseUrl: `{base}${version}` }
  const json = {
    version: 1,
    lastUsedProvider: id,
    providers: { [id]: { settings, updatedAt: AT, tokenSource: 'manual' } },
  }
  return {
    set: {
      CLINE_PROVIDER_SETTINGS_PATH: '{file:providers.json}',
      CLINE_SESSION_BACKEND_MODE: 'local',
    },
    files: [{ name: 'providers.json', text: JSON.stringify(json) }],
  }
}

/**
 * Cline keeps base URLs in its provider settings; for this run it is given settings of their own. Its sessions
 * would otherwise run in a background process, with the environment of whoever started that one.
 */
export const cline: Recipe = {
  name: 'cline',
  label: 'Cline',
  commands: ['cline'],
  packages: ['cline'],
  trial: { version: '3.0.65', how: 'run' },
  providers: {
    anthropic: provider('anthropic', 'claude-sonnet-4-5', '/v1'),
    openai: provider('openai-native', 'gpt-5'),
    openrouter: provider('openrouter', 'anthropic/claude-sonnet-4.5'),
  },
}
