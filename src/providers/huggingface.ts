import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'
import { PAYMENT_REQUIRED } from './unpaid.js'

/** Hugging Face's router, which speaks OpenAI's dialect. Its list of models is public, so it proves no key. */
export const huggingface: ProviderMetadata = defineProvider({
  name: 'huggingface',
  label: 'Hugging Face',
  description: 'Hugging Face Inference Providers',
  docs: 'https://huggingface.co/docs/inference-providers/index',
  modes: ['api_key', 'oauth'],
  envKey: 'HF_TOKEN',
  website: 'https://huggingface.co/settings/tokens',
  oauthEndpoint: {
    authUrl: 'https://huggingface.co/oauth/authorize',
    tokenUrl: 'https://huggingface.co/oauth/token',
    scopes: ['openid', 'profile', 'email', 'inference-api'],
  },
  baseUrl: 'https://router.huggingface.co/v1',
  failureFamily: 'openai',
  baseUrlAliases: ['HF_ENDPOINT', 'HF_INFERENCE_ENDPOINT'],
  envAliases: ['HUGGING_FACE_HUB_TOKEN'],
  unpaid: PAYMENT_REQUIRED,
  // https://huggingface.co/docs/hub/oauth
  login: {
    status: 'own-client',
    note: 'make a public OAuth app at huggingface.co/settings/applications/new',
    issuer: 'https://huggingface.co',
    scopes: ['openid', 'profile', 'email', 'inference-api'],
  },
})
