import { parseFlatJson } from '../domain/nesting.js'
import { own } from '../policy/classify-fields.js'
import type { ServerSentEvent } from './event-stream.js'

/** Events of the Anthropic, OpenAI Responses and Cohere streams that only open something. */
const OPENING: ReadonlySet<string> = new Set([
  'ping',
  'message_start',
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
  'message-start',
  'content-start',
])

/**
 * Whether an event carries part of the answer. Keep-alives, openings, and first deltas that hold a role or
 * nothing do not: until something else comes, another upstream can still be asked. Whatever is not known
 * counts as content.
 */
export function carriesContent({ event, data }: ServerSentEvent): boolean {
  if (event === 'ping') return false
  const value = parsed(data)
  if (typeof value !== 'object' || value === null) return data.trim() !== ''
  const type = own(value, 'type')
  if (typeof type === 'string') {
    if (OPENING.has(type)) return false
    if (type === 'content_block_start') return hasText(own(value, 'content_block'))
    if (type === 'content_block_delta') return hasText(own(value, 'delta'))
    return true
  }
  const choices = own(value, 'choices')
  if (Array.isArray(choices)) return choices.some(choiceHasContent)
  const candidates = own(value, 'candidates')
  if (Array.isArray(candidates)) return candidates.some(candidateHasContent)
  // Gemini sends its accounts ahead of the first candidate; a blocked prompt is an answer.
  return own(value, 'usageMetadata') === undefined || own(value, 'promptFeedback') !== undefined
}

/** A block or delta of Anthropic's: its type apart, is there anything in it? */
function hasText(part: unknown): boolean {
  const type = own(part, 'type')
  const known = type === 'text' || type === 'thinking' || String(type).endsWith('_delta')
  return known ? hasFields(part, ['type', 'index']) : true
}

function choiceHasContent(choice: unknown): boolean {
  if (isFilled(own(choice, 'finish_reason')) || isFilled(own(choice, 'text'))) return true
  return hasFields(own(choice, 'delta') ?? own(choice, 'message'), ['role'])
}

function candidateHasContent(candidate: unknown): boolean {
  if (isFilled(own(candidate, 'finishReason'))) return true
  const parts = own(own(candidate, 'content'), 'parts')
  return Array.isArray(parts) && parts.some((part) => hasFields(part, []))
}

/** Whether any field but those named holds something. */
function hasFields(value: unknown, apart: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, field]) => !apart.includes(key) && isFilled(field))
}

function isFilled(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return false
  return !Array.isArray(value) || value.length > 0
}

function parsed(data: string): unknown {
  try {
    return parseFlatJson(data)
  } catch {
    return undefined
  }
}
