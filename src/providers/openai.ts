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
})
