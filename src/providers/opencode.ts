import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** OpenCode Zen; its subscription, OpenCode Go, is under `/go` and takes the same kind of key. The list of models is public. */
export const opencode: ProviderMetadata = defineProvider({
  name: 'opencode',
  label: 'OpenCode Zen and Go',
  // Go: opencode.ai/docs/go
  docs: 'https://opencode.ai/docs/zen',
  website: 'https://opencode.ai/auth',
  baseUrl: 'https://opencode.ai/zen',
  ownBaseUrls: ['https://opencode.ai/zen/v1', 'https://opencode.ai/zen/go', 'https://opencode.ai/zen/go/v1'],
  failureFamily: 'opencode',
  apiPrefix: '/v1',
  apiPaths: ['chat', 'responses', 'messages', 'models'],
  compatiblePath: '/v1',
  envKey: 'OPENCODE_API_KEY',
  aliases: ['opencode-zen', 'opencode-go'],
})
