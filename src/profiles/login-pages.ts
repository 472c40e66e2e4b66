import { KeymuxError } from '../domain/errors.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { PageText } from '../oauth/page.js'
import type { LoginResult } from './login-types.js'

/** What the browser shows after a login that went well. */
export function connectedPage(
  { profileId, email, renewed }: LoginResult,
  { label }: ProviderMetadata,
): PageText {
  const who = email === undefined ? `Your ${label} account` : email
  return {
    good: true,
    title: `${label} is connected`,
    lines: [
      `${who} is ${renewed ? 'connected again' : 'now connected'} to the profile ${profileId}.`,
      'You can close this page and go back to the terminal.',
    ],
  }
}

/** What the browser shows after one that did not. */
export function failedPage(error: unknown): PageText {
  return {
    good: false,
    title: 'The login did not work',
    lines: [
      error instanceof KeymuxError ? `${error.message}.` : 'Something unexpected happened.',
      'Nothing was changed. The terminal tells more.',
    ],
  }
}
