import type { ProviderMetadata } from '../domain/provider.js'

/** Hugging Face's router, which speaks OpenAI's dialect. Its list of models is public, so it proves no key. */
export const huggingface: ProviderMetadata = {
  name: 'huggingface',
  label: 'Hugging Face',
  description: 'Hugging Face Inference Providers',
  modes: ['api_key', 'oauth'],
  envKey: 'HF_TOKEN',
  website: 'https://huggingface.co/settings/tokens',
  oauthEndpoint: {
    authUrl: 'https://huggingface.co/oauth/authorize',
    tokenUrl: 'https://huggingface.co/oauth/token',
    scopes: ['openid', 'profile', 'email', 'inference-api'],
  },
  baseUrl: 'https://router.huggingface.co/v1',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['HF_ENDPOINT', 'HF_INFERENCE_ENDPOINT'],
  envAliases: ['HUGGING_FACE_HUB_TOKEN'],
}
