import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** ElevenLabs (speech). */
export const elevenlabs: ProviderMetadata = defineProvider({
  name: 'elevenlabs',
  label: 'ElevenLabs',
  docs: 'https://elevenlabs.io/docs/api-reference/authentication',
  website: 'https://elevenlabs.io/app/settings/api-keys',
  baseUrl: 'https://api.elevenlabs.io',
  auth: 'header:xi-api-key',
  failureFamily: 'openai',
  envKey: 'ELEVENLABS_API_KEY',
  envAliases: ['ELEVEN_API_KEY', 'XI_API_KEY'],
  check: { method: 'GET', path: '/v1/models' },
  aliases: ['eleven-labs'],
})
