import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** DeepInfra. OpenAI's API is under `/v1/openai`, each model's own one under `/v1/inference`. */
export const deepinfra: ProviderMetadata = defineProvider({
  name: 'deepinfra',
  label: 'DeepInfra',
  docs: 'https://deepinfra.com/docs/inference',
  website: 'https://deepinfra.com/dash/api_keys',
  baseUrl: 'https://api.deepinfra.com',
  ownBaseUrls: ['https://api.deepinfra.com/v1/openai', 'https://api.deepinfra.com/anthropic'],
  failureFamily: 'openai',
  apiPrefix: '/v1/openai',
  compatiblePath: '/v1/openai',
  envKey: 'DEEPINFRA_API_KEY',
  envAliases: ['DEEPINFRA_TOKEN', 'DEEPINFRA_API_TOKEN'],
  baseUrlAliases: ['DEEPINFRA_BASE_URL', 'DEEPINFRA_API_BASE'],
  aliases: ['deep-infra'],
})
