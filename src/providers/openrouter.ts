import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/** OpenRouter. Its list of models is public, so the check asks for the key's own record. */
export const openrouter: ProviderMetadata = defineProvider({
  name: 'openrouter',
  label: 'OpenRouter',
  description: 'OpenRouter API (many providers behind one key)',
  docs: 'https://openrouter.ai/docs/api-reference/overview',
  modes: ['api_key'],
  envKey: 'OPENROUTER_API_KEY',
  website: 'https://openrouter.ai/settings/keys',
  baseUrl: 'https://openrouter.ai/api/v1',
  failureFamily: 'openrouter',
  baseUrlAliases: ['OPENROUTER_BASE_URL', 'OPENROUTER_API_BASE'],
  check: { method: 'GET', path: '/key' },
  unpaid: PAYMENT_REQUIRED,
  // https://openrouter.ai/docs/oauth
  login: {
    status: 'official',
    note: 'gives an API key that you can see and delete at openrouter.ai/settings/keys',
    authorizationEndpoint: 'https://openrouter.ai/auth',
    tokenEndpoint: 'https://openrouter.ai/api/v1/auth/keys',
    yields: 'api_key',
    keyPage: 'https://openrouter.ai/settings/keys',
  },
})
