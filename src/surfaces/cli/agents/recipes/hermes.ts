import type { Recipe } from '../recipe.js'

/** Hermes reads the usual variables of most providers. A `base_url` in its config.yaml goes before them. */
export const hermes: Recipe = {
  name: 'hermes',
  label: 'Hermes Agent',
  commands: ['hermes'],
  packages: ['hermes-agent'],
  trial: { version: '0006718', how: 'source' },
  several: true,
  providers: {
    anthropic: {
      set: { ANTHROPIC_BASE_URL: '{base}' },
      unset: ['ANTHROPIC_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'],
    },
    openai: { set: { OPENAI_BASE_URL: '{base}' } },
    openrouter: { set: { OPENROUTER_BASE_URL: '{base}' } },
    deepseek: { set: { DEEPSEEK_BASE_URL: '{base}' } },
    xai: { set: { XAI_BASE_URL: '{base}' } },
    qwen: { set: { DASHSCOPE_BASE_URL: '{base}' } },
    huggingface: { set: { HF_BASE_URL: '{base}' } },
  },
}
