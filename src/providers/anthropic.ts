import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Anthropic. API keys go into `x-api-key`; tokens and OAuth are bearer tokens, with a variable of their own. */
export const anthropic: ProviderMetadata = defineProvider({
  name: 'anthropic',
  label: 'Anthropic',
  description: 'Anthropic API (Claude)',
  docs: 'https://docs.claude.com/en/api/overview',
  modes: ['api_key', 'oauth'],
  envKey: 'ANTHROPIC_API_KEY',
  website: 'https://console.anthropic.com/settings/keys',
  scopes: ['openid', 'email', 'profile'],
  baseUrl: 'https://api.anthropic.com',
  failureFamily: 'anthropic',
  auth: 'x-api-key',
  headers: { 'anthropic-version': '2023-06-01' },
  family: 'anthropic',
  tokenEnvKey: 'ANTHROPIC_AUTH_TOKEN',
  baseUrlEnv: 'ANTHROPIC_BASE_URL',
  baseUrlAliases: ['ANTHROPIC_API_URL', 'ANTHROPIC_API_BASE', 'ANTHROPIC_API_HOST', 'CLAUDE_API_URL'],
  // A subscription's token: as a bearer token in the general variable Claude Code does not know it for one.
  tokenEnvKeys: { 'sk-ant-oat': 'CLAUDE_CODE_OAUTH_TOKEN' },
  // docs.anthropic.com: what the API takes such a token for depends on this.
  tokenHeaders: { 'sk-ant-oat': { 'anthropic-beta': 'oauth-2025-04-20' } },
  relatedEnv: ['CLAUDE_API_KEY', 'ANTHROPIC_CUSTOM_HEADERS'],
  check: { method: 'GET', path: '/v1/models' },
  apiPrefix: '/v1',
  apiPaths: [
    'messages',
    'models',
    'complete',
    'files',
    'skills',
    'organizations',
    'agents',
    'sessions',
    'environments',
    'vaults',
  ],
  // docs.claude.com/en/api/openai-sdk
  compatiblePath: '/v1',
  aliases: ['claude'],
  login: {
    status: 'first-party-only',
    note: "logins with a Claude account are for Anthropic's own programs; use an API key: keymux add anthropic",
  },
})
