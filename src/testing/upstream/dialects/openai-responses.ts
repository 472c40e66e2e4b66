import type { Speech, SpeechStream } from './speech.js'
import { PROMPT_TOKENS, typedEvent, unixSeconds } from './speech.js'

/** An answer of OpenAI's Responses API. */
export function openaiResponse(speech: Speech): object {
  return { ...envelope(speech, 'completed'), output: [message(speech, 'completed')], usage: usage(speech) }
}

/** The same, streamed: every event carries its type twice and a sequence number. */
export function openaiResponseStream(speech: Speech): SpeechStream {
  let sequence = 0
  const event = (type: string, fields: object): string =>
    typedEvent({ type, ...fields, sequence_number: sequence++ })
  const place = { item_id: `msg_${speech.index}`, output_index: 0, content_index: 0 }
  const begun = { ...envelope(speech, 'in_progress'), output: [], usage: null }
  return {
    opening: [
      event('response.created', { response: begun }),
      event('response.in_progress', { response: begun }),
      event('response.output_item.added', {
        output_index: 0,
        item: { ...message(speech, 'in_progress'), content: [] },
      }),
      event('response.content_part.added', { ...place, part: part('') }),
    ],
    deltas: speech.texts.map((delta) =>
      event('response.output_text.delta', { ...place, delta, logprobs: [] }),
    ),
    closing: [
      event('response.output_text.done', { ...place, text: speech.texts.join(''), logprobs: [] }),
      event('response.content_part.done', { ...place, part: part(speech.texts.join('')) }),
      event('response.output_item.done', { output_index: 0, item: message(speech, 'completed') }),
      event('response.completed', { response: openaiResponse(speech) }),
    ],
  }
}

/** How the Responses API says inside a stream that something failed. */
export function openaiResponseError(
  error: { code: string | null; message: string },
  sequence: number,
): string {
  return typedEvent({ type: 'error', ...error, param: null, sequence_number: sequence })
}

function envelope(speech: Speech, status: string): object {
  return {
    id: `resp_${speech.index}`,
    object: 'response',
    created_at: unixSeconds(speech.at),
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: speech.model,
    parallel_tool_calls: true,
    previous_response_id: null,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
  }
}

function message(speech: Speech, status: string): object {
  return {
    id: `msg_${speech.index}`,
    type: 'message',
    role: 'assistant',
    status,
    content: [part(speech.texts.join(''))],
  }
}

function part(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function usage({ texts }: Speech): object {
  return {
    input_tokens: PROMPT_TOKENS,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: texts.length,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: PROMPT_TOKENS + texts.length,
  }
}
