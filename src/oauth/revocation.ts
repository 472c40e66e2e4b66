import { sendOnce } from './http.js'
import type { OAuthSettings } from './settings.js'
import { tokenMessage } from './token-endpoint.js'

const TIME_LIMIT_MS = 10_000

/**
 * Asks the provider to end a login (RFC 7009): the refresh token first, which ends the access token too, and
 * the access token. Best effort.
 *
 * @returns whether the provider agreed
 */
export async function revoke(
  settings: OAuthSettings,
  tokens: { readonly accessToken: string; readonly refreshToken: string },
  signal?: AbortSignal,
): Promise<boolean> {
  const { revocationEndpoint: endpoint, client, way } = settings
  if (endpoint === undefined) return false
  const begun = performance.now()
  let agreed = false
  for (const [hint, token] of [
    ['refresh_token', tokens.refreshToken],
    ['access_token', tokens.accessToken],
  ] as const) {
    const timeoutMs = TIME_LIMIT_MS - (performance.now() - begun)
    if (token === '' || timeoutMs <= 0) continue
    try {
      const fields = { token, token_type_hint: hint }
      const { status } = await sendOnce(tokenMessage({ endpoint, client, fields, signal, timeoutMs, way }))
      agreed = agreed || (status >= 200 && status < 300)
    } catch {
      signal?.throwIfAborted()
    }
  }
  return agreed
}
