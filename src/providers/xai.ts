import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** xAI. */
export const xai: ProviderMetadata = defineProvider({
  name: 'xai',
  label: 'xAI',
  description: 'xAI API (Grok)',
  docs: 'https://docs.x.ai/docs/api-reference',
  modes: ['api_key'],
  envKey: 'XAI_API_KEY',
  website: 'https://console.x.ai/',
  baseUrl: 'https://api.x.ai/v1',
  failureFamily: 'openai',
  baseUrlAliases: ['XAI_BASE_URL', 'XAI_API_BASE'],
  check: { method: 'GET', path: '/models' },
  // docs.x.ai, Voice Agent API
  realtime: true,
  unpaid: { status: 403, message: 'Your team has used all available credits' },
  aliases: ['grok', 'x-ai'],
})
