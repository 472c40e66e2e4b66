import { KeymuxError } from '../domain/errors.js'
import { parseProfileName } from '../domain/ids.js'
import type { LoginTarget } from '../domain/logins.js'
import type { AuthProfile, OAuthCredential, OAuthToken } from '../domain/profile.js'
import { isSameAccount } from '../domain/profile.js'
import type { Profiles } from '../domain/profiles.js'
import type { ProviderMetadata } from '../domain/provider.js'

/**
 * The name a login is kept under: the one wanted, that of the account's profile, its e-mail address, its name at
 * the provider, `default`.
 */
export async function nameFor(
  profiles: Pick<Profiles, 'list'>,
  token: OAuthToken,
  target: LoginTarget,
  login: string | undefined,
): Promise<{ name: string; explicit: boolean }> {
  if (target.name !== undefined) return { name: parseProfileName(target.name), explicit: true }
  for (const { provider, mode, name, oauth } of await profiles.list()) {
    if (provider !== token.provider || mode !== 'oauth' || oauth === undefined) continue
    if (isKnownAccount(oauth, token)) return { name, explicit: true }
  }
  const name = usableName(token.email) ?? usableName(login) ?? 'default'
  return { name, explicit: false }
}

/** Not every address or name of a provider can be that of a profile. */
function usableName(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : parseProfileName(text)
  } catch {
    return undefined
  }
}

/** Whether both name the same account, not merely no different one. */
export function isKnownAccount(oauth: OAuthCredential, token: OAuthToken): boolean {
  const named = oauth.metadata?.subject !== undefined && token.metadata?.subject !== undefined
  const mailed = oauth.email !== undefined && token.email !== undefined
  return (named || mailed) && isSameAccount(oauth, token)
}

/**
 * A login again is made with the client it was made with, unless another one is named or configured: nobody
 * should have to remember it.
 */
export function withKnownClient(
  target: LoginTarget,
  provider: ProviderMetadata,
  known: OAuthCredential | undefined,
): LoginTarget {
  const clientId = target.clientId ?? (provider.oauth === undefined ? known?.clientId : undefined)
  if (clientId === undefined) return target
  const kept = clientId === known?.clientId ? known.clientSecretRef : undefined
  const clientSecretRef = target.clientSecretRef ?? kept
  return { ...target, clientId, ...(clientSecretRef === undefined ? {} : { clientSecretRef }) }
}

/** How a login may take the place of what stands there. */
export interface Overwriting {
  /** The profile was named, or found by its account. */
  readonly explicit: boolean
  /** The owner says: also where nothing tells whether it is the same account. */
  readonly replace: boolean
}

/**
 * Never puts one account in the place of another.
 *
 * @throws KeymuxError `profile_exists`, `conflict`
 */
export function refuseOther(known: AuthProfile, fresh: OAuthCredential, how: Overwriting): void {
  if (known.mode !== 'oauth') throw taken(known.id)
  const { oauth } = known
  if (oauth === undefined || isKnownAccount(oauth, fresh)) return
  if (!isSameAccount(oauth, fresh)) throw otherAccount(known.id, oauth, fresh)
  // Nothing tells whether they are the same: overwriting a working login takes an explicit word.
  if (how.replace || (how.explicit && oauth.loginNeeded === true)) return
  if (namesAccount(oauth)) throw unnamed(known.id, oauth)
  if (!how.explicit && oauth.loginNeeded !== true) throw taken(known.id)
}

function namesAccount({ email, metadata }: OAuthCredential): boolean {
  return email !== undefined || metadata?.subject !== undefined
}

function otherAccount(id: string, known: OAuthCredential, fresh: OAuthCredential): KeymuxError {
  const came = fresh.email === undefined ? '' : `, and you logged in as ${fresh.email}`
  return new KeymuxError('conflict', `${id} is the login of ${known.email ?? 'another account'}${came}`, {
    hint: 'nothing was changed; keep both with --name NAME, or log in with the other account',
  })
}

function unnamed(id: string, { email = 'a certain account' }: OAuthCredential): KeymuxError {
  return new KeymuxError(
    'conflict',
    `the provider did not say whose login this is, and ${id} is that of ${email}`,
    { hint: 'nothing was changed; use --replace if it is to take its place, or --name NAME to keep both' },
  )
}

/** What stands there is not to be overwritten. */
export function taken(id: string): KeymuxError {
  return new KeymuxError('profile_exists', `${id} exists already`, {
    hint: 'choose another name with --name NAME',
  })
}
