import type { ProviderMetadata } from '../domain/provider.js'
import { anthropic } from './anthropic.js'
import { cohere } from './cohere.js'
import { deepseek } from './deepseek.js'
import { gemini } from './gemini.js'
import { githubCopilot } from './github-copilot.js'
import { groq } from './groq.js'
import { huggingface } from './huggingface.js'
import { minimax } from './minimax.js'
import { mistral } from './mistral.js'
import { openai } from './openai.js'
import { openrouter } from './openrouter.js'
import { qwen } from './qwen.js'
import { xai } from './xai.js'

/** Every provider keymux knows by itself. A new one is a file beside this, and a line here. */
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
]
