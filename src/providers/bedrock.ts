import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/**
 * Amazon Bedrock with an API key of its own, by its OpenAI-compatible endpoint. It has no request at this endpoint that proves
 * a key and costs nothing.
 */
export const bedrock: ProviderMetadata = defineProvider({
  name: 'bedrock',
  label: 'Amazon Bedrock',
  // Its keys: docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
  docs: 'https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html',
  website: 'https://console.aws.amazon.com/bedrock',
  baseUrlExample: 'https://bedrock-runtime.REGION.amazonaws.com',
  failureFamily: 'openai',
  apiPrefix: '/openai/v1',
  compatiblePath: '/openai/v1',
  envKey: 'AWS_BEARER_TOKEN_BEDROCK',
  baseUrlEnv: 'AWS_BEDROCK_BASE_URL',
  baseUrlAliases: ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'ANTHROPIC_BEDROCK_BASE_URL'],
  aliases: ['amazon-bedrock', 'aws-bedrock'],
})
