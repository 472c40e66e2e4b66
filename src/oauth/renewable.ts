import { quote } from '../domain/ids.js'
import type { ProviderMetadata } from '../domain/provider.js'

/** Why logins of a provider cannot be renewed, and what can be done about it. */
export interface RenewalObstacle {
  /** What there would have to be. */
  readonly missing: 'renewer' | 'provider' | 'token_endpoint' | 'client_id'
  /** A clause without a full stop. */
  readonly problem: string
  /** A phrase; absent where nothing can be done. */
  readonly hint?: string
}

/**
 * What stands in the way of every renewal (RFC 6749 section 6) with this client, as far as that can be told
 * without asking anybody: no place to send it to, or no client id to send along. `undefined` when nothing does.
 *
 * @param provider as it is known now; `undefined` when it is not known any more
 * @param clientId the client of the login itself, where it is not the configured one
 */
export function renewalObstacle(
  name: string,
  provider: ProviderMetadata | undefined,
  clientId: string | undefined,
): RenewalObstacle | undefined {
  if (provider === undefined) {
    return {
      missing: 'provider',
      problem: `there is no provider ${quote(name)} any more`,
      hint: 'declare it again with keymux providers add FILE',
    }
  }
  const { oauth, login } = provider
  const place = oauth?.tokenEndpoint ?? oauth?.issuer ?? login?.tokenEndpoint ?? login?.issuer
  if (place === undefined) {
    return { missing: 'token_endpoint', problem: `no token endpoint of ${provider.name} is known` }
  }
  if ((clientId ?? oauth?.clientId ?? '') !== '') return undefined
  return {
    missing: 'client_id',
    problem: `no OAuth client id for ${provider.name} is known`,
    hint: 'name one with --client-id',
  }
}
