import type { Problem } from './classify-problem.js'
import type { RuleFamily } from './classify-rules.js'
import { CHINA } from './family-rules-china.js'
import { HOSTS } from './family-rules-hosts.js'
import { LABS } from './family-rules-labs.js'

/** Ways of telling failures. Codes and messages are matched as `wordsOf` gives them: lower case, words apart, no addresses. */
export const FAMILIES: readonly RuleFamily[] = [...LABS, ...CHINA, ...HOSTS]

/** Whether a body is that of a relay that is known as one. */
export function isRelay(problem: Problem): boolean {
  return HOSTS.some(({ name, recognises }) => name === 'relay' && recognises?.(problem) === true)
}

/**
 * The family of a provider: the one that is declared for it, else the one that names it, else that of the dialect it
 * speaks.
 */
export function familyFor(provider: string, declared?: string, dialect?: string): RuleFamily | undefined {
  const name = provider.toLowerCase()
  return (
    FAMILIES.find((family) => family.name === declared) ??
    FAMILIES.find((family) => family.providers.includes(name)) ??
    FAMILIES.find((family) => family.name === dialect)
  )
}

/** The families that a failure is judged by: those that its body speaks like first, then that of the provider. */
export function familiesOf(
  provider: string,
  { declared, dialect }: { readonly declared?: string | undefined; readonly dialect?: string | undefined },
  problem: Problem,
): readonly RuleFamily[] {
  const spoken = FAMILIES.filter((family) => family.recognises?.(problem) === true)
  const own = familyFor(provider, declared, dialect)
  return own === undefined || spoken.includes(own) ? spoken : [...spoken, own]
}
