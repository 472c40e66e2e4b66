import type { Change, Recipe } from '../recipe.js'

/** An OpenAI-compatible provider. Without a model it does not take its way of authentication from variables. */
function openaiCompatible(model: string): Change {
  return {
    set: { OPENAI_API_KEY: '{token}', OPENAI_BASE_URL: '{base}' },
    preset: { OPENAI_MODEL: model },
    unset: ['QWEN_OAUTH'],
    args: ['--auth-type', 'openai', '--openai-base-url', '{base}'],
    unlessOption: '--auth-type',
  }
}

/** qwen-code: the way of authentication on the command line goes before the one that its settings keep. */
export const qwenCode: Recipe = {
  name: 'qwen-code',
  label: 'qwen-code',
  commands: ['qwen'],
  packages: ['@qwen-code/qwen-code'],
  trial: { version: '0.24.4', how: 'run' },
  providers: {
    qwen: openaiCompatible('qwen3-coder-plus'),
    openai: openaiCompatible('gpt-5'),
    deepseek: openaiCompatible('deepseek-chat'),
    anthropic: {
      set: { ANTHROPIC_API_KEY: '{token}', ANTHROPIC_BASE_URL: '{base}' },
      preset: { ANTHROPIC_MODEL: 'claude-sonnet-4-5' },
      unset: ['QWEN_OAUTH'],
      args: ['--auth-type', 'anthropic'],
      unlessOption: '--auth-type',
    },
  },
  subcommands: ['mcp', 'extensions', 'auth', 'serve', 'channel', 'hooks'],
}
