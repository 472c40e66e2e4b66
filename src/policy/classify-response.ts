import type { ProviderFamily } from '../domain/provider.js'
import { redactSecrets } from '../domain/redact.js'
import type { FailureReason, FailureScope } from '../domain/usage.js'
import { type BodyContent, readContent, reportsFailure } from './classify-body.js'
import { type Problem, readProblem } from './classify-problem.js'
import { PROVIDER_RULES } from './classify-providers.js'
import { type FailureRule, GENERIC_RULES, REASON_OF_CODE, STATUS_OF_CODE } from './classify-rules.js'
import { type ResponseHeaders, readHeaders, rejectedBySubscription, statedWait } from './classify-wait.js'
import { reasonOfStatus, reasonOfWords, wordsOf } from './classify-wording.js'
import { scopeOf } from './effects.js'

/** A provider's response, as far as it tells what failed. */
export interface ClassifyInput {
  /** The provider's name. An unknown one is read by its family, or as OpenAI's kind. */
  readonly provider: string
  readonly status: number
  readonly headers?: ResponseHeaders | undefined
  /** A text, bytes, or the parsed value. Only the first 64 KiB of texts and bytes are looked at. */
  readonly body?: unknown
  /** The model that the request was for. */
  readonly model?: string | undefined
  /** The instant that waits are counted from; the present one by default. */
  readonly now?: Date | undefined
  /** Dialect of a custom provider. */
  readonly family?: ProviderFamily | undefined
}

/** What a failed response means. */
export interface ResponseVerdict {
  readonly reason: FailureReason
  readonly scope: FailureScope
  /** The wait that the response itself states, in milliseconds, at most 24 h; only where waiting helps. */
  readonly retryAfterMs?: number
  /** The provider's own message on one line, without secrets, at most 300 characters. */
  readonly message: string
}

const LONGEST_MESSAGE = 300
/** Reasons that pass with time: a stated wait means something. */
const PASSING: ReadonlySet<FailureReason> = new Set([
  'rate_limit',
  'overloaded',
  'server_error',
  'timeout',
  'unknown',
])
/** Wordings that many an error has in passing: a status that says more goes before them. */
const COMMONPLACE: ReadonlySet<FailureReason> = new Set(['format', 'timeout', 'server_error'])
/** What a status means that says little. */
const VAGUE: ReadonlySet<FailureReason> = new Set(['format', 'unknown'])

/**
 * Tells what a provider's response means, or `undefined` when it is no failure (1xx, 3xx, and 2xx without
 * an error inside, be it JSON or the first event of a stream).
 *
 * The body goes before the status: codes and types, then wording, then the status. Never throws, whatever
 * the body; costs no more than its first 64 KiB.
 */
export function classifyResponse(response: ClassifyInput): ResponseVerdict | undefined {
  const { status, now = new Date() } = response
  if ((status >= 100 && status < 200) || (status >= 300 && status < 400)) return undefined
  const failed = status >= 400
  const headers = readHeaders(response.headers)
  const content = readContent(response.body, headers.get('content-type'), !failed)
  if (!failed && !reportsFailure(content)) return undefined
  const problem = readProblem(content)
  const verdict = judge(response, problem, content)
  const scope =
    verdict.scope ??
    (verdict.reason === 'rate_limit' && rejectedBySubscription(headers)
      ? 'credential'
      : defaultScope(verdict.reason, response))
  const retryAfterMs = PASSING.has(verdict.reason) ? statedWait(headers, problem.waits, now) : undefined
  const message = shortMessage(problem, content, status)
  return { reason: verdict.reason, scope, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), message }
}

/** A reason, and a scope where it differs from what the reason sets aside anyway. */
type Verdict = Pick<FailureRule, 'reason' | 'scope'>

function judge(response: ClassifyInput, problem: Problem, content: BodyContent): Verdict {
  const words = wordsOf(problem.message)
  const rules = [...rulesFor(response), ...GENERIC_RULES]
  const rule = rules.find((one) => applies(one, problem, words))
  if (rule !== undefined) return rule
  const code = problem.codes.find((one) => REASON_OF_CODE.has(one))
  const settled = code === undefined ? undefined : REASON_OF_CODE.get(code)
  return { reason: settled ?? fromWording(response, problem, words, content) }
}

function rulesFor({ provider, family }: ClassifyInput): readonly FailureRule[] {
  return PROVIDER_RULES.get(provider.toLowerCase()) ?? PROVIDER_RULES.get(family ?? '') ?? []
}

function applies(rule: FailureRule, problem: Problem, words: string): boolean {
  const { code, quota } = rule
  return (
    (code === undefined || problem.codes.some((one) => code.test(one))) &&
    (quota === undefined || problem.quotas.some((one) => quota.test(one))) &&
    (rule.words === undefined || rule.words.test(words))
  )
}

function fromWording(
  response: ClassifyInput,
  problem: Problem,
  words: string,
  content: BodyContent,
): FailureReason {
  const { status, model } = response
  const said = reasonOfWords(words)
  const stated = reasonOfStatus(effectiveStatus(status, problem))
  if (said !== undefined && (VAGUE.has(stated) || !COMMONPLACE.has(said))) return said
  if (status === 404 && model !== undefined && model !== '' && problem.message.includes(model)) {
    return 'model_not_found'
  }
  // A block page of a proxy in between says less about the key than the API itself would.
  if (stated === 'auth_permanent' && content.title !== undefined) return 'auth'
  if (!VAGUE.has(stated)) return stated
  return reasonOfWords(problem.codes.join('; ')) ?? stated
}

/** The response's status, or what the body claims where the response says 200 or no more than 400. */
function effectiveStatus(status: number, problem: Problem): number {
  if (status > 400) return status
  const code = problem.codes.find((one) => STATUS_OF_CODE.has(one))
  return problem.status ?? (code === undefined ? undefined : STATUS_OF_CODE.get(code)) ?? status
}

/** What an unknown failure sets aside: nothing if it is a 4xx, where the request is at fault as likely as not. */
function defaultScope(reason: FailureReason, { status, model }: ClassifyInput): FailureScope {
  return reason === 'unknown' && status >= 400 && status < 500 ? 'request' : scopeOf(reason, model)
}

function shortMessage(problem: Problem, content: BodyContent, status: number): string {
  const said = [problem.message, problem.codes[0], content.title].map(oneLine)
  return said.find((text) => text !== '') ?? `HTTP ${Number.isInteger(status) ? status : 'error'}`
}

function oneLine(text = ''): string {
  const clean = redactSecrets(text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ').trim())
  return clean.length <= LONGEST_MESSAGE ? clean : `${[...clean].slice(0, LONGEST_MESSAGE - 1).join('')}…`
}
