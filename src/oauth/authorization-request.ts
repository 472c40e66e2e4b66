import { calculatePKCECodeChallenge } from 'oauth4webapi'
import type { OAuthSettings } from './settings.js'

/** What only this login knows, until its answer comes. */
export interface LoginSecrets {
  readonly verifier: string
  readonly state: string | undefined
  readonly nonce: string | undefined
}

/** The address at which a person is asked (RFC 6749 section 4.1.1, RFC 7636 section 4.3). */
export async function authorizationUrl(
  settings: OAuthSettings,
  { verifier, state, nonce }: LoginSecrets,
  redirectUri: string,
  hostId: string | undefined,
): Promise<string> {
  const url = new URL(settings.authorizationEndpoint ?? '')
  const challenge = await calculatePKCECodeChallenge(verifier)
  const fields: Record<string, string | undefined> =
    settings.yields === 'api_key'
      ? { callback_url: redirectUri, code_challenge: challenge, code_challenge_method: 'S256' }
      : {
          response_type: 'code',
          client_id: settings.client.id,
          redirect_uri: redirectUri,
          scope: settings.scopes.length === 0 ? undefined : settings.scopes.join(' '),
          state,
          nonce,
          code_challenge: challenge,
          code_challenge_method: 'S256',
          ...settings.authorizationFields,
          ...registrationFields(settings, hostId),
        }
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) url.searchParams.set(name, value)
  return url.href
}

/** The first login of all registers its client, every one names its place. */
function registrationFields(
  { client, registration }: OAuthSettings,
  hostId: string | undefined,
): Record<string, string | undefined> {
  if (registration === undefined) return {}
  const first = client.id === registration.entry ? registration.fields : {}
  return { ...first, [registration.hostField]: hostId }
}
