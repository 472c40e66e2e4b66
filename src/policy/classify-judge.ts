import { withoutUndefined } from '../domain/defined.js'
import type { Certainty, FailureReason } from '../domain/usage.js'
import type { BodyContent } from './classify-body.js'
import { familiesOf, isRelay } from './classify-families.js'
import type { Problem } from './classify-problem.js'
import {
  certaintyOf,
  type FailureRule,
  GENERIC_RULES,
  REASON_OF_CODE,
  STATUS_OF_CODE,
} from './classify-rules.js'
import { untilMidnightUtc } from './classify-wait.js'
import { reasonOfStatus, saidByWords, wordsOf } from './classify-wording.js'
import { namesPart } from './names-part.js'
import { speaksOfContent } from './policy-words.js'

/** What a judgement depends on, besides what the body says. */
export interface Judged {
  readonly provider: string
  readonly status: number
  /** The status is no more than a guess. */
  readonly isGuess?: boolean | undefined
  readonly model?: string | undefined
  readonly family?: string | undefined
  readonly failureFamily?: string | undefined
}

/** A verdict, and the error that it was reached from, of those that are inside each other. */
export interface Judgement {
  readonly verdict: Verdict
  readonly problem: Problem
}

/** What decided on a response. */
export interface Decision {
  /** A rule; a code that settles the matter; wording; the status; a page of something in between; nothing at all. */
  readonly by: 'rule' | 'code' | 'words' | 'status' | 'page' | 'nothing'
  /** The code, the words or the status that did. */
  readonly what: string
  /** Whose way of telling failures it is. */
  readonly family?: string
  /** The page or report that says so. */
  readonly source?: string
  /** Where a rule of the owner's own is written. */
  readonly where?: string
}

/** A reason, and a scope where it differs from what the reason sets aside anyway. */
export interface Verdict extends Pick<FailureRule, 'reason' | 'scope'> {
  readonly certainty: Certainty
  /** It is the window of a subscription: that may take days. */
  readonly isWindow?: boolean
  /** The wait where the response states none, in milliseconds. */
  readonly waitMs?: ((now: Date) => number) | undefined
  readonly decision: Decision
}

/** Wordings that many an error has in passing: a status that says more goes before them. */
const COMMONPLACE: ReadonlySet<FailureReason> = new Set(['format', 'timeout', 'server_error'])
/** What a status means that says little. */
const VAGUE: ReadonlySet<FailureReason> = new Set(['format', 'unknown'])

/** What an error that was passed on may say only under a status that says such a thing too: a prompt is echoed in others. */
const OF_ACCOUNT: ReadonlySet<FailureReason> = new Set([
  'rate_limit',
  'billing',
  'auth',
  'auth_permanent',
  'session_expired',
])

/**
 * What a failure means by what it says. An error that was found inside another one is a presumption; only a relay that is
 * known as one is believed, and never about an account, for that is one of its own.
 */
export function judge(response: Judged, problem: Problem, content: BodyContent): Judgement {
  const verdict = judgeOne(response, problem, content)
  const { outer } = problem
  if (outer === undefined) return { verdict, problem }
  const isOfAccount = OF_ACCOUNT.has(verdict.reason)
  if (isOfAccount && !mayTell(response.status, verdict.reason, problem))
    return judge(response, outer, content)
  const isBelieved = !isOfAccount && isRelay(outer)
  return { verdict: isBelieved ? verdict : { ...verdict, certainty: 'presumed' }, problem }
}

/** Whether what was found inside may speak of the account: a prompt may be echoed there, or the relay's own account meant. */
function mayTell(status: number, reason: FailureReason, { isBehind }: Problem): boolean {
  if (isBehind) return reason === 'rate_limit'
  return status < 300 || status === 401 || status === 402 || status === 403 || status === 429 || status >= 500
}

function judgeOne(response: Judged, problem: Problem, content: BodyContent): Verdict {
  const words = wordsOf(problem.message)
  for (const { family, rule } of rulesFor(response, problem)) {
    if (!applies(rule, problem, words)) continue
    const { reason, scope, source } = rule
    const decision = withoutUndefined({
      by: 'rule' as const,
      what: conditionOf(rule, problem, words),
      family,
      source,
    })
    const isWindow = reason === 'rate_limit' && scope === 'credential'
    const waitMs = rule.until === undefined ? undefined : untilMidnightUtc
    return { reason, scope, certainty: certaintyOf(rule), isWindow, waitMs, decision }
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
  { provider, family: dialect, failureFamily: declared }: Judged,
  problem: Problem,
): Generator<RuleOf> {
  for (const family of familiesOf(provider, { declared, dialect }, problem)) {
    for (const rule of family.rules) yield { rule, family: family.name }
  }
  for (const rule of GENERIC_RULES) yield { rule }
}

/** The part of a response that a rule is about. */
function conditionOf({ code, quota, words: phrase }: FailureRule, problem: Problem, words: string): string {
  const found = [
    code && problem.codes.find((one) => code.test(one)),
    quota && problem.quotas.find((one) => quota.test(one)),
    phrase?.exec(words)?.[0],
  ]
  return found.filter((one) => one !== undefined).join(', ') || 'any failure'
}

function applies(rule: FailureRule, problem: Problem, words: string): boolean {
  const { code, quota } = rule
  return (
    (code === undefined || problem.codes.some((one) => code.test(one))) &&
    (quota === undefined || problem.quotas.some((one) => quota.test(one))) &&
    (rule.words === undefined || rule.words.test(words))
  )
}

function fromWording(response: Judged, problem: Problem, words: string, content: BodyContent): Verdict {
  const { status, model } = response
  const said = saidOf(response, problem, words)
  const code = problem.codes.find((one) => STATUS_OF_CODE.has(one))
  const stated = reasonOfStatus(effectiveStatus(status, problem, code))
  // What a documented type says is stated; what a bare status says is not, and a type that says another one, or no more
  // than that something is wrong with a request, is no better.
  const byStatus = (reason: FailureReason): Verdict => {
    if (code === undefined)
      return { reason, certainty: 'presumed', decision: { by: 'status', what: String(status) } }
    const says = reasonOfStatus(STATUS_OF_CODE.get(code) ?? status)
    const isSaid = says === reason && !VAGUE.has(reason) && reason !== 'format'
    return { reason, certainty: isSaid ? 'stated' : 'presumed', decision: { by: 'code', what: code } }
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

/** Statuses that refuse a request, and repeat what is wrong with it. */
const REPEATS_REQUEST: ReadonlySet<number> = new Set([400, 404, 405, 413, 415, 422])
const QUOTED = /(?<![A-Za-z0-9])'[^'\n]{1,400}'(?![A-Za-z0-9])|"[^"\n]{1,400}"|`[^`\n]{1,400}`/g

/** An error inside the message, as clients print it: what it says is in quotes. */
const QUOTED_OBJECT = /\{\s{0,8}['"]/
/** Validation by Pydantic, which says where in the request something is wrong (docs.pydantic.dev, `ErrorDetails`). */
const VALIDATION = /['"]loc['"]\s{0,8}:/

/**
 * What the words say. What a limit or a failing server says of money in passing is none, nor what a text says that is no
 * answer; and what a request had in it that is refused, and is quoted, says nothing of the account.
 */
function saidOf(
  { status, isGuess = false }: Judged,
  problem: Problem,
  words: string,
): ReturnType<typeof saidByWords> {
  const isInPassing = isGuess || status === 429 || status >= 500
  const said = saidByWords(words, isInPassing)
  if (said === undefined || isGuess || !OF_ACCOUNT.has(said.reason) || !REPEATS_REQUEST.has(status))
    return said
  if (namesPart(problem.message) || VALIDATION.test(problem.message)) return undefined
  if (QUOTED_OBJECT.test(problem.message)) return said
  return saidByWords(wordsOf(problem.message.replace(QUOTED, ' ')), isInPassing)
}

/** The response's status, or what the body claims where the response says 200 or no more than 400. */
function effectiveStatus(status: number, problem: Problem, code: string | undefined): number {
  if (status > 400) return status
  return problem.status ?? (code === undefined ? undefined : STATUS_OF_CODE.get(code)) ?? status
}
