import type { ProviderFamily } from '../domain/provider.js'
import { dialectOfEnd, type HowOver } from './answer-verdict.js'
import type { Dialect } from './event-ending.js'
import { errorBody, type OwnMessage } from './own-answer.js'
import type { Tail } from './tail.js'

const STOPPED: OwnMessage = {
  status: 504,
  code: 'keymux_stream_stopped',
  message: 'the provider stopped in the middle of its answer',
}

/**
 * The event with which a stream that has stopped is ended, in the shape of its own events. `undefined` in the middle of
 * one, where whatever were added would be taken for a part of it, and where a connection that breaks says it better:
 * programs ask again after a break, and not after every error. Those that speak Gemini's dialect do the opposite.
 *
 * @param family whose errors are written where the stream does not tell
 */
export function lastEvent(tail: Tail, how: HowOver, family: ProviderFamily | undefined): Buffer | undefined {
  const text = tail.text()
  if (!text.endsWith('\n\n')) return undefined
  const dialect = dialectOfEnd(tail)
  const isGemini = dialect === 'gemini' || (dialect === 'other' && family === 'gemini')
  if (how === 'broken' && !isGemini) return undefined
  return Buffer.from(eventText(dialect, family ?? 'openai', text))
}

function eventText(dialect: Dialect, family: ProviderFamily, said: string): string {
  switch (dialect) {
    case 'anthropic':
      return `event: error\ndata: ${JSON.stringify(errorBody('anthropic', STOPPED))}\n\n`
    case 'responses':
      return `event: error\ndata: ${JSON.stringify(responsesError(said))}\n\n`
    case 'gemini':
      return `data: ${JSON.stringify(errorBody('gemini', STOPPED))}\n\n`
    case 'chat':
    case 'cohere':
      return `data: ${JSON.stringify(errorBody('openai', STOPPED))}\n\n`
    case 'other':
      return eventText(family === 'anthropic' || family === 'gemini' ? family : 'chat', family, said)
  }
}

/** platform.openai.com/docs/api-reference/responses-streaming: the events are numbered. */
function responsesError(said: string): object {
  const last = said.lastIndexOf('"sequence_number":')
  const number =
    last < 0 ? undefined : /^\s*(\d{1,15})/.exec(said.slice(last + '"sequence_number":'.length))?.[1]
  const { code, message } = STOPPED
  return {
    type: 'error',
    code,
    message,
    param: null,
    sequence_number: number === undefined ? 0 : Number(number) + 1,
  }
}
