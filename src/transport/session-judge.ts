import type { OwnFailureRule } from '../domain/failure-rule.js'
import { parseFlatJson } from '../domain/nesting.js'
import type { ProviderFamily } from '../domain/provider.js'
import type { FailureReason } from '../domain/usage.js'
import { property } from '../policy/classify-fields.js'
import { classifyResponse, type ResponseVerdict } from '../policy/classify-response.js'
import type { AnswerVerdict, BadAnswer } from './answer-verdict.js'

/** What the judgement of a session depends on. */
export interface SessionContext {
  readonly provider: string
  readonly family: ProviderFamily | undefined
  readonly now: () => Date
  /** Whose way of telling failures the provider has, where its definition says so. */
  readonly failureFamily?: string | undefined
  /** Rules of the owner's own about failures. */
  readonly rules?: readonly OwnFailureRule[] | undefined
}

/** What a message or a Close frame says of the account: nothing, in most cases. */
export type SessionVerdict = Exclude<AnswerVerdict, { kind: 'nothing' }> | undefined

/** Messages that may say something, by their beginning. */
const OPENAI_TELLING =
  /"type"\s*:\s*"(?:error|response\.done|conversation\.item\.input_audio_transcription\.(?:completed|failed))"/
const GEMINI_TELLING = /"(?:error|turnComplete|generationComplete)"/
/** Where nothing else is said, what an error of a session is taken for: the client's fault, or the provider's. */
const CLIENTS_FAULT = 400
const PROVIDERS_FAULT = 500
/** Codes by which a server says that something is wrong with it (RFC 6455 section 7.4.1, IANA's registry). */
const SERVER_TROUBLE: ReadonlyMap<number, FailureReason> = new Map([
  [1011, 'server_error'],
  [1012, 'server_error'],
  [1013, 'overloaded'],
  [1014, 'server_error'],
])
const ORDERLY: ReadonlySet<number> = new Set([1000, 1001, 1005])
/** The longest a session may last is over (platform.openai.com/docs/guides/realtime): no login has ended. */
const SESSION_OVER = 'session_expired'
const QUOTA = /quota|resource.?exhausted/i
const TYPE_AND_CODE = /^([a-z_]{1,64})\.([a-z_0-9]{1,64})$/
/** Failures that lie in what the client said, or of which nothing is known. */
const NOT_THE_ACCOUNTS: ReadonlySet<FailureReason> = new Set(['format', 'context_overflow', 'unknown'])

/** Whether a message of the provider's is worth reading. */
export function isTelling({ family }: SessionContext, beginning: Buffer): boolean {
  return (family === 'gemini' ? GEMINI_TELLING : OPENAI_TELLING).test(beginning.toString('latin1'))
}

/** What a message of the provider's says. */
export function judgeMessage(context: SessionContext, payload: Buffer): SessionVerdict {
  const event = parsed(payload)
  if (context.family === 'gemini') return judgeGemini(context, event)
  switch (property(event, 'type')) {
    case 'error':
      return judgeError(context, property(event, 'error'), CLIENTS_FAULT)
    case 'conversation.item.input_audio_transcription.failed':
      return judgeError(context, property(event, 'error'), CLIENTS_FAULT)
    case 'conversation.item.input_audio_transcription.completed':
      return { kind: 'good' }
    case 'response.done': {
      const response = property(event, 'response')
      if (property(response, 'status') !== 'failed') return { kind: 'good' }
      return judgeError(context, property(property(response, 'status_details'), 'error'), PROVIDERS_FAULT)
    }
    default:
      return undefined
  }
}

function judgeGemini(context: SessionContext, event: unknown): SessionVerdict {
  const error = property(event, 'error')
  if (error !== undefined) return judgeError(context, error, CLIENTS_FAULT)
  const content = property(event, 'serverContent')
  const isOver =
    property(content, 'turnComplete') === true || property(content, 'generationComplete') === true
  return isOver ? { kind: 'good' } : undefined
}

/** What the code and reason of a provider's Close frame say. */
export function judgeClose(context: SessionContext, code: number, reason: string): SessionVerdict {
  if (ORDERLY.has(code)) return undefined
  const error = context.family === 'gemini' ? googles(reason) : openais(reason)
  const said = reason === '' ? undefined : judgeError(context, error, CLIENTS_FAULT)
  const trouble = SERVER_TROUBLE.get(code)
  if (said !== undefined || trouble === undefined) return said
  return bad(trouble, `it closed the session with the code ${code}`)
}

/** OpenAI closes with type and code of the error, and no words. */
function openais(reason: string): object {
  const [, type, code] = TYPE_AND_CODE.exec(reason) ?? []
  return type === undefined ? { message: reason } : { type, code, message: reason, param: null }
}

/** Google closes with the words alone. What it says of quotas goes with this status over HTTP. */
function googles(reason: string): object {
  return QUOTA.test(reason)
    ? { code: 429, status: 'RESOURCE_EXHAUSTED', message: reason }
    : { message: reason }
}

/** A session whose connection broke. */
export const BROKEN: BadAnswer = bad('server_error', 'its session broke off')

function judgeError(context: SessionContext, error: unknown, status: number): SessionVerdict {
  if (property(error, 'code') === SESSION_OVER) return undefined
  const { now, ...source } = context
  const stated = classifyResponse({ ...source, status, body: { error }, now: now() })
  if (stated === undefined || stated.scope === 'request' || NOT_THE_ACCOUNTS.has(stated.reason))
    return undefined
  return { kind: 'bad', reason: stated.reason, stated, message: stated.message }
}

function bad(reason: FailureReason, message: string): BadAnswer {
  return { kind: 'bad', reason, message }
}

/** The status by which HTTP tells the same: what a session is refused with before it has begun. */
export function statusOf({ reason }: ResponseVerdict): number {
  return STATUS[reason] ?? 500
}

const STATUS: Readonly<Partial<Record<FailureReason, number>>> = {
  auth: 401,
  auth_permanent: 401,
  session_expired: 401,
  billing: 429,
  rate_limit: 429,
  model_not_found: 404,
  overloaded: 503,
  timeout: 504,
}

function parsed(payload: Buffer): unknown {
  try {
    return parseFlatJson(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
