import { parseProfileId } from '../../domain/ids.js'
import { parseList } from './values.js'

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
