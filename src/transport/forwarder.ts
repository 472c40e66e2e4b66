import type { Clock, Logger, Random } from '../domain/ports.js'
import type { OAuthCredential } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { Profiles } from '../profiles/types.js'
import type { Resolver } from '../resolver/resolver.js'
import { Forwarding } from './forwarding.js'
import type { Forwarder, ForwardSettings, Timers, UpstreamSender } from './types.js'

/** What forwarding works with. */
export interface ForwarderParts {
  readonly resolver: Pick<Resolver, 'resolve' | 'resolveNow' | 'resolveTrial'>
  readonly profiles: Pick<Profiles, 'noteSuccess' | 'noteFailure'>
  /** Renews a login whose access token was refused. */
  readonly renewer: {
    renew(profileId: string, options: { rejected: string; signal: AbortSignal }): Promise<OAuthCredential>
  }
  readonly providers: { get(name: string): ProviderMetadata | undefined }
  readonly sender: UpstreamSender
  /** Governs cooldowns and stated waits. */
  readonly clock: Clock
  /** Governs time-outs and the pauses between tries. */
  readonly timers: Timers
  readonly random: Random
  readonly settings?: Partial<ForwardSettings>
  readonly logger?: Logger
}

/** Puts the forwarding core together. */
export function createForwarder(parts: ForwarderParts): Forwarder {
  return {
    forward: (request) => new Forwarding(parts, request).run(),
    close: () => parts.sender.close(),
  }
}
