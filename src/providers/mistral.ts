import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/** Mistral AI. */
export const mistral: ProviderMetadata = defineProvider({
  name: 'mistral',
  label: 'Mistral AI',
  description: 'Mistral AI API',
  docs: 'https://docs.mistral.ai/api',
  modes: ['api_key'],
  envKey: 'MISTRAL_API_KEY',
  website: 'https://console.mistral.ai/api-keys/',
  baseUrl: 'https://api.mistral.ai',
  failureFamily: 'mistral',
  baseUrlAliases: ['MISTRAL_BASE_URL', 'MISTRAL_API_BASE', 'MISTRAL_SERVER_URL'],
  check: { method: 'GET', path: '/v1/models' },
  apiPrefix: '/v1',
  compatiblePath: '/v1',
  unpaid: PAYMENT_REQUIRED,
})
