import type { OwnFailureRule, TextPattern } from '../domain/failure-rule.js'
import type { ProviderFamily, ProviderMetadata } from '../domain/provider.js'
import type { BodyContent } from './classify-body.js'
import type { Problem } from './classify-problem.js'

/** The source of rules of an owner's own. */
export const OWN_RULES = 'failure_rules in your config'

/**
 * The rules of an owner's own that are about a provider: those of the config, in their order, then those that stand with
 * the provider. What is nearest to the owner goes first: a provider's declaration may come from somebody else.
 */
export function ownRulesOf(
  configured: readonly OwnFailureRule[],
  provider: Pick<ProviderMetadata, 'name' | 'failureRules'> | undefined,
): readonly OwnFailureRule[] {
  const { name = '', failureRules = [] } = provider ?? {}
  return failureRules.length === 0
    ? configured
    : [...configured, ...failureRules.map((rule) => ({ ...rule, provider: name }))]
}

/** A provider's definition, as far as it says how its failures are told. */
type Known = Pick<ProviderMetadata, 'name' | 'family' | 'failureRules'> & {
  readonly failureFamily?: string | undefined
}

/** Whose failures they are and how they are told: what every classification of a provider's answers begins with. */
export interface FailureSource {
  readonly provider: string
  readonly family: ProviderFamily | undefined
  readonly failureFamily: string | undefined
  readonly rules: readonly OwnFailureRule[]
}

/**
 * @param known the provider's definition, where there is one
 * @param configured the rules of the config
 */
export function failureSource(
  provider: string,
  known: Known | undefined,
  configured: readonly OwnFailureRule[] = [],
): FailureSource {
  const { family, failureFamily } = known ?? {}
  return { provider, family, failureFamily, rules: ownRulesOf(configured, known) }
}

/** A failure as owners' rules see it. */
export interface OwnFacts {
  readonly provider: string
  /** Absent where a message is all there is. */
  readonly status?: number | undefined
  /** The message, codes and types as they came. */
  readonly said: () => string
}

/** The first of the owner's rules that fits. They go before all others, and are taken at their word. */
export function ownRuleFor(
  rules: readonly OwnFailureRule[],
  { provider, status, said }: OwnFacts,
): OwnFailureRule | undefined {
  if (rules.length === 0) return undefined
  const name = provider.toLowerCase()
  let text: string | undefined
  let lower: string | undefined
  return rules.find((rule) => {
    if (rule.provider !== '*' && rule.provider !== name) return false
    if (rule.status !== undefined && rule.status !== status) return false
    if (rule.message === undefined && rule.pattern === undefined) return rule.status !== undefined
    text ??= said()
    if (rule.pattern !== undefined && !finds(rule.pattern, text)) return false
    if (rule.message === undefined) return true
    lower ??= text.toLowerCase()
    return lower.includes(rule.message.toLowerCase())
  })
}

/** Whether a rule of the owner's own decided. */
export function isOwners({ decision }: { readonly decision: { readonly source?: string } }): boolean {
  return decision.source === OWN_RULES
}

/** What a rule looked at, for people. */
export function conditionOf({ status, message, pattern }: OwnFailureRule): string {
  return [status, message, pattern && `/${pattern.source}/`].filter((one) => one !== undefined).join(', ')
}

/**
 * Everything that a failure says, however deep it is wrapped: messages and codes as they came, the title of a page, and
 * where none of these is known the body itself.
 */
export function saidBy(problem: Problem, { source = '', title }: BodyContent): string {
  const parts: string[] = []
  for (let one: Problem | undefined = problem; one !== undefined; one = one.outer) {
    parts.push(one.raw, ...one.names)
  }
  const said = parts.filter((part) => part !== '')
  return said.length === 0 ? `${title ?? ''}\n${source}`.trim() : said.join('\n')
}

/** A `RegExp` of a program's own may go on from where it found something. */
function finds(pattern: TextPattern, text: string): boolean {
  if (pattern instanceof RegExp && (pattern.global || pattern.sticky)) pattern.lastIndex = 0
  return pattern.test(text)
}
