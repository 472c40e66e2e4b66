import { KeymuxError } from '../domain/errors.js'
import { parseProfileName } from '../domain/ids.js'
import type { AuthProfile, OAuthCredential, OAuthToken } from '../domain/profile.js'
import { isSameAccount } from '../domain/profile.js'
import type { LoginTarget } from './login-types.js'
import type { Profiles } from './types.js'

/** The name a login is kept under: the one wanted, that of the account's profile, its e-mail, `default`. */
export async function nameFor(
  profiles: Pick<Profiles, 'list'>,
  token: OAuthToken,
  target: LoginTarget,
): Promise<{ name: string; explicit: boolean }> {
  if (target.name !== undefined) return { name: parseProfileName(target.name), explicit: true }
  for (const { provider, mode, name, oauth } of await profiles.list()) {
    if (provider !== token.provider || mode !== 'oauth' || oauth === undefined) continue
    if (isKnownAccount(oauth, token)) return { name, explicit: true }
  }
  const { email } = token
  try {
    if (email !== undefined) return { name: parseProfileName(email), explicit: false }
  } catch {
    // An address that cannot be a name.
  }
  return { name: 'default', explicit: false }
}

/** Whether both name the same account, not merely no different one. */
export function isKnownAccount(oauth: OAuthCredential, token: OAuthToken): boolean {
  const named = oauth.metadata?.subject !== undefined && token.metadata?.subject !== undefined
  const mailed = oauth.email !== undefined && token.email !== undefined
  return (named || mailed) && isSameAccount(oauth, token)
}

/** Never puts one account in the place of another. @throws KeymuxError `profile_exists`, `conflict` */
export function refuseOther(known: AuthProfile, fresh: OAuthCredential, explicit: boolean): void {
  if (known.mode !== 'oauth') throw taken(known.id)
  const { oauth } = known
  if (oauth === undefined) return
  if (!isSameAccount(oauth, fresh)) {
    throw new KeymuxError('conflict', `${known.id} is the login of another account`, {
      hint: 'nothing was changed; keep both with --name NAME',
    })
  }
  // Nothing tells whether they are the same: overwriting a working login takes an explicit name.
  if (!explicit && oauth.loginNeeded !== true && !isKnownAccount(oauth, fresh)) throw taken(known.id)
}

/** What stands there is not to be overwritten. */
export function taken(id: string): KeymuxError {
  return new KeymuxError('profile_exists', `${id} exists already`, {
    hint: 'choose another name with --name NAME',
  })
}
