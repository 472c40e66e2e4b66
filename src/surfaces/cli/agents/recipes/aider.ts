import type { Recipe } from '../recipe.js'

/** aider asks through LiteLLM, which has names of its own for base URLs. */
export const aider: Recipe = {
  name: 'aider',
  label: 'aider',
  commands: ['aider'],
  packages: ['aider-chat', 'aider'],
  trial: { version: '5dc9490', how: 'source' },
  several: true,
  providers: {
    anthropic: { set: { ANTHROPIC_API_BASE: '{base}' } },
    openai: { set: { OPENAI_API_BASE: '{base}' }, unset: ['OPENAI_ORGANIZATION'] },
  },
}
