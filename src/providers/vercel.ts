import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Vercel AI Gateway. Its list of models is public, so the check asks for the credits, which it answers with none left too. */
export const vercel: ProviderMetadata = defineProvider({
  name: 'vercel',
  label: 'Vercel AI Gateway',
  docs: 'https://vercel.com/docs/ai-gateway/openai-compat',
  website: 'https://vercel.com/docs/ai-gateway/authentication',
  baseUrl: 'https://ai-gateway.vercel.sh/v1',
  failureFamily: 'relay',
  envKey: 'AI_GATEWAY_API_KEY',
  check: { method: 'GET', path: '/credits' },
  aliases: ['vercel-ai-gateway', 'ai-gateway'],
})
