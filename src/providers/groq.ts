import type { ProviderMetadata } from '../domain/provider.js'

/** Groq. Its own SDK adds `/openai/v1` to the base URL by itself. */
export const groq: ProviderMetadata = {
  name: 'groq',
  label: 'Groq',
  description: 'Groq API (fast inference)',
  modes: ['api_key'],
  envKey: 'GROQ_API_KEY',
  website: 'https://console.groq.com/keys',
  baseUrl: 'https://api.groq.com',
  auth: 'bearer',
  family: 'openai',
  baseUrlEnv: 'GROQ_BASE_URL',
  baseUrlAliases: ['GROQ_API_BASE', 'GROQ_API_BASE_URL'],
  check: { method: 'GET', path: '/openai/v1/models' },
}
