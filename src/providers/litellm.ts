import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** A LiteLLM proxy: a relay that somebody runs. */
export const litellm: ProviderMetadata = defineProvider({
  name: 'litellm',
  label: 'LiteLLM',
  description: 'LiteLLM proxy (a relay of your own)',
  docs: 'https://docs.litellm.ai/docs/proxy/api_key_auth',
  baseUrlExample: 'https://litellm.example.com',
  failureFamily: 'relay',
  apiPrefix: '/v1',
  apiPaths: [
    'chat',
    'completions',
    'responses',
    'messages',
    'embeddings',
    'models',
    'audio',
    'images',
    'files',
    'batches',
    'moderations',
    'rerank',
  ],
  compatiblePath: '/v1',
  envKey: 'LITELLM_API_KEY',
  envAliases: ['LITELLM_PROXY_API_KEY'],
  baseUrlEnv: 'LITELLM_PROXY_URL',
  baseUrlAliases: ['LITELLM_BASE_URL', 'LITELLM_API_BASE', 'LITELLM_PROXY_API_BASE'],
  check: { method: 'GET', path: '/v1/models' },
  aliases: ['litellm-proxy', 'litellm_proxy'],
})
