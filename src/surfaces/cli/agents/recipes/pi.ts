import type { Change, Recipe } from '../recipe.js'

/** pi's name of the provider, and what its SDK wants after the gateway's address. */
function provider(id: string, version = ''): Change {
  const json = { [id]: { baseUrl: `{base}${version}`, key: '{key}' } }
  return { merge: { variable: 'KEYMUX_PI_PROVIDERS', json } }
}

const EXTENSION = `// Sends pi's requests through keymux for as long as this run of it lasts.
export default function (pi) {
  const providers = Object.entries(JSON.parse(process.env.KEYMUX_PI_PROVIDERS ?? '{}'))
  for (const [name, { baseUrl }] of providers) pi.registerProvider(name, { baseUrl })
  // A key or login in pi's own auth.json would go before the variable.
  pi.on('session_start', (_event, ctx) => {
    for (const [name, { key }] of providers) {
      const token = process.env[key]
      if (token) ctx.modelRegistry.authStorage.setRuntimeApiKey(name, token)
    }
  })
}
`

/** pi reads base URLs from its own files alone; an extension that lasts for one run sets them. */
export const pi: Recipe = {
  name: 'pi',
  label: 'pi',
  commands: ['pi'],
  packages: ['@mariozechner/pi-coding-agent'],
  packageOnly: true,
  trial: { version: '0.73.1', how: 'run' },
  several: true,
  providers: {
    anthropic: provider('anthropic'),
    openai: provider('openai'),
    gemini: provider('google', '/v1beta'),
    openrouter: provider('openrouter'),
    groq: provider('groq', '/openai/v1'),
    deepseek: provider('deepseek'),
    xai: provider('xai'),
    mistral: provider('mistral'),
  },
  always: {
    args: ['-e', '{file:keymux-pi.ts}'],
    unset: ['ANTHROPIC_OAUTH_TOKEN'],
    files: [{ name: 'keymux-pi.ts', text: EXTENSION }],
  },
  subcommands: ['install', 'remove', 'update', 'list', 'config'],
}
