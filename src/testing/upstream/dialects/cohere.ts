import type { Speech, SpeechStream } from './speech.js'
import { PROMPT_TOKENS, typedEvent } from './speech.js'

/** An answer of Cohere's `/v2/chat`. */
export function cohereChat(speech: Speech): object {
  return {
    id: `chat-${speech.index}`,
    finish_reason: 'COMPLETE',
    message: { role: 'assistant', content: [{ type: 'text', text: speech.texts.join('') }] },
    usage: usage(speech),
  }
}

/** The same, streamed. */
export function cohereStream(speech: Speech): SpeechStream {
  const event = (type: string, fields: object): string => typedEvent({ type, ...fields })
  const delta = (text: string): string =>
    event('content-delta', { index: 0, delta: { message: { content: { text } } } })
  return {
    opening: [
      event('message-start', {
        id: `chat-${speech.index}`,
        delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } },
      }),
      event('content-start', { index: 0, delta: { message: { content: { type: 'text', text: '' } } } }),
    ],
    deltas: speech.texts.map(delta),
    closing: [
      event('content-end', { index: 0 }),
      event('message-end', { delta: { finish_reason: 'COMPLETE', usage: usage(speech) } }),
    ],
  }
}

/** Cohere's model list. */
export function cohereModels(models: readonly string[]): object {
  return { models: models.map((name) => ({ name, endpoints: ['chat'], context_length: 128_000 })) }
}

function usage({ texts }: Speech): object {
  return { tokens: { input_tokens: PROMPT_TOKENS, output_tokens: texts.length } }
}
