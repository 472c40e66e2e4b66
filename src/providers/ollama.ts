import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Ollama on this machine, without a key. Ollama's cloud has the same API at `https://ollama.com`, with one. */
export const ollama: ProviderMetadata = defineProvider({
  name: 'ollama',
  label: 'Ollama',
  description: 'Ollama (models on this machine)',
  docs: 'https://docs.ollama.com/api/authentication',
  website: 'https://ollama.com/settings/keys',
  baseUrl: 'http://127.0.0.1:11434',
  ownBaseUrls: ['http://localhost:11434', 'https://ollama.com'],
  keyless: true,
  failureFamily: 'openai',
  apiPrefix: '/v1',
  compatiblePath: '/v1',
  envKey: 'OLLAMA_API_KEY',
  baseUrlEnv: 'OLLAMA_HOST',
  baseUrlAliases: ['OLLAMA_BASE_URL', 'OLLAMA_API_BASE'],
  check: { method: 'GET', path: '/api/tags' },
  aliases: ['ollama-cloud'],
})
