import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Together AI. */
export const together: ProviderMetadata = defineProvider({
  name: 'together',
  label: 'Together AI',
  docs: 'https://docs.together.ai/docs/inference/openai-compatibility',
  website: 'https://api.together.ai/settings/api-keys',
  baseUrl: 'https://api.together.ai/v1',
  ownBaseUrls: ['https://api.together.xyz/v1'],
  failureFamily: 'openai',
  envKey: 'TOGETHER_API_KEY',
  envAliases: ['TOGETHER_AI_API_KEY', 'TOGETHERAI_API_KEY'],
  baseUrlEnv: 'TOGETHER_BASE_URL',
  baseUrlAliases: ['TOGETHER_AI_API_BASE'],
  check: { method: 'GET', path: '/models' },
  aliases: ['togetherai', 'together-ai', 'together_ai'],
})
