import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Cohere. Its SDKs read `CO_API_KEY`. */
export const cohere: ProviderMetadata = defineProvider({
  name: 'cohere',
  label: 'Cohere',
  description: 'Cohere API',
  docs: 'https://docs.cohere.com/reference/checkapikey',
  modes: ['api_key'],
  envKey: 'COHERE_API_KEY',
  website: 'https://dashboard.cohere.com/api-keys',
  baseUrl: 'https://api.cohere.com',
  failureFamily: 'cohere',
  baseUrlAliases: ['CO_API_URL', 'COHERE_BASE_URL', 'COHERE_API_BASE'],
  envAliases: ['CO_API_KEY'],
  check: { method: 'POST', path: '/v1/check-api-key' },
  // docs.cohere.com/docs/compatibility-api
  compatiblePath: '/compatibility/v1',
})
