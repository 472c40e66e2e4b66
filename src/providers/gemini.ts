import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Google Gemini (the Generative Language API). */
export const gemini: ProviderMetadata = defineProvider({
  name: 'gemini',
  label: 'Google Gemini',
  description: 'Google Gemini API',
  docs: 'https://ai.google.dev/gemini-api/docs/api-key',
  modes: ['oauth', 'api_key'],
  envKey: 'GOOGLE_API_KEY',
  website: 'https://ai.google.dev/',
  oauthEndpoint: {
    authUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    scopes: ['openid', 'email', 'profile', 'https://www.googleapis.com/auth/cloud-platform'],
  },
  baseUrl: 'https://generativelanguage.googleapis.com',
  failureFamily: 'gemini',
  auth: 'x-goog-api-key',
  family: 'gemini',
  // Google's SDKs read the first name, Google's command line the second.
  envAliases: ['GEMINI_API_KEY'],
  // ai-sdk.dev/providers/ai-sdk-providers/google-generative-ai
  directEnvKeys: ['GOOGLE_GENERATIVE_AI_API_KEY'],
  baseUrlEnv: 'GOOGLE_GEMINI_BASE_URL',
  baseUrlAliases: ['GEMINI_BASE_URL', 'GEMINI_API_BASE', 'GOOGLE_BASE_URL', 'GOOGLE_API_BASE'],
  relatedEnv: ['GOOGLE_GENAI_USE_VERTEXAI', 'GOOGLE_VERTEX_BASE_URL'],
  check: { method: 'GET', path: '/v1beta/models?pageSize=1' },
  apiPrefix: '/v1beta',
  apiPaths: [
    'models',
    'tunedModels',
    'cachedContents',
    'files',
    'fileSearchStores',
    'corpora',
    'batches',
    'operations',
    'interactions',
    'openai',
  ],
  // ai.google.dev/gemini-api/docs/openai
  compatiblePath: '/v1beta/openai',
  realtime: true,
  aliases: ['google', 'google-gemini-cli'],
  // https://developers.google.com/identity/protocols/oauth2/native-app
  login: {
    status: 'own-client',
    note: 'make an OAuth client of the type "Desktop app" at console.cloud.google.com/apis/credentials',
    issuer: 'https://accounts.google.com',
    authorizationEndpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenEndpoint: 'https://oauth2.googleapis.com/token',
    revocationEndpoint: 'https://oauth2.googleapis.com/revoke',
    scopes: ['openid', 'email', 'https://www.googleapis.com/auth/cloud-platform'],
    // Without these Google gives a refresh token at the first consent only.
    authorizationFields: { access_type: 'offline', prompt: 'consent' },
    asksForSecret: true,
  },
})
