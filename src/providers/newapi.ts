import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** New API (and One API, which it comes from): a relay that somebody runs. Programs know no variables of its own. */
export const newapi: ProviderMetadata = defineProvider({
  name: 'newapi',
  label: 'New API',
  description: 'New API or One API (a relay of your own)',
  docs: 'https://www.newapi.ai/en/docs/api/ai-model/models/list-models',
  baseUrlExample: 'https://newapi.example.com',
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
    'rerank',
  ],
  compatiblePath: '/v1',
  check: { method: 'GET', path: '/v1/models' },
  aliases: ['new-api', 'one-api', 'oneapi'],
})
