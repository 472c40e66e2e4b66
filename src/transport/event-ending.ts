import { parseFlatJson } from '../domain/nesting.js'
import { own } from '../policy/classify-fields.js'
import type { ServerSentEvent } from './event-stream.js'

/** Whose events a stream consists of, by their shape: whatever the path, and whoever stands in between. */
export type Dialect = 'anthropic' | 'chat' | 'cohere' | 'gemini' | 'responses' | 'other'

/**
 * What an event says of the course of its stream: nothing more is due (`end`); the model has finished, and the stream has
 * at most a last word to say (`finished`); it has failed (`error`); it goes on (`part`); nothing (`aside`).
 */
export type Course = 'end' | 'finished' | 'error' | 'part' | 'aside'

/** What an event tells. */
export interface EventCourse {
  readonly course: Course
  /** Absent where any dialect may have it. */
  readonly dialect?: Dialect
}

const ASIDE: EventCourse = { course: 'aside' }
const ERROR: EventCourse = { course: 'error' }

/** Types after which nothing is due (each by its provider's documentation of streaming). */
const ENDS: ReadonlySet<string> = new Set([
  'message_stop',
  'response.completed',
  'response.incomplete',
  'message-end',
])
const ERRORS: ReadonlySet<string> = new Set(['error', 'response.failed'])
const TYPE = /^\s*\{\s*"type"\s*:\s*"([\w.-]{1,64})"/
/** The model has finished (docs.claude.com/en/docs/build-with-claude/streaming, `message_delta`). */
const STOPPED = /^\s*\{\s*"type"\s*:\s*"message_delta".{0,64}"stop_reason"\s*:\s*"/s
// An error that is none is written down as well: `"error":null`.
const MAY_BE_ERROR = /"(?:error|base_resp)"\s*:\s*[{"]/

/** Reads an event for what it says of the course of its stream. */
export function courseOf({ event, data }: ServerSentEvent): EventCourse {
  if (data.trim() === '[DONE]') return { course: 'end' }
  const typed = ofType(event) ?? ofType(TYPE.exec(data)?.[1])
  if (typed?.dialect === 'anthropic' && STOPPED.test(data))
    return { course: 'finished', dialect: 'anthropic' }
  if (typed !== undefined) return typed
  const value = parsed(data)
  const type = own(value, 'type')
  return (typeof type === 'string' ? ofType(type) : undefined) ?? ofValue(value, data)
}

/**
 * The same for an event of which only the beginning is known.
 *
 * @param head at least the lines before its data, and the first bytes of that
 */
export function courseOfBeginning(head: string): EventCourse {
  const event = /^event: ?(\S+)/m.exec(head)?.[1] ?? ''
  const data = /^data: ?(.*)/ms.exec(head)?.[1] ?? ''
  const typed = ofType(event) ?? ofType(TYPE.exec(data)?.[1])
  if (typed !== undefined) return typed
  if (data.includes('"choices"')) return { course: 'part', dialect: 'chat' }
  return data.includes('"candidates"') ? { course: 'part', dialect: 'gemini' } : ASIDE
}

function ofType(type: string | undefined): EventCourse | undefined {
  if (type === undefined || type === '' || type === 'message') return undefined
  if (type === 'ping') return ASIDE
  if (ERRORS.has(type)) return ERROR
  const dialect = dialectOf(type)
  if (dialect === undefined) return undefined
  return { course: ENDS.has(type) ? 'end' : 'part', dialect }
}

function dialectOf(type: string): Dialect | undefined {
  if (/^(?:message|content_block)_/.test(type)) return 'anthropic'
  if (type.startsWith('response.')) return 'responses'
  return /^(?:message|content|tool-call|tool-plan|citation)-/.test(type) ? 'cohere' : undefined
}

function ofValue(value: unknown, data: string): EventCourse {
  if (MAY_BE_ERROR.test(data)) return ERROR
  const choices = own(value, 'choices')
  if (Array.isArray(choices)) return ofChoices(choices)
  const candidates = own(value, 'candidates')
  if (Array.isArray(candidates)) {
    const isLast = candidates.some((one) => isFilled(own(one, 'finishReason')))
    return { course: isLast ? 'end' : 'part', dialect: 'gemini' }
  }
  return isFilled(own(own(value, 'promptFeedback'), 'blockReason'))
    ? { course: 'end', dialect: 'gemini' }
    : ASIDE
}

function ofChoices(choices: readonly unknown[]): EventCourse {
  // The last chunk of a chat may hold its accounts and no choice.
  if (choices.length === 0) return ASIDE
  const reasons = choices.map((choice) => own(choice, 'finish_reason'))
  if (reasons.includes('error')) return ERROR
  return { course: reasons.some(isFilled) ? 'finished' : 'part', dialect: 'chat' }
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function parsed(data: string): unknown {
  try {
    return parseFlatJson(data)
  } catch {
    return undefined
  }
}
