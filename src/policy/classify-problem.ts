import type { BodyContent } from './classify-body.js'
import { items, own } from './classify-fields.js'
import { parseTolerantly } from './classify-json.js'
import { LOOKED_AT, wordsOf } from './classify-wording.js'

/** What a provider says about a failure, whatever the shape it says it in. */
export interface Problem {
  /** Machine-readable codes, types and statuses, finest first, as words (`rate limit exceeded`). */
  readonly codes: readonly string[]
  /** The same as they came. */
  readonly names: readonly string[]
  /** The provider's own message. */
  readonly message: string
  /** Status that the body claims, between 400 and 599. */
  readonly status?: number
  /** Names of the quotas that were exceeded (`google.rpc.QuotaFailure`). */
  readonly quotas: readonly string[]
  /** Waits that the body states, unread. */
  readonly waits: BodyWaits
  /** The message as it came, addresses included. */
  readonly raw: string
  /** The error in whose message it was found: somebody passed it on. */
  readonly outer?: Problem
  /** It is what somebody behind the relay said, whose accounts are the relay's. */
  readonly isBehind?: boolean
  /** `{type: "error", error: {type}}` */
  readonly isAnthropic: boolean
  /** `{base_resp}` */
  readonly isMinimax: boolean
  /** A code that the message begins with: `[1113][…]`. */
  readonly bracketed?: string
  /** A code that the message ends with: `… (2056)`. */
  readonly suffixed?: string
}

/** Waits as bodies state them. */
export interface BodyWaits {
  /** `google.rpc.RetryInfo.retryDelay`. */
  readonly retryDelay?: unknown
  readonly resetsInSeconds?: unknown
  readonly resetsAt?: unknown
  /** The message, which may state one in words. */
  readonly words?: string
  /** Rate-limit headers that OpenRouter repeats in `error.metadata.headers`. */
  readonly headers?: unknown
}

const MAX_DETAILS = 16
const LONGEST_CODE = 200
/** How often an error is found in another one's message. */
const MOST_WRAPPED = 2
/** What stands before an error that is passed on as text. */
const LONGEST_PREFIX = 200

/**
 * Reads the error shapes of all known providers: `{error: {message, type, code}}` (OpenAI and the like),
 * `{type, error: {type, message}}` (Anthropic), `{error: {code, message, status, details}}` (Gemini, also
 * as the first element of a list), `{message}` and `{detail}` (Cohere, Mistral), `{code, error: text}`
 * (xAI), `{code, message}` (DashScope), `base_resp` (MiniMax), `{error: code, error_description}` (OAuth).
 */
export function readProblem(content: BodyContent): Problem {
  let problem = problemIn(content)
  const behind = behindRelay(content)
  if (behind !== undefined) problem = withOuter({ ...behind, isBehind: true }, problem)
  for (let depth = 0; depth < MOST_WRAPPED; depth += 1) {
    const start = problem.raw.search(/\{\s*"/)
    const inner = innerOf(problem, start)
    if (inner === undefined) break
    // What it quotes is not what it says.
    problem = withOuter(inner, { ...problem, message: problem.raw.slice(0, start).trim() })
  }
  return problem
}

/** OpenRouter repeats what a provider of its own has said (`error.metadata.raw`, openrouter.ai/docs/api-reference/errors). */
function behindRelay({ value }: BodyContent): Problem | undefined {
  const raw = own(own(own(value, 'error'), 'metadata'), 'raw')
  if (typeof raw !== 'string' || !/^\s*\{/.test(raw)) return undefined
  const problem = problemIn({ value: parseTolerantly(raw.slice(0, LOOKED_AT)) })
  return problem.codes.length > 0 || problem.message !== '' ? problem : undefined
}

/** AWS names an error in a header: `ThrottlingException:http://internal.amazon.com/…`. */
export function withHeaderCode(problem: Problem, type: string | undefined): Problem {
  const [name = ''] = type?.split(':', 1) ?? []
  const code = codeOf(name.trim())
  return code === '' || problem.codes.includes(code)
    ? problem
    : { ...problem, codes: [code, ...problem.codes], names: [name.trim(), ...problem.names] }
}

/** Relays pass an error on as text in the message of their own. */
function innerOf({ raw }: Problem, start: number): Problem | undefined {
  if (start < 0 || start > LONGEST_PREFIX) return undefined
  const value = parseTolerantly(raw.slice(start))
  if (typeof value !== 'object' || value === null) return undefined
  const problem = problemIn({ value })
  return problem.codes.length > 0 || problem.message !== '' ? problem : undefined
}

/** What the inner one does not say the outer one may. */
function withOuter(inner: Problem, outer: Problem): Problem {
  const { waits } = outer
  const said = Object.values(inner.waits).some((wait) => wait !== undefined && wait !== '')
  return {
    ...inner,
    outer,
    message: inner.message === '' ? outer.raw : inner.message,
    ...(inner.status === undefined && outer.status !== undefined ? { status: outer.status } : {}),
    waits: said ? inner.waits : waits,
  }
}

function problemIn(content: BodyContent): Problem {
  const root = Array.isArray(content.value) ? content.value[0] : content.value
  const error = errorOf(root)
  const holder = typeof error === 'object' && error !== null ? error : root
  const details = items(own(holder, 'details'), MAX_DETAILS)
  const metadata = own(holder, 'metadata')
  const minimax = own(root, 'base_resp')
  const type = own(root, 'type')
  const raw = content.text ?? messageOf(root, error, minimax)
  const bracketed = /^\[(\d{3,5})\]/.exec(raw)?.[1]
  const suffixed = /\((\d{4})\)\s*$/.exec(raw.slice(-16))?.[1]
  const codes = [
    ...details.map((detail) => own(detail, 'reason')),
    own(metadata, 'limit_source'),
    own(own(holder, 'innererror'), 'code'),
    own(holder, 'code'),
    own(holder, 'type'),
    own(holder, 'status'),
    typeof error === 'string' && !error.trim().includes(' ') ? error : undefined,
    own(root, 'code'),
    type === 'error' ? undefined : type,
    own(minimax, 'status_code'),
    bracketed,
    suffixed,
  ]
  const statuses = [own(holder, 'code'), own(holder, 'status'), own(root, 'status')]
  const status = statuses.find((one) => typeof one === 'number' && one >= 400 && one <= 599)
  const delay = details.map((detail) => own(detail, 'retryDelay')).find((one) => one !== undefined)
  const reset = details.map((detail) => own(own(detail, 'metadata'), 'quotaResetDelay'))
  return {
    codes: [...new Set(codes.map(codeOf).filter((code) => code !== ''))],
    names: codes.flatMap((code) => (typeof code === 'string' && code.length <= LONGEST_CODE ? [code] : [])),
    message: raw,
    raw,
    isAnthropic: type === 'error' && typeof own(error, 'type') === 'string',
    isMinimax: typeof own(minimax, 'status_code') === 'number',
    ...(bracketed === undefined ? {} : { bracketed }),
    ...(suffixed === undefined ? {} : { suffixed }),
    ...(typeof status === 'number' ? { status } : {}),
    quotas: details.flatMap((detail) => items(own(detail, 'violations'), MAX_DETAILS).map(quotaOf)),
    waits: {
      retryDelay: delay ?? reset.find((one) => one !== undefined),
      resetsInSeconds:
        own(holder, 'resets_in_seconds') ??
        own(root, 'resets_in_seconds') ??
        own(holder, 'reset_seconds') ??
        own(root, 'reset_seconds') ??
        own(holder, 'retry_after') ??
        own(root, 'retry_after'),
      resetsAt: own(holder, 'resets_at') ?? own(root, 'resets_at'),
      headers: own(metadata, 'headers'),
      words: raw,
    },
  }
}

function errorOf(root: unknown): unknown {
  const [choice] = items(own(root, 'choices'), 1)
  const error =
    own(root, 'error') ??
    own(own(root, 'response'), 'error') ??
    items(own(root, 'errors'), 1)[0] ??
    own(choice, 'error')
  // Some proxies wrap the provider's error once more.
  const inner = own(error, 'error')
  return typeof inner === 'object' && inner !== null ? inner : error
}

function messageOf(root: unknown, error: unknown, minimax: unknown): string {
  const said = [
    own(root, 'error_description'),
    error,
    own(root, 'message'),
    own(root, 'detail'),
    own(minimax, 'status_msg'),
  ]
  return said.map((one) => textIn(one, 4)).find((text) => text !== '') ?? modelAlone(root)
}

/** opencode says no more than which model it refuses. */
function modelAlone(root: unknown): string {
  const model = own(root, 'model')
  return typeof model === 'string' && Object.keys(Object(root)).length === 1 ? `model: ${model}` : ''
}

/** The text in a message that may itself be a list or an object (Mistral's `{detail: [{msg}]}`). */
function textIn(value: unknown, depth: number): string {
  if (typeof value === 'string') return value.slice(0, LOOKED_AT).trim()
  if (depth === 0) return ''
  if (Array.isArray(value)) return textIn(value[0], depth - 1)
  return (
    ['message', 'msg', 'detail']
      .map((key) => textIn(own(value, key), depth - 1))
      .find((text) => text !== '') ?? ''
  )
}

function codeOf(code: unknown): string {
  if (typeof code === 'number') return String(code)
  return typeof code === 'string' && code.length <= LONGEST_CODE ? wordsOf(code) : ''
}

function quotaOf(violation: unknown): string {
  return wordsOf(`${codeOf(own(violation, 'quotaId'))} ${codeOf(own(violation, 'quotaMetric'))}`)
}
