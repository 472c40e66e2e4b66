import type { RawHeaders } from '../domain/forwarding.js'
import { headerValue } from './headers.js'
import { elements, isKey, type JsonText, type Member, member, members, stringAt } from './json-walk.js'

/** By which programs name a session of theirs, as their requests were recorded (`test/agents/fixtures`). */
const SESSION_HEADERS = [
  'x-claude-code-session-id',
  'session_id',
  'session-id',
  'x-session-id',
  'x-session-affinity',
  'thread-id',
  'x-conversation-id',
]

const INSTRUCTIONS = ['system', 'instructions', 'systemInstruction', 'system_instruction']
const MESSAGES = ['messages', 'input', 'contents']
/** So much of a text tells one conversation from another, in bytes. */
const ENOUGH = 4_096
/** Before the first message of a person there are a few at most. */
const MOST_MESSAGES = 8
const TEXT_KEYS = ['text', 'content', 'parts']
const DEEPEST = 4

/**
 * What tells one conversation from another: the session that its program names, else its prompt cache's key, else the
 * user's id, else its instructions and the first thing that was said. `undefined` for what is no conversation.
 */
export function conversationKey(headers: RawHeaders, body: JsonText | undefined): string | undefined {
  for (const name of SESSION_HEADERS) {
    const value = headerValue(headers, name)
    if (value !== undefined && value !== '') return `session ${value}`
  }
  return body === undefined ? undefined : keyInBody(body)
}

function keyInBody(body: JsonText): string | undefined {
  const { bytes } = body
  const cacheKey = body.find('prompt_cache_key')
  const named = cacheKey && stringAt(bytes, cacheKey.start, cacheKey.end)
  if (named !== undefined && named !== '') return `cache ${named}`
  const metadata = body.find('metadata')
  const userId = metadata && userIdIn(bytes, metadata)
  if (userId !== undefined && userId !== '') return `user ${userId}`
  const messages = MESSAGES.flatMap((name) => body.find(name) ?? [])
  if (messages.length === 0) return undefined
  const instructions = INSTRUCTIONS.flatMap((name) => body.find(name) ?? [])
  const beginning = [
    ...instructions.map(({ start, end }) => textsOf(bytes, start, end)),
    ...messages.map((one) => firstWords(bytes, one)),
  ]
  const text = beginning.join('\u0000')
  // Nothing was said: all such requests would be one conversation.
  return /[^\0]/.test(text) ? `text ${text}` : undefined
}

function userIdIn(body: Buffer, { start }: Member): string | undefined {
  const found = member(body, start, 'user_id')
  return found && stringAt(body, found.start, found.end)
}

/** What was said up to the first message of a person. */
function firstWords(body: Buffer, { start, end }: Member): string {
  const whole = stringAt(body, start, end, Number.POSITIVE_INFINITY)
  if (whole !== undefined) return whole.slice(0, ENOUGH)
  const said: string[] = []
  for (const message of elements(body, start)) {
    said.push(textsOf(body, message.start, message.end))
    const role = member(body, message.start, 'role')
    const isPerson = role !== undefined && stringAt(body, role.start, role.end) === 'user'
    if (isPerson || said.length >= MOST_MESSAGES) break
  }
  return said.join('\u0000')
}

/** The texts of a message or of instructions. What stands beside them, such as marks for a cache, moves on with each turn. */
function textsOf(body: Buffer, start: number, end: number): string {
  const texts: string[] = []
  let left = ENOUGH
  const take = (from: number, to: number, depth: number): void => {
    if (left <= 0 || depth > DEEPEST) return
    const text = stringAt(body, from, to, Number.POSITIVE_INFINITY)
    if (text !== undefined) {
      texts.push(text.slice(0, left))
      left -= text.length
      return
    }
    for (const one of elements(body, from)) take(one.start, one.end, depth + 1)
    for (const one of members(body, from)) {
      if (TEXT_KEYS.some((name) => isKey(body, one, name))) take(one.start, one.end, depth + 1)
    }
  }
  take(start, end, 0)
  return texts.join('\u0000')
}
