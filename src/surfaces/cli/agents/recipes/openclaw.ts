import type { Recipe } from '../recipe.js'

/** OpenClaw's own gateway is a service that was started long before, with addresses from its configuration. */
export const openclaw: Recipe = {
  name: 'openclaw',
  label: 'OpenClaw',
  commands: ['openclaw', 'clawdbot'],
  packages: ['openclaw'],
  trial: { version: '2026-06-28', how: 'source' },
  providers: {},
  ignoresEnvironment: true,
  byHand: ['openclaw config set models.providers.{provider}.baseUrl {base}', 'openclaw gateway restart'],
}
