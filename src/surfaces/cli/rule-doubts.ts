import { loadConfig } from '../../config/load.js'
import { isKeymuxError } from '../../domain/errors.js'
import type { OwnFailureRule } from '../../domain/failure-rule.js'
import type { Providers } from '../../domain/providers.js'
import { ownRulesOf } from '../../policy/own-rules.js'
import { doubtsAbout, type RuleDoubt } from '../../rules/doubts.js'
import type { CliContext } from './context.js'
import { inspectLocked, openUnasked } from './vault-facts.js'

/** What is odd about the owner's rules, and how many of them there are. */
export interface RuleReview {
  readonly count: number
  readonly doubts: readonly RuleDoubt[]
}

/**
 * Looks through the rules of the config and of the providers that it declares. With `vault` also through those of
 * providers that the vault keeps, where that opens without a question, and whether there is every provider that is named.
 *
 * @throws KeymuxError `invalid_config` and whatever else speaks against reading it
 */
export async function reviewRules(context: CliContext, scope: 'config' | 'vault'): Promise<RuleReview> {
  const { settings, host } = context
  const required = settings.configSource !== 'default'
  const { failureRules } = await loadConfig(settings.config, { required })
  const declared = await host.services.providers(settings.config, required)
  const opened = scope === 'vault' ? await openUnasked(context) : undefined
  const providers = opened?.providers ?? declared
  const isKnown =
    scope === 'config' || (opened === undefined && (await hasVault(context)))
      ? () => true
      : (name: string) => providers.get(name) !== undefined
  const own = rulesOfProviders(providers)
  // What a provider says of itself is looked at after the config's rules about it.
  return { count: failureRules.length + own.length, doubts: doubtsAbout([...failureRules, ...own], isKnown) }
}

function rulesOfProviders(providers: Providers): OwnFailureRule[] {
  return providers.list().flatMap(({ name }) => ownRulesOf([], providers.get(name)))
}

/** A vault that stays closed may keep providers that nobody sees here. */
async function hasVault(context: CliContext): Promise<boolean> {
  try {
    await inspectLocked(context)
    return true
  } catch (error) {
    return !isKeymuxError(error, 'vault_not_found')
  }
}
