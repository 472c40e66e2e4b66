import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Cerebras. Its own SDKs add `/v1` to the base URL by themselves. */
export const cerebras: ProviderMetadata = defineProvider({
  name: 'cerebras',
  label: 'Cerebras',
  docs: 'https://inference-docs.cerebras.ai/api-reference',
  website: 'https://cloud.cerebras.ai',
  baseUrl: 'https://api.cerebras.ai',
  failureFamily: 'openai',
  apiPrefix: '/v1',
  compatiblePath: '/v1',
  envKey: 'CEREBRAS_API_KEY',
  baseUrlEnv: 'CEREBRAS_BASE_URL',
  baseUrlAliases: ['CEREBRAS_API_BASE'],
  check: { method: 'GET', path: '/v1/models' },
})
