import type { ProviderFailureRule } from '../domain/failure-rule.js'
import { type RuleProblem, readProviderRule } from '../rules/read.js'
import type { Place, Read } from './place.js'

const MAX_RULES = 1_000

/** Rules of an owner's own about failures of the provider that they stand with. */
export const failureRules: Read<readonly ProviderFailureRule[]> = (value, at) => {
  if (!Array.isArray(value) || value.length > MAX_RULES) throw at.fail(`a list of at most ${MAX_RULES} rules`)
  return value.map((one: unknown, index) => {
    const place = at.item(index)
    const problems: RuleProblem[] = []
    const where = at.spell('failureRules') === 'failureRules' ? undefined : place.describe()
    const rule = readProviderRule(one, { spell: (key) => at.spell(key), where }, (problem) =>
      problems.push(problem),
    )
    if (rule !== undefined) return rule
    throw refusal(place, problems[0])
  })
}

function refusal(place: Place, problem: RuleProblem | undefined): Error {
  const spot = problem?.key === undefined ? place : place.child(problem.key)
  return spot.refuse(problem?.message ?? 'expected a rule')
}
