import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/**
 * Z.AI (GLM outside mainland China). Subscriptions of its coding plan have base URLs of their own. It has no free request that
 * proves a key.
 */
export const zai: ProviderMetadata = defineProvider({
  name: 'zai',
  label: 'Z.AI (GLM)',
  docs: 'https://docs.z.ai/api-reference/introduction',
  website: 'https://z.ai/manage-apikey/apikey-list',
  baseUrl: 'https://api.z.ai/api/paas/v4',
  // docs.z.ai/devpack/overview
  ownBaseUrls: ['https://api.z.ai/api/coding/paas/v4', 'https://api.z.ai/api/anthropic'],
  failureFamily: 'zai',
  envKey: 'ZAI_API_KEY',
  envAliases: ['Z_AI_API_KEY'],
  baseUrlEnv: 'ZAI_BASE_URL',
  aliases: ['z-ai', 'z.ai', 'zai-coding-plan', 'glm'],
})
