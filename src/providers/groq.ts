import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/** Groq. Its own SDK adds `/openai/v1` to the base URL by itself. */
export const groq: ProviderMetadata = defineProvider({
  name: 'groq',
  label: 'Groq',
  description: 'Groq API (fast inference)',
  docs: 'https://console.groq.com/docs/api-reference',
  modes: ['api_key'],
  envKey: 'GROQ_API_KEY',
  website: 'https://console.groq.com/keys',
  baseUrl: 'https://api.groq.com',
  failureFamily: 'groq',
  baseUrlEnv: 'GROQ_BASE_URL',
  baseUrlAliases: ['GROQ_API_BASE', 'GROQ_API_BASE_URL'],
  check: { method: 'GET', path: '/openai/v1/models' },
  apiPrefix: '/openai/v1',
  compatiblePath: '/openai/v1',
  unpaid: PAYMENT_REQUIRED,
})
