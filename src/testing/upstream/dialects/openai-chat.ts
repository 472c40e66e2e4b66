import type { Speech, SpeechStream } from './speech.js'
import { dataEvent, PROMPT_TOKENS, unixSeconds } from './speech.js'

/** A chat completion as OpenAI, and who is compatible with it, answers. */
export function chatCompletion(speech: Speech): object {
  return {
    id: `chatcmpl-${speech.index}`,
    object: 'chat.completion',
    created: unixSeconds(speech.at),
    model: speech.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: speech.texts.join(''), refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: usage(speech),
  }
}

/**
 * A streamed chat completion.
 *
 * @param withUsage whether the request asked for it (`stream_options.include_usage`)
 */
export function chatStream(speech: Speech, withUsage: boolean): SpeechStream {
  const chunk = (delta: object, finish: string | null): string =>
    dataEvent({
      ...head(speech),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(withUsage ? { usage: null } : {}),
    })
  return {
    opening: [chunk({ role: 'assistant', content: '' }, null)],
    deltas: speech.texts.map((content) => chunk({ content }, null)),
    closing: [
      chunk({}, 'stop'),
      ...(withUsage ? [dataEvent({ ...head(speech), choices: [], usage: usage(speech) })] : []),
      'data: [DONE]\n\n',
    ],
  }
}

/** A list of models. */
export function modelList(models: readonly string[], owner: string, at: Date): object {
  const data = models.map((id) => ({ id, object: 'model', created: unixSeconds(at), owned_by: owner }))
  return { object: 'list', data }
}

function head(speech: Speech): object {
  return {
    id: `chatcmpl-${speech.index}`,
    object: 'chat.completion.chunk',
    created: unixSeconds(speech.at),
    model: speech.model,
  }
}

function usage({ texts }: Speech): object {
  return {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: texts.length,
    total_tokens: PROMPT_TOKENS + texts.length,
  }
}
