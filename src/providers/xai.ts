import type { ProviderMetadata } from '../domain/provider.js'

/** xAI. */
export const xai: ProviderMetadata = {
  name: 'xai',
  label: 'xAI',
  description: 'xAI API (Grok)',
  modes: ['api_key'],
  envKey: 'XAI_API_KEY',
  website: 'https://console.x.ai/',
  baseUrl: 'https://api.x.ai/v1',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['XAI_BASE_URL', 'XAI_API_BASE'],
  check: { method: 'GET', path: '/models' },
}
