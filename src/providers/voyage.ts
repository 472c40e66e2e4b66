import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Voyage AI (embeddings). It has no free request that proves a key. */
export const voyage: ProviderMetadata = defineProvider({
  name: 'voyage',
  label: 'Voyage AI',
  docs: 'https://www.mongodb.com/docs/voyageai/api-reference/overview',
  website: 'https://dashboard.voyageai.com',
  baseUrl: 'https://api.voyageai.com/v1',
  failureFamily: 'openai',
  envKey: 'VOYAGE_API_KEY',
  envAliases: ['VOYAGEAI_API_KEY'],
  aliases: ['voyageai', 'voyage-ai'],
})
