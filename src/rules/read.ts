import { withoutUndefined } from '../domain/defined.js'
import { isKeymuxError } from '../domain/errors.js'
import {
  type OwnFailureRule,
  PASSING_REASONS,
  type ProviderFailureRule,
  SCOPES_OF_REASON,
  type TextPattern,
} from '../domain/failure-rule.js'
import { FAILURE_REASONS, type FailureReason, type FailureScope } from '../domain/usage.js'
import { failurePattern } from './pattern.js'

/** What is wrong with a rule, and at which of its keys; without one it is the rule as a whole. */
export interface RuleProblem {
  readonly key?: string
  readonly message: string
  /** The problem is the key itself, not what it holds. */
  readonly atKey?: boolean
}

/** How rules are written where they stand. */
export interface RuleStyle {
  /** A key as it is written there: `retry_after_seconds` in files, `retryAfterSeconds` in code. */
  readonly spell: (key: string) => string
  /** Where the rule stands. */
  readonly where?: string | undefined
}

type Report = (problem: RuleProblem) => void

const FIELDS = ['provider', 'status', 'message', 'pattern', 'reason', 'scope', 'retryAfterSeconds'] as const
type Field = (typeof FIELDS)[number]
const PROVIDER = /^(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/
const LONGEST_MESSAGE = 500
/** Longest wait that a rule may state, in seconds: one day. */
const LONGEST_WAIT_S = 86_400
/** Texts that have nothing in common: a pattern that finds something in each says nothing. */
const ANYTHING = ['a', 'x', '7', 'The quick brown fox.']

/**
 * Reads a rule of an owner's own, with the provider that it is about. Gives `undefined` where something is wrong with
 * it, after reporting all of that.
 */
export function readOwnRule(value: unknown, style: RuleStyle, report: Report): OwnFailureRule | undefined {
  const rule = readRule(value, FIELDS, style, report)
  const name = Object(value)[style.spell('provider')]
  const provider = typeof name === 'string' && PROVIDER.test(name) ? name.toLowerCase() : undefined
  if (name === undefined) report({ message: 'provider is missing' })
  else if (provider === undefined) {
    report({ key: 'provider', message: 'expected a provider name, or "*" for all' })
  }
  return rule === undefined || provider === undefined ? undefined : { provider, ...rule }
}

/** Reads a rule that stands with the provider it is about. */
export function readProviderRule(
  value: unknown,
  style: RuleStyle,
  report: Report,
): ProviderFailureRule | undefined {
  if (Object.hasOwn(Object(value), 'provider')) {
    report({ key: 'provider', message: 'these rules are about this provider; leave it out', atKey: true })
    return undefined
  }
  return readRule(
    value,
    FIELDS.filter((field) => field !== 'provider'),
    style,
    report,
  )
}

/** The rule as YAML or JSON would say it. */
export function ruleToJson(rule: ProviderFailureRule | OwnFailureRule): Record<string, unknown> {
  const { pattern, retryAfterSeconds, where: _where, ...others } = rule
  return withoutUndefined({ ...others, pattern: pattern?.source, retry_after_seconds: retryAfterSeconds })
}

function readRule(
  value: unknown,
  known: readonly Field[],
  { spell, where }: RuleStyle,
  report: Report,
): ProviderFailureRule | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report({ message: `expected a mapping with ${known.map(spell).join(', ')}` })
    return undefined
  }
  let sound = true
  const tell: Report = (problem) => {
    sound = false
    report(problem)
  }
  const inCode = spell('retryAfterSeconds') === 'retryAfterSeconds'
  const given = new Map(Object.entries(value).filter(([, one]) => one !== undefined))
  for (const key of given.keys()) {
    // Where a rule stands is said of one that was read before.
    if (known.some((field) => spell(field) === key) || (key === 'where' && inCode)) continue
    tell({ key, message: `unknown key; ${known.map(spell).join(', ')} are known here`, atKey: true })
  }
  const read = <T>(field: Field, parse: (one: unknown) => T | string): Exclude<T, string> | undefined => {
    const one = given.get(spell(field))
    if (one === undefined) return undefined
    const parsed = parse(one)
    if (typeof parsed !== 'string') return parsed as Exclude<T, string>
    tell({ key: spell(field), message: parsed })
    return undefined
  }
  const rule = {
    status: read('status', statusIn),
    message: read('message', messageIn)?.text,
    pattern: read('pattern', patternIn),
    reason: read('reason', reasonIn)?.reason,
    scope: read('scope', scopeIn)?.scope,
    retryAfterSeconds: read('retryAfterSeconds', waitIn),
    where: where ?? placeIn(given.get('where')),
  }
  const has = (field: Field): boolean => given.has(spell(field))
  if (!has('reason')) tell({ message: 'reason is missing' })
  if (!has('status') && !has('message') && !has('pattern')) {
    tell({ message: 'status or message is missing: it would match every failure' })
  }
  if (has('message') && has('pattern')) {
    tell({ key: spell('pattern'), message: 'give message or pattern, not both', atKey: true })
  }
  if (rule.reason !== undefined) refuseMismatch(rule.reason, rule, tell, spell)
  return sound && rule.reason !== undefined ? withoutUndefined({ ...rule, reason: rule.reason }) : undefined
}

/** What a reason sets aside follows from it: another scope would be without effect, or contradict it. */
function refuseMismatch(
  reason: FailureReason,
  { scope, retryAfterSeconds }: { scope?: FailureScope | undefined; retryAfterSeconds?: number | undefined },
  tell: Report,
  spell: RuleStyle['spell'],
): void {
  const scopes = SCOPES_OF_REASON[reason]
  if (scope !== undefined && !scopes.includes(scope)) {
    tell({
      key: spell('scope'),
      message: `${reason} goes with the scope ${scopes.join(' or ')}, not with ${scope}`,
    })
  }
  if (retryAfterSeconds !== undefined && !PASSING_REASONS.has(reason)) {
    const passing = [...PASSING_REASONS].join(', ')
    tell({
      key: spell('retryAfterSeconds'),
      message: `no wait mends ${reason}; ${spell('retryAfterSeconds')} goes with ${passing}`,
      atKey: true,
    })
  }
}

function statusIn(value: unknown): number | string {
  const sound = typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599
  return sound ? value : 'expected a status from 400 to 599'
}

function messageIn(value: unknown): { readonly text: string } | string {
  if (typeof value !== 'string' || value.length > LONGEST_MESSAGE || value.trim() === '') {
    return `expected a part of a message, 1 to ${LONGEST_MESSAGE} characters`
  }
  return { text: value }
}

function patternIn(value: unknown): TextPattern | string {
  if (isPattern(value)) return value
  if (typeof value !== 'string') return 'expected a pattern as text'
  try {
    const pattern = failurePattern(value)
    const meaningless = ANYTHING.every((text) => pattern.test(text))
    return meaningless ? 'this pattern is found in every message; leave it out, or say more' : pattern
  } catch (error) {
    if (!isKeymuxError(error, 'invalid_value')) throw error
    return error.message
  }
}

/** One that was read before, or a `RegExp` of a program's own. */
function isPattern(value: unknown): value is TextPattern {
  return (
    typeof value === 'object' &&
    value !== null &&
    'source' in value &&
    typeof value.source === 'string' &&
    'test' in value &&
    typeof value.test === 'function'
  )
}

function reasonIn(value: unknown): { readonly reason: FailureReason } | string {
  const reason = FAILURE_REASONS.find((one) => one === value)
  return reason === undefined ? `expected ${FAILURE_REASONS.join(', ')}` : { reason }
}

function scopeIn(value: unknown): { readonly scope: FailureScope } | string {
  const scope = (['request', 'model', 'credential', 'provider'] as const).find((one) => one === value)
  return scope === undefined ? 'expected request, model, credential or provider' : { scope }
}

function placeIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function waitIn(value: unknown): number | string {
  const sound = typeof value === 'number' && value > 0 && value <= LONGEST_WAIT_S
  return sound ? value : `expected a number of seconds above 0 and up to ${LONGEST_WAIT_S}`
}
