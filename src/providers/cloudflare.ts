import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Cloudflare: the models of Workers AI and, by the same API, those of others through AI Gateway. */
export const cloudflare: ProviderMetadata = defineProvider({
  name: 'cloudflare',
  label: 'Cloudflare AI',
  description: 'Cloudflare Workers AI and AI Gateway',
  // The check: developers.cloudflare.com/api/resources/ai/subresources/models/methods/list
  docs: 'https://developers.cloudflare.com/ai-gateway/usage/rest-api/',
  website: 'https://dash.cloudflare.com/profile/api-tokens',
  baseUrlExample: 'https://api.cloudflare.com/client/v4/accounts/ACCOUNT_ID/ai',
  failureFamily: 'cloudflare',
  apiPrefix: '/v1',
  apiPaths: ['chat', 'responses', 'messages', 'embeddings', 'completions'],
  compatiblePath: '/v1',
  envKey: 'CLOUDFLARE_API_TOKEN',
  envAliases: ['CLOUDFLARE_API_KEY'],
  relatedEnv: ['CLOUDFLARE_ACCOUNT_ID', 'CLOUDFLARE_GATEWAY_ID'],
  check: { method: 'GET', path: '/models/search?per_page=1' },
  aliases: ['cloudflare-workers-ai', 'cloudflare-ai-gateway', 'workers-ai'],
})
