import type { ProviderMetadata } from '../domain/provider.js'

/** Anthropic. API keys go into `x-api-key`; tokens and OAuth are bearer tokens, with a variable of their own. */
export const anthropic: ProviderMetadata = {
  name: 'anthropic',
  label: 'Anthropic',
  description: 'Anthropic API (Claude)',
  modes: ['api_key', 'oauth'],
  envKey: 'ANTHROPIC_API_KEY',
  website: 'https://console.anthropic.com/settings/keys',
  scopes: ['openid', 'email', 'profile'],
  baseUrl: 'https://api.anthropic.com',
  auth: 'x-api-key',
  headers: { 'anthropic-version': '2023-06-01' },
  family: 'anthropic',
  tokenEnvKey: 'ANTHROPIC_AUTH_TOKEN',
  baseUrlEnv: 'ANTHROPIC_BASE_URL',
  check: { method: 'GET', path: '/v1/models' },
}
