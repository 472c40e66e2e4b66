import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/** DeepSeek. */
export const deepseek: ProviderMetadata = defineProvider({
  name: 'deepseek',
  label: 'DeepSeek',
  description: 'DeepSeek API',
  docs: 'https://api-docs.deepseek.com',
  modes: ['api_key'],
  envKey: 'DEEPSEEK_API_KEY',
  website: 'https://platform.deepseek.com/api_keys',
  baseUrl: 'https://api.deepseek.com',
  failureFamily: 'openai',
  baseUrlAliases: ['DEEPSEEK_BASE_URL', 'DEEPSEEK_API_BASE'],
  check: { method: 'GET', path: '/models' },
  unpaid: PAYMENT_REQUIRED,
})
