import { withoutUndefined } from '../domain/defined.js'
import { type OwnFailureRule, PASSING_REASONS } from '../domain/failure-rule.js'
import type { ProviderFamily } from '../domain/provider.js'
import { redactSecrets } from '../domain/redact.js'
import type { Certainty, FailureReason, FailureScope } from '../domain/usage.js'
import { type BodyContent, readContent, reportsFailure } from './classify-body.js'
import { familiesOf } from './classify-families.js'
import { type Decision, judge, type Verdict } from './classify-judge.js'
import { type Problem, readProblem, withHeaderCode } from './classify-problem.js'
import { isBlocked, type ResponseHeaders, readHeaders, rejectedWindow, statedWait } from './classify-wait.js'
import { scopeOf } from './effects.js'
import { OWN_RULES, conditionOf as ownConditionOf, ownRuleFor, saidBy } from './own-rules.js'

export type { Decision } from './classify-judge.js'

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
  /** Whose way of telling failures it has, where that is another one: `zai`, `dashscope`. What a body shows goes first. */
  readonly failureFamily?: string | undefined
  /** Rules of an owner's own. They go before all others. */
  readonly rules?: readonly OwnFailureRule[] | undefined
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

/**
 * {@link classifyResponse}, and what the verdict comes from.
 *
 * @param isGuess the status is no more than a guess: rules that ask for one do not fit
 */
export function explainResponse(response: ClassifyInput, isGuess = false): ExplainedVerdict | undefined {
  const { status, now = new Date() } = response
  if ((status >= 100 && status < 200) || (status >= 300 && status < 400)) return undefined
  const failed = status >= 400
  const headers = readHeaders(response.headers)
  const content = readContent(response.body, headers.get('content-type'), !failed)
  if (!failed && !reportsFailure(content)) return undefined
  const said = withHeaderCode(readProblem(content), headers.get('x-amzn-errortype'))
  const settled =
    judgedByOwner(response, isGuess ? undefined : status, said, content) ??
    (isBlocked(headers, status, content) ? BLOCKED : undefined)
  const { verdict, problem } =
    settled === undefined
      ? judge({ ...response, isGuess }, said, content)
      : { verdict: settled, problem: said }
  const window = verdict.reason === 'rate_limit' ? rejectedWindow(headers) : undefined
  const scope =
    verdict.scope ?? (window === 'account' ? 'credential' : defaultScope(verdict.reason, response, window))
  const isLong = window !== undefined || verdict.isWindow === true
  const waited = PASSING_REASONS.has(verdict.reason)
    ? statedWait(headers, {
        waits: problem.waits,
        quotas: problem.quotas,
        isLong,
        offsetMs: offsetOf(response, problem),
        now,
      })
    : undefined
  const wait = waited ?? verdict.waitMs?.(now)
  return {
    reason: verdict.reason,
    scope,
    certainty: window === undefined ? verdict.certainty : 'stated',
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    message: shortMessage(problem, content, status),
    decision: verdict.decision,
  }
}

/** A page of what stands before the provider says nothing of a key. */
const BLOCKED: Verdict = {
  reason: 'server_error',
  scope: 'provider',
  certainty: 'presumed',
  decision: { by: 'page', what: 'a page of what stands before the provider' },
}
/** What the times of a response without a zone are ahead of UTC, in milliseconds, where its kind is known. */
function offsetOf({ provider, family, failureFamily }: ClassifyInput, problem: Problem): number | undefined {
  const hours = familiesOf(provider, { declared: failureFamily, dialect: family }, problem).find(
    ({ utcOffset }) => utcOffset !== undefined,
  )?.utcOffset
  return hours === undefined ? undefined : hours * 3_600_000
}

function judgedByOwner(
  { provider, rules = [] }: ClassifyInput,
  status: number | undefined,
  problem: Problem,
  content: BodyContent,
): Verdict | undefined {
  const rule = ownRuleFor(rules, { provider, status, said: () => saidBy(problem, content) })
  if (rule === undefined) return undefined
  const { reason, scope, retryAfterSeconds, where } = rule
  return {
    reason,
    scope,
    certainty: 'stated',
    isWindow: reason === 'rate_limit' && scope === 'credential',
    waitMs: retryAfterSeconds === undefined ? undefined : () => retryAfterSeconds * 1_000,
    decision: withoutUndefined({ by: 'rule' as const, what: ownConditionOf(rule), source: OWN_RULES, where }),
  }
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
  const said = [problem.message, problem.codes[0], content.title].map(shortText)
  return said.find((text) => text !== '') ?? `HTTP ${Number.isInteger(status) ? status : 'error'}`
}

/** A text on one line, without secrets, at most 300 characters. */
export function shortText(text = ''): string {
  const clean = redactSecrets(text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ').trim())
  return clean.length <= LONGEST_MESSAGE ? clean : `${[...clean].slice(0, LONGEST_MESSAGE - 1).join('')}…`
}
