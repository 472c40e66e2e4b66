import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Replicate. */
export const replicate: ProviderMetadata = defineProvider({
  name: 'replicate',
  label: 'Replicate',
  docs: 'https://replicate.com/docs/reference/http',
  website: 'https://replicate.com/account/api-tokens',
  baseUrl: 'https://api.replicate.com/v1',
  failureFamily: 'openai',
  envKey: 'REPLICATE_API_TOKEN',
  envAliases: ['REPLICATE_API_KEY'],
  check: { method: 'GET', path: '/account' },
})
