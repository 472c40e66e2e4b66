import type { ProviderMetadata } from '../domain/provider.js'
import { anthropic } from './anthropic.js'
import { azureOpenai } from './azure-openai.js'
import { bedrock } from './bedrock.js'
import { cerebras } from './cerebras.js'
import { cloudflare } from './cloudflare.js'
import { cohere } from './cohere.js'
import { deepgram } from './deepgram.js'
import { deepinfra } from './deepinfra.js'
import { deepseek } from './deepseek.js'
import { elevenlabs } from './elevenlabs.js'
import { fireworks } from './fireworks.js'
import { gemini } from './gemini.js'
import { githubCopilot } from './github-copilot.js'
import { githubModels } from './github-models.js'
import { groq } from './groq.js'
import { huggingface } from './huggingface.js'
import { jina } from './jina.js'
import { litellm } from './litellm.js'
import { lmstudio } from './lmstudio.js'
import { minimax } from './minimax.js'
import { mistral } from './mistral.js'
import { moonshot } from './moonshot.js'
import { newapi } from './newapi.js'
import { nvidia } from './nvidia.js'
import { ollama } from './ollama.js'
import { openai } from './openai.js'
import { opencode } from './opencode.js'
import { openrouter } from './openrouter.js'
import { perplexity } from './perplexity.js'
import { qwen } from './qwen.js'
import { replicate } from './replicate.js'
import { sambanova } from './sambanova.js'
import { together } from './together.js'
import { vercel } from './vercel.js'
import { vertex } from './vertex.js'
import { voyage } from './voyage.js'
import { xai } from './xai.js'
import { zai } from './zai.js'
import { zhipu } from './zhipu.js'

/** Every provider keymux knows by itself. A new one is a file beside this, and a line at the end here. */
export const CATALOGUE: readonly ProviderMetadata[] = [
  openai,
  anthropic,
  gemini,
  groq,
  mistral,
  cohere,
  xai,
  deepseek,
  qwen,
  minimax,
  openrouter,
  githubCopilot,
  huggingface,
  moonshot,
  zai,
  zhipu,
  cerebras,
  together,
  fireworks,
  perplexity,
  nvidia,
  sambanova,
  deepinfra,
  opencode,
  vercel,
  cloudflare,
  githubModels,
  azureOpenai,
  bedrock,
  vertex,
  ollama,
  lmstudio,
  litellm,
  newapi,
  voyage,
  jina,
  elevenlabs,
  deepgram,
  replicate,
]
