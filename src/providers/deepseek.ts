import type { ProviderMetadata } from '../domain/provider.js'

/** DeepSeek. */
export const deepseek: ProviderMetadata = {
  name: 'deepseek',
  label: 'DeepSeek',
  description: 'DeepSeek API',
  modes: ['api_key'],
  envKey: 'DEEPSEEK_API_KEY',
  website: 'https://platform.deepseek.com/api_keys',
  baseUrl: 'https://api.deepseek.com',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['DEEPSEEK_BASE_URL', 'DEEPSEEK_API_BASE'],
  check: { method: 'GET', path: '/models' },
}
