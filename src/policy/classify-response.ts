import { withoutUndefined } from '../domain/defined.js'
import type { ProviderFamily } from '../domain/provider.js'
import { redactSecrets } from '../domain/redact.js'
import type { Certainty, FailureReason, FailureScope, OwnFailureRule } from '../domain/usage.js'
import { type BodyContent, readContent, reportsFailure } from './classify-body.js'
import { familiesOf } from './classify-families.js'
import { type Problem, readProblem } from './classify-problem.js'
import {
  certaintyOf,
  type FailureRule,
  GENERIC_RULES,
  ownRules,
  REASON_OF_CODE,
  STATUS_OF_CODE,
} from './classify-rules.js'
import { isBlocked, type ResponseHeaders, readHeaders, rejectedWindow, statedWait } from './classify-wait.js'
import { reasonOfStatus, saidByWords, wordsOf } from './classify-wording.js'
import { scopeOf } from './effects.js'
import { speaksOfContent } from './policy-words.js'

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
  /** Rules of an owner's own. They go before all others. */
  readonly rules?: readonly OwnFailureRule[] | undefined
}

/** What decided on a response. */
export interface Decision {
  /** A rule; a code that settles the matter; wording; the status; a page of something in between. */
  readonly by: 'rule' | 'code' | 'words' | 'status' | 'page'
  /** The code, the words or the status that did. */
  readonly what: string
  /** Whose way of telling failures it is. */
  readonly family?: string
  /** The page or report that says so. */
  readonly source?: string
}

/** A verdict, and what it comes from. */
export interface ExplainedVerdict extends ResponseVerdict {
  readonly decision: Decision
}

/** What a failed response means. */
export interface ResponseVerdict {
  readonly reason: FailureReason
  readonly scope: FailureScope
  /** Whether a documented code, type or header says so, or wording or the status alone. */
  readonly certainty: Certainty
  /**
   * The wait that the response itself states, in milliseconds: at most 24 h, or 8 days for the window of a subscription;
   * only where waiting helps.
   */
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
  const explained = explainResponse(response)
  if (explained === undefined) return undefined
  const { decision: _decision, ...verdict } = explained
  return verdict
}

/** {@link classifyResponse}, and what the verdict comes from. */
export function explainResponse(response: ClassifyInput): ExplainedVerdict | undefined {
  const { status, now = new Date() } = response
  if ((status >= 100 && status < 200) || (status >= 300 && status < 400)) return undefined
  const failed = status >= 400
  const headers = readHeaders(response.headers)
  const content = readContent(response.body, headers.get('content-type'), !failed)
  if (!failed && !reportsFailure(content)) return undefined
  const problem = readProblem(content)
  const verdict = isBlocked(headers, status, content.title) ? BLOCKED : judge(response, problem, content)
  const window = verdict.reason === 'rate_limit' ? rejectedWindow(headers) : undefined
  const scope =
    verdict.scope ?? (window === 'account' ? 'credential' : defaultScope(verdict.reason, response, window))
  const isLong = window !== undefined || verdict.isWindow === true
  const waited = PASSING.has(verdict.reason)
    ? statedWait(headers, { waits: problem.waits, quotas: problem.quotas, isLong, now })
    : undefined
  return {
    reason: verdict.reason,
    scope,
    certainty: window === undefined ? verdict.certainty : 'stated',
    ...(waited === undefined ? {} : { retryAfterMs: waited }),
    message: shortMessage(problem, content, status),
    decision: verdict.decision,
  }
}

/** A reason, and a scope where it differs from what the reason sets aside anyway. */
interface Verdict extends Pick<FailureRule, 'reason' | 'scope'> {
  readonly certainty: Certainty
  /** It is the window of a subscription: that may take days. */
  readonly isWindow?: boolean
  readonly decision: Decision
}

/** A page of what stands before the provider says nothing of a key. */
const BLOCKED: Verdict = {
  reason: 'server_error',
  scope: 'provider',
  certainty: 'presumed',
  decision: { by: 'page', what: 'a page of what stands before the provider' },
}
/** What an error that was passed on may say only under a status that says such a thing too: a prompt is echoed in others. */
const OF_ACCOUNT: ReadonlySet<FailureReason> = new Set([
  'rate_limit',
  'billing',
  'auth',
  'auth_permanent',
  'session_expired',
])

function judge(response: ClassifyInput, problem: Problem, content: BodyContent): Verdict {
  const verdict = judgeOne(response, problem, content)
  const { outer } = problem
  if (outer === undefined) return verdict
  const { status } = response
  const speaks = status === 401 || status === 402 || status === 403 || status === 429 || status >= 500
  if (OF_ACCOUNT.has(verdict.reason) && !speaks && status >= 300) return judge(response, outer, content)
  return { ...verdict, certainty: 'presumed' }
}

function judgeOne(response: ClassifyInput, problem: Problem, content: BodyContent): Verdict {
  const words = wordsOf(problem.message)
  for (const { family, rule } of rulesFor(response, problem)) {
    if (!applies(rule, response.status, problem, words)) continue
    const { reason, scope, source } = rule
    const decision = withoutUndefined({
      by: 'rule' as const,
      what: conditionOf(rule, problem, words),
      family,
      source,
    })
    const isWindow = reason === 'rate_limit' && scope === 'credential'
    return { reason, scope, certainty: certaintyOf(rule), isWindow, decision }
  }
  const code = problem.codes.find((one) => REASON_OF_CODE.has(one))
  const settled = code === undefined ? undefined : REASON_OF_CODE.get(code)
  if (code !== undefined && settled !== undefined) {
    return { reason: settled, certainty: 'stated', decision: { by: 'code', what: code } }
  }
  return fromWording(response, problem, words, content)
}

interface RuleOf {
  readonly rule: FailureRule
  readonly family?: string
}

function* rulesFor(
  { provider, family: declared, rules = [] }: ClassifyInput,
  problem: Problem,
): Generator<RuleOf> {
  for (const rule of ownRules(rules, provider)) yield { rule }
  for (const family of familiesOf(provider, declared, problem)) {
    for (const rule of family.rules) yield { rule, family: family.name }
  }
  for (const rule of GENERIC_RULES) yield { rule }
}

/** The part of a response that a rule is about. */
function conditionOf(
  { code, quota, words: phrase, says, status }: FailureRule,
  problem: Problem,
  words: string,
): string {
  const found = [
    code && problem.codes.find((one) => code.test(one)),
    quota && problem.quotas.find((one) => quota.test(one)),
    phrase?.exec(words)?.[0],
    says,
    status?.join(' or '),
  ]
  return found.filter((one) => one !== undefined).join(', ') || 'any failure'
}

function applies(rule: FailureRule, status: number, problem: Problem, words: string): boolean {
  const { code, quota } = rule
  return (
    (rule.status === undefined || rule.status.includes(status)) &&
    (code === undefined || problem.codes.some((one) => code.test(one))) &&
    (quota === undefined || problem.quotas.some((one) => quota.test(one))) &&
    (rule.words === undefined || rule.words.test(words)) &&
    (rule.says === undefined || problem.raw.toLowerCase().includes(rule.says))
  )
}

function fromWording(
  response: ClassifyInput,
  problem: Problem,
  words: string,
  content: BodyContent,
): Verdict {
  const { status, model } = response
  // What a limit or a failing server says of money in passing is none.
  const said = saidByWords(words, status === 429 || status >= 500)
  const code = problem.codes.find((one) => STATUS_OF_CODE.has(one))
  const stated = reasonOfStatus(effectiveStatus(status, problem, code))
  // What a documented type says is stated; what a bare status says is not, and a type that says another one, or no more
  // than that something is wrong with a request, is no better.
  const byStatus = (reason: FailureReason): Verdict => {
    if (code === undefined)
      return { reason, certainty: 'presumed', decision: { by: 'status', what: String(status) } }
    const says = reasonOfStatus(STATUS_OF_CODE.get(code) ?? status)
    const certainty = says === reason && !VAGUE.has(reason) ? 'stated' : 'presumed'
    return { reason, certainty, decision: { by: 'code', what: code } }
  }
  const byWords = (reason: FailureReason, what: string): Verdict => ({
    reason,
    certainty: 'presumed',
    decision: { by: 'words', what },
  })
  if (said !== undefined && (said.decides || VAGUE.has(stated) || !COMMONPLACE.has(said.reason))) {
    return byWords(said.reason, said.words)
  }
  if (status === 404 && model !== undefined && model !== '' && problem.message.includes(model)) {
    return byWords('model_not_found', model)
  }
  // Content that is blocked says nothing of a key, and must not travel to the next one.
  const ofStatus = byStatus(stated)
  const isLoose = stated === 'auth_permanent' && ofStatus.certainty === 'presumed'
  if (isLoose && speaksOfContent(problem.message)) return byWords('format', 'content that is blocked')
  // A page of a proxy in between says less about the key than the API itself would.
  if (stated === 'auth_permanent' && content.title !== undefined) return byStatus('auth')
  if (!VAGUE.has(stated)) return ofStatus
  // It says itself that it is no answer, and no more.
  if (status < 300 && problem.message === '' && problem.codes.length === 0) return byStatus('server_error')
  const inCodes = saidByWords(problem.codes.join('; '))
  return inCodes === undefined ? ofStatus : byWords(inCodes.reason, inCodes.words)
}

/** The response's status, or what the body claims where the response says 200 or no more than 400. */
function effectiveStatus(status: number, problem: Problem, code: string | undefined): number {
  if (status > 400) return status
  return problem.status ?? (code === undefined ? undefined : STATUS_OF_CODE.get(code)) ?? status
}

/** What an unknown failure sets aside: nothing if it is a 4xx, where the request is at fault as likely as not. */
function defaultScope(
  reason: FailureReason,
  { status, model }: ClassifyInput,
  window: 'class' | 'account' | undefined,
): FailureScope {
  if (window === 'class') return 'model'
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
