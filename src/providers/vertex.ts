import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/**
 * Vertex AI by its OpenAI-compatible endpoint, with access tokens of Google Cloud, which last an hour: it takes no API keys.
 * No program reads such a token from the environment.
 */
export const vertex: ProviderMetadata = defineProvider({
  name: 'vertex',
  label: 'Google Vertex AI',
  docs: 'https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/projects.locations.endpoints.chat/completions',
  modes: ['token'],
  baseUrlExample:
    'https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi',
  failureFamily: 'gemini',
  aliases: ['google-vertex', 'vertex-ai', 'vertexai', 'vertex_ai'],
})
