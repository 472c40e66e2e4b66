import { KeymuxError } from '../domain/errors.js'
import { claimsOf } from './account.js'
import type { OAuthSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'

/** The identity token must be about this login; times are not looked at, for clocks are wrong. */
export function checkIdToken(
  settings: OAuthSettings,
  { idToken }: TokenGrant,
  nonce: string | undefined,
): void {
  if (idToken === undefined) return
  const { aud, iss, nonce: given } = claimsOf(idToken)
  const audience = Array.isArray(aud) ? aud : [aud]
  const wrong =
    (aud !== undefined && !audience.includes(settings.client.id)) ||
    (settings.issuer !== undefined && typeof iss === 'string' && !sameIssuer(iss, settings.issuer)) ||
    (nonce !== undefined && given !== undefined && given !== nonce)
  if (wrong) throw new KeymuxError('login_failed', 'the identity token belongs to another login')
}

/** Whether both name one issuer: people leave a slash at the end out, or add one. */
export function sameIssuer(a: string, b: string): boolean {
  return a.replace(/\/$/, '') === b.replace(/\/$/, '')
}
