import type { Speech, SpeechStream } from './speech.js'
import { PROMPT_TOKENS, typedEvent } from './speech.js'

/** A message as Anthropic answers. */
export function anthropicMessage(speech: Speech): object {
  return {
    ...envelope(speech),
    content: [{ type: 'text', text: speech.texts.join('') }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: PROMPT_TOKENS, output_tokens: speech.texts.length },
  }
}

/** The same, streamed as named events. */
export function anthropicStream(speech: Speech): SpeechStream {
  const begun = {
    ...envelope(speech),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: PROMPT_TOKENS, output_tokens: 1 },
  }
  const delta = (text: string): string =>
    event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
  return {
    opening: [
      event('message_start', { message: begun }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      event('ping', {}),
    ],
    deltas: speech.texts.map(delta),
    closing: [
      event('content_block_stop', { index: 0 }),
      event('message_delta', {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: speech.texts.length },
      }),
      event('message_stop', {}),
    ],
  }
}

/** A page of Anthropic's model list. */
export function anthropicModels(models: readonly string[], at: Date): object {
  return {
    data: models.map((id) => ({ type: 'model', id, display_name: id, created_at: at.toISOString() })),
    has_more: false,
    first_id: models[0] ?? null,
    last_id: models.at(-1) ?? null,
  }
}

function envelope({ index, model }: Speech): object {
  return { id: `msg_${index}`, type: 'message', role: 'assistant', model }
}

function event(type: string, fields: object): string {
  return typedEvent({ type, ...fields })
}
