import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileId, quote } from '../domain/ids.js'
import type { Keymux } from '../domain/keymux.js'
import type { Providers } from '../domain/providers.js'

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
