import type { ProviderMetadata } from '../domain/provider.js'

/** Mistral AI. */
export const mistral: ProviderMetadata = {
  name: 'mistral',
  label: 'Mistral AI',
  description: 'Mistral AI API',
  modes: ['api_key'],
  envKey: 'MISTRAL_API_KEY',
  website: 'https://console.mistral.ai/api-keys/',
  baseUrl: 'https://api.mistral.ai',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['MISTRAL_BASE_URL', 'MISTRAL_API_BASE', 'MISTRAL_SERVER_URL'],
  check: { method: 'GET', path: '/v1/models' },
}
