import type { Recipe } from '../recipe.js'

/**
 * Claude Code. With `ANTHROPIC_API_KEY` the interactive program asks whether to use the key, and a "no" is
 * kept; a bearer token is used without a question, and goes before a login of its own. Its settings may set
 * base URL and key as well, and would win, unless whoever starts it says that he manages the provider.
 */
export const claudeCode: Recipe = {
  name: 'claude-code',
  label: 'Claude Code',
  commands: ['claude'],
  packages: ['@anthropic-ai/claude-code'],
  trial: { version: '2.1.332', how: 'run' },
  providers: {
    anthropic: {
      set: {
        ANTHROPIC_BASE_URL: '{base}',
        ANTHROPIC_AUTH_TOKEN: '{token}',
        CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: '1',
      },
      unset: [
        'ANTHROPIC_API_KEY',
        'CLAUDE_CODE_OAUTH_TOKEN',
        'ANTHROPIC_UNIX_SOCKET',
        'CLAUDE_CODE_USE_GATEWAY',
        'CLAUDE_CODE_USE_BEDROCK',
        'CLAUDE_CODE_USE_VERTEX',
        'CLAUDE_CODE_USE_FOUNDRY',
        'CLAUDE_CODE_USE_MANTLE',
        'CLAUDE_CODE_USE_ANTHROPIC_AWS',
        'CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD',
      ],
    },
  },
}
