import type { Speech, SpeechStream } from './speech.js'
import { dataEvent, PROMPT_TOKENS } from './speech.js'

/** An answer of `generateContent`. */
export function geminiContent(speech: Speech): object {
  return chunk(speech, speech.texts.join(''), true)
}

/** The answers of `streamGenerateContent`, one per part of the text; the last one says that it is. */
export function geminiChunks(speech: Speech): object[] {
  return speech.texts.map((text, index) => chunk(speech, text, index === speech.texts.length - 1))
}

/** `streamGenerateContent?alt=sse`. */
export function geminiStream(speech: Speech): SpeechStream {
  return { opening: [], deltas: geminiChunks(speech).map(dataEvent), closing: [] }
}

/** A page of Gemini's model list. */
export function geminiModels(models: readonly string[]): object {
  return {
    models: models.map((name) => ({
      name: `models/${name}`,
      version: '001',
      displayName: name,
      inputTokenLimit: 1_048_576,
      outputTokenLimit: 65_536,
      supportedGenerationMethods: ['generateContent', 'countTokens'],
    })),
  }
}

function chunk(speech: Speech, text: string, last: boolean): object {
  return {
    candidates: [
      {
        content: { parts: [{ text }], role: 'model' },
        ...(last ? { finishReason: 'STOP' } : {}),
        index: 0,
      },
    ],
    usageMetadata: {
      promptTokenCount: PROMPT_TOKENS,
      candidatesTokenCount: speech.texts.length,
      totalTokenCount: PROMPT_TOKENS + speech.texts.length,
    },
    modelVersion: speech.model,
    responseId: `response-${speech.index}`,
  }
}
