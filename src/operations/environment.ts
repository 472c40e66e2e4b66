import { KeymuxError } from '../domain/errors.js'
import { newProfileId } from '../domain/ids.js'
import type { Keymux } from '../domain/keymux.js'
import type { AuthProfile } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { ResolveOptions } from '../domain/resolver.js'
import { providerEnv } from '../providers/request.js'
import { type Member, requireMembers, resolveChain } from './members.js'

/**
 * The environment variables that hand a credential of every chain to a program: that of the first member that can serve.
 *
 * @param chosen told of each chain that begins with a named profile, and of the one that serves
 * @throws KeymuxError what resolving throws, `unknown_provider`, `profile_not_found`
 */
export async function environmentOf(
  handle: Pick<Keymux, 'resolver' | 'profiles' | 'providers'>,
  chains: readonly (readonly Member[])[],
  options: ResolveOptions,
  chosen: (named: string, used: string) => Promise<void> = async () => {},
): Promise<Record<string, string>> {
  await requireMembers(handle, chains.flat(), options.only)
  const variables: Record<string, string> = {}
  for (const chain of chains) {
    const { profile, credential, provider } = await resolveChain(handle.resolver, chain, options)
    const [first] = chain
    if (first?.name !== undefined) await chosen(newProfileId(first.provider, first.name), profile.id)
    const metadata = handle.providers.get(provider)
    if (metadata === undefined)
      throw new KeymuxError('unknown_provider', `there is no provider "${provider}"`)
    refuseAddress(profile, metadata)
    const found = providerEnv(metadata, profile.mode, credential, profile.baseUrl)
    if (Object.keys(found).length === 0) {
      throw new KeymuxError('usage', `${provider} has no environment variable to put its key in`, {
        hint: 'use keymux resolve, or declare env_key for the provider',
      })
    }
    Object.assign(variables, found)
  }
  return variables
}

/** A key that is for another address must not be shown to the provider's own. @throws KeymuxError `usage` */
function refuseAddress({ id, baseUrl }: AuthProfile, metadata: ProviderMetadata): void {
  if (baseUrl === undefined || metadata.baseUrlEnv !== undefined || baseUrl === metadata.baseUrl) return
  throw new KeymuxError('usage', `programs read no base URL for ${metadata.name} from the environment`, {
    hint: `${id} is for ${baseUrl}: use keymux exec --gateway, or set address and key in the program itself`,
  })
}
