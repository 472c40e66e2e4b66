import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { LogoutResult } from '../domain/logins.js'
import type { CallOptions } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import { revoke } from '../oauth/revocation.js'
import type { LoginsConfig } from './logins-config.js'

/** How long a renewal under way may delay a logout, in milliseconds. */
const LOGOUT_WAIT_MS = 10_000

/**
 * Asks the provider to void the tokens (best effort, 10 s), then drops them. The profile stays, and says that
 * it needs a login.
 *
 * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
 */
export async function logOut(
  config: LoginsConfig,
  id: string,
  options: CallOptions = {},
): Promise<LogoutResult> {
  const { profiles, exclusively } = config
  await mustHaveLogin(config, id, options)
  return exclusively(id, LOGOUT_WAIT_MS, async () => {
    const { oauth } = await mustHaveLogin(config, id, options)
    const agreed = await revokeAt(config, id, oauth, options)
    await profiles.change(id, (known) => loggedOut(id, known), { event: 'logout' })
    return { profileId: id, revoked: agreed }
  })
}

async function revokeAt(
  { refresher }: LoginsConfig,
  id: string,
  oauth: OAuthCredential,
  { signal }: CallOptions,
): Promise<boolean> {
  if (oauth.accessToken === '' && oauth.refreshToken === '') return false
  try {
    const settings = await refresher.settings(oauth.provider, {
      clientId: oauth.clientId,
      clientSecretRef: oauth.clientSecretRef,
      profileId: id,
      signal,
    })
    return await revoke(settings, oauth, signal)
  } catch {
    signal?.throwIfAborted()
    return false
  }
}

async function mustHaveLogin(
  { profiles }: LoginsConfig,
  id: string,
  options: CallOptions,
): Promise<{ oauth: OAuthCredential }> {
  const profile = await profiles.get(id, options)
  if (profile === undefined)
    throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
      hint: 'see keymux list',
    })
  if (profile.mode !== 'oauth')
    throw new KeymuxError('unsupported_mode', `${id} holds no OAuth login`, {
      hint: `use keymux remove ${id}`,
    })
  const empty = { provider: profile.provider, profileName: profile.name, accessToken: '', refreshToken: '' }
  return {
    oauth: profile.oauth === undefined ? { ...empty, expiresAt: new Date(0) } : { ...profile.oauth },
  }
}

function loggedOut(id: string, known: AuthProfile | undefined): AuthProfile {
  if (known === undefined) throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`)
  // Whose login it was stays, so that the next one can be told to be the same account's.
  const { email, clientId, clientSecretRef, scopes, metadata } = known.oauth ?? {}
  return {
    ...known,
    oauth: withoutUndefined({
      provider: known.provider,
      profileName: known.name,
      accessToken: '',
      refreshToken: '',
      expiresAt: new Date(0),
      loginNeeded: true,
      email,
      clientId,
      clientSecretRef,
      scopes,
      metadata,
    }),
  }
}
