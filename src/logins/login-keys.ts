import { KeymuxError } from '../domain/errors.js'
import { parseProfileName } from '../domain/ids.js'
import type { LoginTarget } from '../domain/logins.js'
import type { AuthProfile } from '../domain/profile.js'
import type { Profiles } from '../domain/profiles.js'
import { taken } from './login-account.js'

/** The name a key is kept under: the one wanted, that of the account's key, `default`, `default-2` and so on. */
export async function keyNameFor(
  profiles: Pick<Profiles, 'list'>,
  provider: string,
  account: string | undefined,
  target: LoginTarget,
): Promise<string> {
  if (target.name !== undefined) return parseProfileName(target.name)
  const own = (await profiles.list()).filter((profile) => profile.provider === provider)
  const same = own.find((profile) => profile.mode === 'api_key' && profile.account === account)
  if (account !== undefined && same !== undefined) return same.name
  const names = new Set(own.map(({ name }) => name))
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? 'default' : `default-${number}`
    if (!names.has(name)) return name
  }
}

/**
 * Refuses, before a key is made, what a key cannot take the place of whosever it is.
 *
 * @throws KeymuxError `profile_exists`
 */
export function refuseUnknownKey(known: AuthProfile, target: LoginTarget): void {
  if (known.mode !== 'api_key') throw taken(known.id)
  if (known.account !== undefined || target.replace === true) return
  throw new KeymuxError('profile_exists', `${known.id} exists already, and nothing says whose key it is`, {
    hint: 'use --replace if a new key is to take its place, or --name NAME to keep both',
  })
}

/**
 * Never puts the key of one account in the place of another's. The new key has been made by now: the hint says
 * where to get rid of it.
 *
 * @throws KeymuxError `profile_exists`, `conflict`
 */
export function refuseOtherKey(
  known: AuthProfile,
  account: string | undefined,
  target: LoginTarget,
  keyPage: string | undefined,
): void {
  if (known.mode === 'api_key' && account !== undefined && known.account === account) return
  const unknown = known.account === undefined || account === undefined
  if (known.mode === 'api_key' && unknown && target.replace === true) return
  const where = keyPage === undefined ? 'at the provider' : `at ${keyPage}`
  const hint = `the new key is not kept: delete it ${where}, then log in with --name NAME to keep both`
  if (known.mode !== 'api_key' || unknown) {
    throw new KeymuxError('profile_exists', `${known.id} exists already, and nothing says whose key it is`, {
      hint,
    })
  }
  throw new KeymuxError('conflict', `${known.id} is the key of another account`, { hint })
}
