import type { Change, Recipe } from '../recipe.js'

/** A provider of one's own, which needs a model to be named. */
function ownProvider(type: string, model: string): Change {
  return {
    set: {
      COPILOT_PROVIDER_TYPE: type,
      COPILOT_PROVIDER_BASE_URL: '{base}',
      COPILOT_PROVIDER_API_KEY: '{token}',
    },
    preset: { COPILOT_MODEL: model },
    unset: ['COPILOT_PROVIDER_BEARER_TOKEN'],
  }
}

/** GitHub Copilot CLI asks GitHub unless its variables name a provider. */
export const copilotCli: Recipe = {
  name: 'copilot-cli',
  label: 'GitHub Copilot CLI',
  commands: ['copilot'],
  packages: ['@github/copilot'],
  trial: { version: '1.0.102', how: 'run' },
  providers: {
    anthropic: ownProvider('anthropic', 'claude-sonnet-4-5'),
    openai: ownProvider('openai', 'gpt-5'),
  },
}
