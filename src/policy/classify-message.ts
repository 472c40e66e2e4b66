import { KeymuxError } from '../domain/errors.js'
import type { FailureReason } from '../domain/usage.js'
import { items, property } from './classify-fields.js'
import {
  type ClassifyInput,
  classifyResponse,
  type ExplainedVerdict,
  explainResponse,
  shortText,
} from './classify-response.js'
import { statusInWords, wordsOf } from './classify-wording.js'
import { isOwners } from './own-rules.js'

/** How many errors of a chain of causes are looked at. */
const MAX_ERRORS = 16

/** Errors of keymux itself that pass on what a provider or the network said. All others say nothing of a credential. */
const REPORTING: ReadonlySet<string> = new Set(['refresh_failed', 'provider_unreachable', 'test_failed'])

/** Taken where a message mentions no status: one that says little. */
const GUESSED_STATUS = 400

/** What a message alone is judged with. */
export type MessageContext = Omit<ClassifyInput, 'status' | 'headers' | 'body' | 'provider'> & {
  readonly provider?: string | undefined
}

/**
 * The reason that an error message gives: by what it quotes of an answer, by its wording, else by an HTTP status it
 * mentions, else `unknown`. Only the first 64 KiB are looked at.
 */
export function classifyFailureMessage(message: string): FailureReason {
  return explainMessage(message).reason
}

/** {@link classifyFailureMessage}, with a wait that the message states, and what the verdict comes from. */
export function explainMessage(
  message: string,
  { provider = '', ...context }: MessageContext = {},
): ExplainedVerdict {
  const mentioned = statusInWords(wordsOf(message))
  const stated = mentioned !== undefined && mentioned >= 400 && mentioned <= 599 ? mentioned : undefined
  const response = { ...context, provider, status: stated ?? GUESSED_STATUS, body: message }
  const verdict = explainResponse(response, stated === undefined)
  if (verdict === undefined || (verdict.decision.by === 'status' && stated === undefined))
    return unknown(message)
  // It may be quoted wrongly, or be about something else.
  return isOwners(verdict) ? verdict : { ...verdict, certainty: 'presumed' }
}

function unknown(message: string): ExplainedVerdict {
  return {
    reason: 'unknown',
    scope: 'credential',
    certainty: 'presumed',
    message: shortText(message),
    decision: { by: 'nothing', what: 'nothing that is known' },
  }
}

/**
 * The reason of a failure that was thrown: an error of `fetch`, of Node, of a provider's SDK (status, code
 * and body count before the message), or a message. Causes are followed where an error itself says nothing.
 *
 * `unknown` for the caller's own abort, which is no failure, and for keymux's own errors apart from those
 * that pass on what a provider or the network said. Never throws.
 */
export function classifyFailure(error: unknown): FailureReason {
  const queue: unknown[] = [error]
  for (let index = 0; index < Math.min(queue.length, MAX_ERRORS); index += 1) {
    const one = queue[index]
    if (property(one, 'name') === 'AbortError') return 'unknown'
    const reason = reasonOfError(one)
    if (reason !== 'unknown') return reason
    const causes = [property(one, 'cause'), ...items(property(one, 'errors'), MAX_ERRORS)]
    queue.push(...causes.filter((cause) => cause != null && !queue.includes(cause)))
  }
  return 'unknown'
}

function reasonOfError(error: unknown): FailureReason {
  if (typeof error === 'string') return classifyFailureMessage(error)
  if (error instanceof KeymuxError && !REPORTING.has(error.code)) return 'unknown'
  if (property(error, 'name') === 'TimeoutError') return 'timeout'
  const status = statusOf(error)
  if (status !== undefined) {
    const reason = classifyResponse({ provider: '', status, body: bodyOf(error), now: new Date(0) })?.reason
    if (reason !== undefined && reason !== 'unknown') return reason
  }
  // An OAuth error's `error` is its code (RFC 6749 section 5.2); Node's `code` is ETIMEDOUT and the like.
  const texts = [property(error, 'error'), property(error, 'code'), property(error, 'message')]
  const reasons = texts.map((text) => (typeof text === 'string' ? classifyFailureMessage(text) : 'unknown'))
  return reasons.find((reason) => reason !== 'unknown') ?? 'unknown'
}

/** The status as SDKs name it: OpenAI's and Anthropic's `status`, AI SDK's `statusCode`, Google's `code`. */
function statusOf(error: unknown): number | undefined {
  const named = ['status', 'statusCode', 'code'].map((key) => property(error, key))
  const status = [...named, property(property(error, 'response'), 'status')].find(
    (one) => typeof one === 'number' && one >= 400 && one <= 599,
  )
  return typeof status === 'number' ? status : undefined
}

/** What the provider answered, where the SDK keeps it; else the message, which repeats it. */
function bodyOf(error: unknown): unknown {
  return property(error, 'error') ?? property(error, 'responseBody') ?? property(error, 'message')
}
