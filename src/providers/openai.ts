import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** OpenAI. */
export const openai: ProviderMetadata = defineProvider({
  name: 'openai',
  label: 'OpenAI',
  description: 'OpenAI API (GPT-4, GPT-3.5)',
  docs: 'https://platform.openai.com/docs/api-reference/authentication',
  modes: ['api_key'],
  envKey: 'OPENAI_API_KEY',
  website: 'https://platform.openai.com/api-keys',
  baseUrl: 'https://api.openai.com/v1',
  failureFamily: 'openai',
  baseUrlEnv: 'OPENAI_BASE_URL',
  // Before version 1 the Python SDK read the first, and many tools still do.
  baseUrlAliases: ['OPENAI_API_BASE', 'OPENAI_API_BASE_URL', 'OPENAI_API_HOST', 'OPENAI_ENDPOINT'],
  // Where Codex sends the requests of a ChatGPT login.
  ownBaseUrls: ['https://chatgpt.com/backend-api/codex'],
  relatedEnv: [
    'OPENAI_ORG_ID',
    'OPENAI_ORGANIZATION',
    'OPENAI_PROJECT_ID',
    'OPENAI_PROJECT',
    'OPENAI_ADMIN_KEY',
  ],
  check: { method: 'GET', path: '/models' },
  realtime: true,
  aliases: ['openai-codex'],
  // A preview: https://developers.openai.com/siwc/token-sharing-open-source/sign-in. The endpoints are those of
  // https://auth.openai.com/.well-known/openid-configuration.
  login: {
    status: 'official',
    note: 'uses the ChatGPT plan of the account, where OpenAI allows it; a preview, for models at /v1/responses',
    issuer: 'https://auth.openai.com',
    authorizationEndpoint: 'https://auth.openai.com/api/accounts/authorize',
    tokenEndpoint: 'https://auth.openai.com/api/accounts/oauth/token',
    revocationEndpoint: 'https://auth.openai.com/api/accounts/oauth/revoke',
    scopes: ['openid', 'profile', 'email', 'offline_access', 'resource.invoke', 'chatgpt.tokens.use.direct'],
    neededScope: 'chatgpt.tokens.use.direct',
    authorizationFields: { resource: 'https://api.openai.com/v1' },
    tokenFields: { resource: 'https://api.openai.com/v1' },
    callbackPath: '/auth/callback',
    registration: {
      entry: 'dynamic_agent_client',
      fields: { agent_name_hint: 'keymux' },
      hostField: 'ext_agent_host_id',
    },
  },
})
