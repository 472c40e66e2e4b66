import type { ProviderMetadata } from '../domain/provider.js'

/** OpenAI. */
export const openai: ProviderMetadata = {
  name: 'openai',
  label: 'OpenAI',
  description: 'OpenAI API (GPT-4, GPT-3.5)',
  modes: ['api_key'],
  envKey: 'OPENAI_API_KEY',
  website: 'https://platform.openai.com/api-keys',
  baseUrl: 'https://api.openai.com/v1',
  auth: 'bearer',
  family: 'openai',
  baseUrlEnv: 'OPENAI_BASE_URL',
  check: { method: 'GET', path: '/models' },
}
