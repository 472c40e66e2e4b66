import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Deepgram (speech). Keys are sent as `Authorization: Token`, its short-lived tokens as bearer tokens. */
export const deepgram: ProviderMetadata = defineProvider({
  name: 'deepgram',
  label: 'Deepgram',
  docs: 'https://developers.deepgram.com/docs/authenticating',
  website: 'https://console.deepgram.com',
  baseUrl: 'https://api.deepgram.com',
  auth: { header: 'authorization', prefix: 'Token' },
  failureFamily: 'openai',
  envKey: 'DEEPGRAM_API_KEY',
  check: { method: 'GET', path: '/v1/auth/token' },
})
