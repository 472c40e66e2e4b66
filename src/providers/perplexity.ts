import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Perplexity. It has no free request that proves a key. */
export const perplexity: ProviderMetadata = defineProvider({
  name: 'perplexity',
  label: 'Perplexity',
  docs: 'https://docs.perplexity.ai/api-reference/chat-completions-post',
  website: 'https://www.perplexity.ai/settings/api',
  baseUrl: 'https://api.perplexity.ai',
  failureFamily: 'openai',
  envKey: 'PERPLEXITY_API_KEY',
  envAliases: ['PPLX_API_KEY', 'PERPLEXITYAI_API_KEY'],
  baseUrlEnv: 'PERPLEXITY_BASE_URL',
  baseUrlAliases: ['PERPLEXITY_API_BASE'],
  aliases: ['perplexityai', 'pplx'],
})
