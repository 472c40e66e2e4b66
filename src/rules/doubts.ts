import type { OwnFailureRule } from '../domain/failure-rule.js'

/** Something about a rule that is allowed and hardly meant. */
export interface RuleDoubt {
  /** Where the rule is written. */
  readonly where: string
  readonly message: string
}

/** A part of a message that is shorter is in nearly every message. */
const SHORTEST_MESSAGE = 4

/**
 * What is odd about rules, in the order in which they are looked at: rules that never decide because an earlier one
 * always does, with whether the two contradict each other; rules about providers that nobody knows; rules that speak of
 * nearly everything.
 *
 * @param isKnown whether there is a provider of that name
 */
export function doubtsAbout(
  rules: readonly OwnFailureRule[],
  isKnown: (provider: string) => boolean,
): RuleDoubt[] {
  return rules.flatMap((rule, index) => {
    const where = placeOf(rule, index)
    const doubts = [shadow(rules, index), unknownProvider(rule, isKnown), breadth(rule)]
    return doubts.flatMap((message) => (message === undefined ? [] : [{ where, message }]))
  })
}

function placeOf({ where }: OwnFailureRule, index: number): string {
  return where ?? `rule ${index + 1}`
}

function shadow(rules: readonly OwnFailureRule[], index: number): string | undefined {
  const rule = rules[index]
  const earlier = rules.findIndex((one, at) => at < index && rule !== undefined && covers(one, rule))
  const first = rules[earlier]
  if (rule === undefined || first === undefined) return undefined
  const place = placeOf(first, earlier)
  const agrees = first.reason === rule.reason && (first.scope ?? '') === (rule.scope ?? '')
  return agrees
    ? `it never decides: ${place} comes first and says the same`
    : `it never decides: ${place} comes first, and says ${first.reason} where this one says ${rule.reason}`
}

/** Whether every failure that the later rule is about is one that the earlier one is about. */
function covers(earlier: OwnFailureRule, later: OwnFailureRule): boolean {
  return (
    (earlier.provider === '*' || earlier.provider === later.provider) &&
    (earlier.status === undefined || earlier.status === later.status) &&
    coversText(earlier, later)
  )
}

function coversText(earlier: OwnFailureRule, later: OwnFailureRule): boolean {
  if (earlier.message === undefined && earlier.pattern === undefined) return true
  if (earlier.pattern !== undefined) return earlier.pattern.source === later.pattern?.source
  const whole = later.message?.toLowerCase() ?? ''
  return earlier.message !== undefined && whole.includes(earlier.message.toLowerCase())
}

function unknownProvider(
  { provider }: OwnFailureRule,
  isKnown: (name: string) => boolean,
): string | undefined {
  return provider === '*' || isKnown(provider) ? undefined : `there is no provider "${provider}"`
}

function breadth({ provider, status, message, pattern }: OwnFailureRule): string | undefined {
  if (status === undefined && message !== undefined && message.trim().length < SHORTEST_MESSAGE) {
    return 'nearly every message has this in it; give a status too, or more of the message'
  }
  if (provider === '*' && message === undefined && pattern === undefined) {
    return `it is about every ${status} of every provider; name one, or a part of the message`
  }
  return undefined
}
