import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** SambaNova Cloud. It names no free request that proves a key. */
export const sambanova: ProviderMetadata = defineProvider({
  name: 'sambanova',
  label: 'SambaNova',
  docs: 'https://docs.sambanova.ai/docs/api-reference/chat-completions/create-chat-based-completion',
  website: 'https://cloud.sambanova.ai/apis',
  baseUrl: 'https://api.sambanova.ai/v1',
  failureFamily: 'openai',
  envKey: 'SAMBANOVA_API_KEY',
  baseUrlEnv: 'SAMBANOVA_BASE_URL',
  baseUrlAliases: ['SAMBANOVA_API_BASE'],
})
