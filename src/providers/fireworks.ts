import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Fireworks AI. Inference is under `/inference/v1`, the account's own data under `/v1`. */
export const fireworks: ProviderMetadata = defineProvider({
  name: 'fireworks',
  label: 'Fireworks AI',
  // The check: docs.fireworks.ai/api-reference/list-accounts
  docs: 'https://docs.fireworks.ai/api-reference/introduction',
  website: 'https://fireworks.ai/account/api-keys',
  baseUrl: 'https://api.fireworks.ai',
  ownBaseUrls: ['https://api.fireworks.ai/inference/v1'],
  failureFamily: 'openai',
  apiPrefix: '/inference/v1',
  apiPaths: ['chat', 'completions', 'responses', 'messages', 'embeddings', 'models', 'rerank'],
  compatiblePath: '/inference/v1',
  envKey: 'FIREWORKS_API_KEY',
  envAliases: ['FIREWORKS_AI_API_KEY'],
  baseUrlEnv: 'FIREWORKS_BASE_URL',
  baseUrlAliases: ['FIREWORKS_API_BASE', 'FIREWORKS_AI_API_BASE'],
  check: { method: 'GET', path: '/v1/accounts?pageSize=1' },
  aliases: ['fireworks-ai', 'fireworks_ai', 'fireworksai'],
})
