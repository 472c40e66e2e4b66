import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Jina AI (embeddings, reranking). It has no free request that proves a key. */
export const jina: ProviderMetadata = defineProvider({
  name: 'jina',
  label: 'Jina AI',
  docs: 'https://docs.jina.ai',
  website: 'https://jina.ai/api-dashboard/key-manager',
  baseUrl: 'https://api.jina.ai/v1',
  failureFamily: 'openai',
  envKey: 'JINA_API_KEY',
  envAliases: ['JINA_AI_API_KEY'],
  baseUrlAliases: ['JINA_BASE_URL', 'JINA_AI_API_BASE'],
  aliases: ['jina-ai', 'jina_ai', 'jinaai'],
})
