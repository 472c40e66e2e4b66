import { KeymuxError } from '../domain/errors.js'
import type { Keymux } from '../domain/keymux.js'
import type { ResolveOptions } from '../domain/resolver.js'
import { providerEnv } from '../providers/request.js'
import { type Member, requireProviders } from './members.js'

/**
 * The environment variables that hand a credential of every member to a program.
 *
 * @throws KeymuxError what resolving throws, `unknown_provider`
 */
export async function environmentOf(
  handle: Pick<Keymux, 'resolver' | 'providers'>,
  members: readonly Member[],
  options: ResolveOptions,
): Promise<Record<string, string>> {
  requireProviders(members, handle.providers)
  const variables: Record<string, string> = {}
  for (const { provider, name } of members) {
    const { profile, credential } = await handle.resolver.resolve(provider, name, options)
    const metadata = handle.providers.get(provider)
    if (metadata === undefined)
      throw new KeymuxError('unknown_provider', `there is no provider "${provider}"`)
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
