import { type KeymuxConfig, mayCheck } from './domain/config.js'
import type { Egress } from './domain/egress.js'
import type { Health } from './domain/health.js'
import type { OAuthRenewer } from './domain/logins.js'
import type { Clock, Logger } from './domain/ports.js'
import type { ProviderMetadata } from './domain/provider.js'
import type { Providers } from './domain/providers.js'
import { ownRulesOf } from './policy/own-rules.js'
import type { StoredProfiles } from './profiles/manager.js'
import { systemRandom } from './system/clock.js'

/** What the health of profiles is looked after with. */
export interface HealthContext {
  readonly profiles: StoredProfiles
  readonly renewer: Pick<OAuthRenewer, 'getValidToken'>
  readonly providers: Pick<Providers, 'get'>
  readonly egress: Pick<Egress, 'send'>
  /** What counts now. */
  readonly config: () => KeymuxConfig
  readonly clock: Clock
  readonly logger: Logger | undefined
}

/** How long the renewal of a token that is due and still good is waited for, in milliseconds. */
const RENEWAL_WAIT_MS = 5_000

/** Loaded when it is first needed: no command needs it. */
export function composeHealth(context: HealthContext): Health {
  return {
    suspect: (id) => context.profiles.native.checks.want(id),
    async keepChecked(signal, options) {
      const [{ HealthKeeper }, { Checker }] = await Promise.all([
        import('./operations/checks/keeper.js'),
        import('./operations/checks/checker.js'),
      ])
      const { profiles, providers, config, egress, clock, logger } = context
      const { checks } = profiles.native
      const provider = (name: string): ProviderMetadata | undefined => providers.get(name)
      const checker = new Checker({
        checks,
        provider,
        credentialOf: (id, aborted) => credentialOf(context, id, aborted),
        send: (request, owner) => egress.send(request, owner),
        now: () => new Date(Number(clock.now())),
        random: systemRandom,
        rules: (metadata) => ownRulesOf(config().failureRules, metadata),
        logger,
      })
      const keeper = new HealthKeeper({
        checks,
        checker,
        provider,
        isWanted: (name, id) => mayCheck(config().gateway.health, name, id),
        clock,
        random: systemRandom,
        logger,
      })
      await keeper.keepChecked(signal, options)
    },
  }
}

/** The credential of exactly this profile, set aside or not. A login is renewed the way that it always is. */
async function credentialOf(
  { profiles, renewer }: HealthContext,
  id: string,
  signal: AbortSignal,
): Promise<string> {
  const entry = profiles.native.refreshes.find(id)
  if (entry.mode !== 'oauth') return profiles.native.candidates.credential(entry, signal)
  return (await renewer.getValidToken(id, { signal, renewalWaitMs: RENEWAL_WAIT_MS })).accessToken
}
