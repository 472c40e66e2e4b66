import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/**
 * Azure OpenAI. Each resource has a host of its own; deployments are in the path of its older API, or name the model in the
 * newer one (`/openai/v1`). Tokens of Microsoft Entra ID are bearer tokens.
 */
export const azureOpenai: ProviderMetadata = defineProvider({
  name: 'azure-openai',
  label: 'Azure OpenAI',
  docs: 'https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle',
  website: 'https://portal.azure.com',
  baseUrlExample: 'https://RESOURCE.openai.azure.com',
  auth: 'header:api-key',
  failureFamily: 'azure',
  apiPrefix: '/openai/v1',
  apiPaths: [
    'assistants',
    'audio',
    'batches',
    'chat',
    'completions',
    'containers',
    'conversations',
    'embeddings',
    'evals',
    'files',
    'fine_tuning',
    'images',
    'models',
    'realtime',
    'responses',
    'threads',
    'uploads',
    'vector_stores',
    'videos',
  ],
  compatiblePath: '/openai/v1',
  // learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets
  realtime: true,
  envKey: 'AZURE_OPENAI_API_KEY',
  envAliases: ['AZURE_API_KEY'],
  baseUrlEnv: 'AZURE_OPENAI_ENDPOINT',
  baseUrlAliases: ['AZURE_API_BASE', 'AZURE_OPENAI_BASE_URL'],
  relatedEnv: ['AZURE_OPENAI_AD_TOKEN', 'AZURE_RESOURCE_NAME'],
  check: { method: 'GET', path: '/openai/v1/models' },
  aliases: ['azure', 'azure-openai-responses', 'azure_openai'],
})
