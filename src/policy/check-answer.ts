import type { OwnFailureRule } from '../domain/failure-rule.js'
import { parseFlatJson } from '../domain/nesting.js'
import type { FailureFamily, ProviderFamily } from '../domain/provider.js'
import type { CheckSaid } from '../domain/usage.js'
import { readContent } from './classify-body.js'
import { readProblem } from './classify-problem.js'
import { type ExplainedVerdict, explainResponse } from './classify-response.js'
import { type ResponseHeaders, readHeaders } from './classify-wait.js'
import { OWN_RULES } from './own-rules.js'

/** The answer to a provider's cheap check. */
export interface CheckAnswer {
  readonly provider: string
  readonly family?: ProviderFamily | undefined
  readonly failureFamily?: FailureFamily | undefined
  readonly status: number
  readonly headers: ResponseHeaders
  /** The body, or its beginning. */
  readonly body: Uint8Array
  /** Whether `body` is all of it. */
  readonly whole: boolean
  readonly now: Date
  readonly rules?: readonly OwnFailureRule[] | undefined
}

/** What an answer to a check says. */
export interface CheckVerdict {
  readonly said: CheckSaid
  /** Of a refusal: the account itself is gone, and no other token of it would do. */
  readonly isPermanent?: boolean
  /** Whether the account can pay, where the answer tells. */
  readonly hasCredit?: boolean
  /** What decided, in a few words: the status, and a code that is known. */
  readonly why: string
}

/** What says that a key itself is none, in codes and messages. */
const INVALID = /\b(?:invalid|incorrect|revoked|deactivated|disabled|suspended|expired|deleted)\b/i
/** What is refused is something else, or the key is good and may not do this. */
const SOMETHING_ELSE =
  /\b(?:scopes?|permissions?|regions?|country|ip|referr?er|models?|billing|service|quota|balance|credits?)\b/i
const JSON_BEGINS = /^[\s\uFEFF]*[{[]/

/**
 * What the answer to a check says of the credential that it was asked with. Only a code that is documented to mean
 * an invalid, revoked or deactivated key refuses it: a restricted key is answered 401 too. Anything but JSON without an
 * error is no good answer, whatever its status. Never throws.
 */
export function readCheck(answer: CheckAnswer): CheckVerdict {
  const { status, provider, family, failureFamily, headers, body, now, rules } = answer
  const verdict = explainResponse({ provider, family, failureFamily, status, headers, body, now, rules })
  if (verdict !== undefined) {
    return status >= 400 && (isInvalidKey(verdict) || namesInvalidKey(answer, verdict))
      ? {
          said: 'refused',
          isPermanent: verdict.reason === 'auth_permanent',
          why: `status ${status}, ${verdict.decision.what}`,
        }
      : unasked(`status ${status}, ${verdict.reason}`)
  }
  if (status < 200 || status >= 300) return unasked(`status ${status}`)
  return readGood(answer)
}

/**
 * Whether an endpoint tells keys from each other, by its answer to a key that nobody has: `refuses`; `open` to anybody,
 * or not there; `unclear` where it did not answer the question.
 */
export function readProof(answer: CheckAnswer): 'refuses' | 'open' | 'unclear' {
  const { status, provider, family, headers, body, now } = answer
  const { said } = readCheck(answer)
  if (said !== 'unasked') return said === 'refused' ? 'refuses' : 'open'
  const reason = explainResponse({ provider, family, status, headers, body, now })?.reason
  const isRefusal = reason === 'auth' || reason === 'auth_permanent' || reason === 'session_expired'
  if (isRefusal && status >= 400 && status < 500) return 'refuses'
  const isAnswer = status >= 400 && status < 500 && status !== 429
  return isAnswer && reason !== 'server_error' ? 'open' : 'unclear'
}

function unasked(why: string): CheckVerdict {
  return { said: 'unasked', why }
}

function isInvalidKey({ certainty, reason, decision, message }: ExplainedVerdict): boolean {
  if (certainty !== 'stated' || (reason !== 'auth' && reason !== 'auth_permanent')) return false
  if (decision.source === OWN_RULES) return true
  const text = `${decision.what}; ${message}`
  return INVALID.test(text) && !SOMETHING_ELSE.test(text)
}

/** Anthropic's and DeepSeek's type of every 401, where what it says agrees (docs.claude.com/en/api/errors). */
function namesInvalidKey(
  { status, headers, body }: CheckAnswer,
  { reason, message }: ExplainedVerdict,
): boolean {
  if (status !== 401 || (reason !== 'auth' && reason !== 'auth_permanent')) return false
  const { codes } = readProblem(readContent(body, readHeaders(headers).get('content-type'), false))
  return codes.includes('authentication error') && INVALID.test(message) && !SOMETHING_ELSE.test(message)
}

function readGood({ body, whole, headers, status }: CheckAnswer): CheckVerdict {
  const text = new TextDecoder().decode(body)
  if (!JSON_BEGINS.test(text)) return unasked(`status ${status} without JSON`)
  if (!whole) {
    return isJson(headers)
      ? { said: 'valid', why: `status ${status}` }
      : unasked(`status ${status}, too long`)
  }
  const value = parsed(text)
  if (value === undefined) return unasked(`status ${status} with broken JSON`)
  // Cohere's check answers 200 with `{"valid": false}`: docs.cohere.com/reference/check-api-key
  if (field(value, 'valid') === false) return { said: 'refused', why: `status ${status}, valid: false` }
  const hasCredit = creditOf(value)
  const good = { said: 'valid', why: `status ${status}` } as const
  return hasCredit === undefined ? good : { ...good, hasCredit }
}

/**
 * What an answer says of money: DeepSeek's `is_available` (api-docs.deepseek.com/api/get-user-balance), and what is
 * left of a limit, as OpenRouter and others name it. Where it says nothing, that it is good decides.
 */
function creditOf(value: unknown): boolean | undefined {
  const inner = field(value, 'data') ?? value
  const available = field(value, 'is_available')
  if (typeof available === 'boolean') return available
  const left = field(inner, 'limit_remaining') ?? field(inner, 'available_balance')
  return typeof left === 'number' ? left > 0 : undefined
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

function parsed(text: string): unknown {
  try {
    return parseFlatJson(text)
  } catch {
    return undefined
  }
}

function isJson(headers: ResponseHeaders): boolean {
  return /\bjson\b/i.test(readHeaders(headers).get('content-type') ?? '')
}
