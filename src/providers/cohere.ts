import type { ProviderMetadata } from '../domain/provider.js'

/** Cohere. Its SDKs read `CO_API_KEY`. */
export const cohere: ProviderMetadata = {
  name: 'cohere',
  label: 'Cohere',
  description: 'Cohere API',
  modes: ['api_key'],
  envKey: 'COHERE_API_KEY',
  website: 'https://dashboard.cohere.com/api-keys',
  baseUrl: 'https://api.cohere.com',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['CO_API_URL', 'COHERE_BASE_URL', 'COHERE_API_BASE'],
  envAliases: ['CO_API_KEY'],
  check: { method: 'POST', path: '/v1/check-api-key' },
}
