import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileId, quote } from '../domain/ids.js'
import type { Keymux } from '../domain/keymux.js'
import type { Resolution } from '../domain/ports.js'
import type { Providers } from '../domain/providers.js'
import type { CredentialResolver, ResolveOptions } from '../domain/resolver.js'
import { FallbackChain } from '../resolver/multi.js'

/** One `PROVIDER[:NAME]` of a list. */
export interface Member {
  readonly provider: string
  /** Absent when any profile of the provider will do. */
  readonly name?: string
  readonly text: string
}

/**
 * Reads `PROVIDER[:NAME][,…]`.
 *
 * @throws KeymuxError `invalid_value`, `invalid_profile_id`
 */
export function parseMembers(what: string, text: string): Member[] {
  return parseList(what, text).map((each) => {
    const { provider, name } = parseProfileId(each)
    return each.includes(':') ? { provider, name, text: `${provider}:${name}` } : { provider, text: provider }
  })
}

/**
 * Refuses a list in which a provider is mistyped: a chain would otherwise pass it over without a word.
 *
 * @throws KeymuxError `unknown_provider`
 */
export function requireProviders(members: readonly Member[], providers: Providers): void {
  const unknown = members.find(({ provider }) => providers.get(provider) === undefined)
  if (unknown === undefined) return
  throw new KeymuxError('unknown_provider', `there is no provider ${quote(unknown.provider)}`, {
    hint: 'see keymux providers, or declare it with keymux providers add FILE',
  })
}

/**
 * Refuses names of profiles that are not there: another account would be used without a word.
 *
 * @throws KeymuxError `unknown_provider`, `profile_not_found`
 */
export async function requireMembers(
  { profiles, providers }: Pick<Keymux, 'profiles' | 'providers'>,
  members: readonly Member[],
  only: ReadonlySet<string> = new Set(),
): Promise<void> {
  requireProviders(members, providers)
  for (const { provider, name } of members) {
    if (name !== undefined) await profiles.view(newProfileId(provider, name))
  }
  for (const id of only) await profiles.view(id)
}

/** The first member's credential that can be had. @throws KeymuxError what resolving throws */
export function resolveChain(
  resolver: CredentialResolver,
  members: readonly Member[],
  options: ResolveOptions,
): Promise<Resolution> {
  const [only] = members
  if (members.length === 1 && only !== undefined) return resolver.resolve(only.provider, only.name, options)
  return new FallbackChain(resolver, ...members.map((member) => member.text)).resolve(options)
}

/**
 * Values separated by commas, spaces around them dropped.
 *
 * @throws KeymuxError `invalid_value` where one of them is empty
 */
export function parseList(what: string, text: string): string[] {
  const values = text.split(',').map((value) => value.trim())
  if (values.includes(''))
    throw new KeymuxError('invalid_value', `${what} has an empty entry in ${quote(text)}`)
  return values
}
