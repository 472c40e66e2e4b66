import type { Change, Recipe } from '../recipe.js'

/**
 * The settings of the system go before the user's: a list of models there could name other addresses. The
 * defaults of the system lie beside them, so their place is said too.
 */
const WITHOUT_MODEL_LISTS: Change = {
  set: { QWEN_CODE_SYSTEM_SETTINGS_PATH: '{file:qwen-code.json}' },
  preset: {
    QWEN_CODE_SYSTEM_DEFAULTS_PATH: {
      linux: '/etc/qwen-code/system-defaults.json',
      darwin: '/Library/Application Support/QwenCode/system-defaults.json',
      win32: 'C:\\ProgramData\\qwen-code\\system-defaults.json',
    },
  },
  unset: ['QWEN_OAUTH'],
  files: [
    {
      name: 'qwen-code.json',
      json: { modelProviders: { openai: [], anthropic: [] } },
      over: {
        variable: 'QWEN_CODE_SYSTEM_SETTINGS_PATH',
        path: {
          linux: '/etc/qwen-code/settings.json',
          darwin: '/Library/Application Support/QwenCode/settings.json',
          win32: 'C:\\ProgramData\\qwen-code\\settings.json',
        },
      },
    },
  ],
}

/** An OpenAI-compatible provider. Without a model it does not take its way of authentication from variables. */
function openaiCompatible(model: string): Change {
  return {
    set: { OPENAI_API_KEY: '{token}', OPENAI_BASE_URL: '{base}' },
    preset: { OPENAI_MODEL: model },
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
      args: ['--auth-type', 'anthropic'],
      unlessOption: '--auth-type',
    },
  },
  always: WITHOUT_MODEL_LISTS,
  subcommands: ['mcp', 'extensions', 'auth', 'serve', 'channel', 'hooks'],
}
