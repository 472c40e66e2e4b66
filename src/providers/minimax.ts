import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/**
 * MiniMax, international endpoint. Keys made in mainland China belong to `https://api.minimaxi.com/v1`,
 * set as the profile's own base URL. It has no request that proves a key without costing anything.
 */
export const minimax: ProviderMetadata = defineProvider({
  name: 'minimax',
  label: 'MiniMax',
  description: 'MiniMax API',
  docs: 'https://platform.minimax.io/docs/api-reference/text-openai-api',
  modes: ['oauth', 'api_key'],
  envKey: 'MINIMAX_API_KEY',
  website: 'https://www.minimaxi.com/',
  oauthEndpoint: { scopes: ['openid', 'email', 'profile'] },
  baseUrl: 'https://api.minimax.io/v1',
  failureFamily: 'minimax',
  ownBaseUrls: ['https://api.minimaxi.com/v1'],
  baseUrlAliases: ['MINIMAX_BASE_URL', 'MINIMAX_API_HOST', 'MINIMAX_API_BASE'],
  unpaid: PAYMENT_REQUIRED,
  aliases: ['minimax-portal'],
  // MiniMax gives client ids to partners; the dialect is what its portal speaks.
  login: {
    status: 'first-party-only',
    note: "MiniMax's portal logs in programs of its partners alone; use an API key: keymux add minimax",
    tokenEndpoint: 'https://api.minimax.io/oauth/token',
    deviceAuthorizationEndpoint: 'https://api.minimax.io/oauth/code',
    scopes: ['group_id', 'profile', 'model.completion'],
    preferred: 'device',
    device: {
      grantType: 'urn:ietf:params:oauth:grant-type:user_code',
      pollsWith: 'user_code',
      pkce: true,
      state: true,
      statusField: 'status',
      fields: { response_type: 'code' },
      intervalUnit: 'milliseconds',
    },
  },
})
