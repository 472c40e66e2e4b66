import { KeymuxError } from '../domain/errors.js'
import { parseProfileId, quote } from '../domain/ids.js'
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
