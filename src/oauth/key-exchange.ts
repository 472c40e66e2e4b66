import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { sendOnce } from './http.js'
import type { OAuthSettings } from './settings.js'
import { isObject, readFields } from './token-answer.js'

/** An API key that a login yielded, and the account it belongs to where the provider says. */
export interface KeyYield {
  readonly kind: 'api_key'
  readonly key: string
  readonly account?: string
}

/**
 * OpenRouter gives an API key for a code (https://openrouter.ai/docs/oauth).
 *
 * @throws KeymuxError `login_failed`, `provider_unreachable`
 */
export async function exchangeForKey(
  settings: OAuthSettings,
  code: string,
  verifier: string,
  signal: AbortSignal | undefined,
): Promise<KeyYield> {
  const answer = await sendOnce({
    method: 'POST',
    url: settings.tokenEndpoint,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, code_verifier: verifier, code_challenge_method: 'S256' }),
    signal,
    way: settings.way,
  })
  const fields = readFields(answer)
  const { key, user_id: account } = isObject(fields) ? fields : {}
  if (answer.status !== 200 || typeof key !== 'string' || !/^[\x21-\x7e]{8,4096}$/.test(key)) {
    throw new KeymuxError(
      'login_failed',
      `${quote(settings.provider)} gave no API key (status ${answer.status})`,
    )
  }
  return { kind: 'api_key', key, ...(typeof account === 'string' ? { account } : {}) }
}
