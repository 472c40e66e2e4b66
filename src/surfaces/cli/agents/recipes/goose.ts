import type { Recipe } from '../recipe.js'

/** goose takes hosts from variables of its own names, which go before its configuration. */
export const goose: Recipe = {
  name: 'goose',
  label: 'goose',
  commands: ['goose'],
  packages: [],
  trial: { version: '011dd8c', how: 'source' },
  providers: {
    anthropic: {
      set: { ANTHROPIC_HOST: '{base}' },
      preset: { GOOSE_PROVIDER: 'anthropic', GOOSE_MODEL: 'claude-sonnet-4-5' },
    },
    openai: {
      set: { OPENAI_HOST: '{base}', OPENAI_BASE_PATH: 'chat/completions' },
      preset: { GOOSE_PROVIDER: 'openai', GOOSE_MODEL: 'gpt-5' },
    },
    gemini: {
      set: { GOOGLE_HOST: '{base}', GOOGLE_API_KEY: '{token}' },
      preset: { GOOSE_PROVIDER: 'google', GOOSE_MODEL: 'gemini-2.5-pro' },
    },
    openrouter: {
      set: { OPENROUTER_HOST: '{base}' },
      preset: { GOOSE_PROVIDER: 'openrouter', GOOSE_MODEL: 'anthropic/claude-sonnet-4.5' },
    },
  },
}
