import type { Change, Conflict, Recipe } from '../recipe.js'

/** opencode's name of the provider, and what its SDK wants after the gateway's address. */
function options(id: string, version = ''): Change {
  const provider = { [id]: { options: { baseURL: `{base}${version}`, apiKey: '{env:{key}}' } } }
  return { merge: { variable: 'OPENCODE_CONFIG_CONTENT', json: { provider } } }
}

/** A login with ChatGPT comes with a plugin that sends requests to ChatGPT, whatever address is configured. */
const CHATGPT_LOGIN: Conflict = {
  file: {
    variable: 'XDG_DATA_HOME',
    within: 'opencode/auth.json',
    home: '.local/share/opencode/auth.json',
  },
  at: ['openai', 'type'],
  is: 'oauth',
  change: { set: { OPENCODE_DISABLE_DEFAULT_PLUGINS: '1' } },
}

/** opencode asks the address of its configuration, whatever the variables of the provider's SDK say. */
export const opencode: Recipe = {
  name: 'opencode',
  label: 'opencode',
  commands: ['opencode'],
  packages: ['opencode-ai'],
  trial: { version: '1.18.33', how: 'run' },
  several: true,
  providers: {
    anthropic: options('anthropic', '/v1'),
    openai: { ...options('openai'), conflict: CHATGPT_LOGIN },
    gemini: options('google', '/v1beta'),
    openrouter: options('openrouter'),
    groq: options('groq', '/openai/v1'),
    mistral: options('mistral', '/v1'),
    deepseek: options('deepseek'),
    xai: options('xai'),
  },
}
