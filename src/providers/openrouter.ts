import type { ProviderMetadata } from '../domain/provider.js'

/** OpenRouter. Its list of models is public, so the check asks for the key's own record. */
export const openrouter: ProviderMetadata = {
  name: 'openrouter',
  label: 'OpenRouter',
  description: 'OpenRouter API (many providers behind one key)',
  modes: ['api_key'],
  envKey: 'OPENROUTER_API_KEY',
  website: 'https://openrouter.ai/settings/keys',
  baseUrl: 'https://openrouter.ai/api/v1',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['OPENROUTER_BASE_URL', 'OPENROUTER_API_BASE'],
  check: { method: 'GET', path: '/key' },
}
