import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { OAuthSettings } from './settings.js'
import type { TokenGrant } from './token-answer.js'

/**
 * The client that an authorization response is for: the one that asked, or the one that was registered with it.
 *
 * @throws KeymuxError `login_failed`
 */
export function clientOf(settings: OAuthSettings, params: URLSearchParams): string {
  const { client, registration, provider } = settings
  if (registration === undefined) return client.id
  const given = params.get('client_id')
  if (client.id !== registration.entry) {
    if (given === null || given === client.id) return client.id
    throw new KeymuxError('login_failed', 'the answer belongs to another client', {
      hint: 'start the login again',
    })
  }
  if (given !== null && /^[\x21-\x7e]{1,256}$/.test(given) && given !== registration.entry) return given
  throw new KeymuxError('login_failed', `${quote(provider)} issued no client id`, {
    hint: 'start the login again',
  })
}

/** @throws KeymuxError `login_failed` where the tokens would be of no use */
export function checkScope({ neededScope, provider }: OAuthSettings, { scopes }: TokenGrant): void {
  if (neededScope === undefined || scopes?.includes(neededScope) === true) return
  throw new KeymuxError('login_failed', `the login was granted without ${neededScope}`, {
    hint: `allow it when you are asked; where the account may not, use an API key: keymux add ${provider}`,
  })
}
