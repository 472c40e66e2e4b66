import type { Recipe } from '../recipe.js'

/** Crush reads base URLs from variables of its own names. */
export const crush: Recipe = {
  name: 'crush',
  label: 'Crush',
  commands: ['crush'],
  packages: ['@charmland/crush'],
  trial: { version: '37f36e9', how: 'source' },
  several: true,
  providers: {
    anthropic: { set: { ANTHROPIC_API_ENDPOINT: '{base}' } },
    openai: { set: { OPENAI_API_ENDPOINT: '{base}' } },
    gemini: { set: { GEMINI_API_ENDPOINT: '{base}', GEMINI_API_KEY: '{token}' } },
  },
  byHand: ['in crush.json, where it names a base_url: "base_url": "{base}"'],
}
