import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** LM Studio on this machine, without a key unless its owner wants one. */
export const lmstudio: ProviderMetadata = defineProvider({
  name: 'lmstudio',
  label: 'LM Studio',
  description: 'LM Studio (models on this machine)',
  docs: 'https://lmstudio.ai/docs/developer/openai-compat',
  baseUrl: 'http://127.0.0.1:1234/v1',
  ownBaseUrls: ['http://localhost:1234/v1'],
  keyless: true,
  failureFamily: 'openai',
  envKey: 'LMSTUDIO_API_KEY',
  envAliases: ['LM_STUDIO_API_KEY'],
  baseUrlAliases: ['LMSTUDIO_BASE_URL', 'LM_STUDIO_API_BASE'],
  check: { method: 'GET', path: '/models' },
  aliases: ['lm-studio', 'lm_studio'],
})
