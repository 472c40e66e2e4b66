import type { Recipe } from '../recipe.js'

const ANTHROPIC = `name: keymux
version: 0.0.1
schema: v1
models:
  - name: Claude Sonnet 4.5
    provider: anthropic
    model: claude-sonnet-4-5
    apiBase: {base}/v1/
    apiKey: \${{ secrets.ANTHROPIC_API_KEY }}
    roles: [chat, edit, apply]
`
const OPENAI = `name: keymux
version: 0.0.1
schema: v1
models:
  - name: GPT-5
    provider: openai
    model: gpt-5
    apiBase: {base}/
    apiKey: \${{ secrets.OPENAI_API_KEY }}
    roles: [chat, edit, apply]
`

/**
 * Continue's command line reads its models from one configuration file alone. Without one named, and with
 * Anthropic's key in the environment, it would write that key into the user's own.
 */
export const continueCli: Recipe = {
  name: 'continue',
  label: 'Continue',
  commands: ['cn'],
  packages: ['@continuedev/cli'],
  packageOnly: true,
  trial: { version: '1.5.47', how: 'run' },
  providers: {
    anthropic: {
      args: ['--config', '{file:continue.yaml}'],
      unlessOption: '--config',
      files: [{ name: 'continue.yaml', text: ANTHROPIC }],
    },
    openai: {
      args: ['--config', '{file:continue.yaml}'],
      unlessOption: '--config',
      files: [{ name: 'continue.yaml', text: OPENAI }],
    },
  },
  subcommands: ['login', 'logout', 'ls'],
}
