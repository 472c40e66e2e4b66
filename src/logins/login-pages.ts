import { KeymuxError } from '../domain/errors.js'
import type { LoginResult } from '../domain/logins.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { PageText } from '../oauth/page.js'

/** What the browser shows after a login that went well. */
export function connectedPage(
  { profileId, email, renewed }: LoginResult,
  { label }: ProviderMetadata,
): PageText {
  return {
    good: true,
    title: `${label} is connected${renewed ? ' again' : ''}`,
    rows: [
      ...(email === undefined ? [] : [{ label: 'Account', value: email }]),
      { label: 'Profile', value: profileId, code: true },
    ],
    lines: ['You can close this page and go back to the terminal.'],
  }
}

/** What the browser shows after one that did not. */
export function failedPage(error: unknown): PageText {
  const { message, hint } =
    error instanceof KeymuxError ? error : { message: 'something unexpected happened', hint: undefined }
  const unchanged = 'nothing was changed'
  return {
    good: false,
    title: 'The login did not work',
    lines: [
      sentence(message),
      ...(hint === undefined ? [] : [sentence(hint)]),
      ...(hint?.includes(unchanged) === true ? [] : [sentence(unchanged)]),
      'The terminal says this too.',
    ],
  }
}

/**
 * Messages and hints begin in lower case and have no full stop: they follow a name on the terminal. A profile's
 * id stays as it is.
 */
function sentence(text: string): string {
  const begun = /^[a-z]+[ ,;]/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text
  return `${begun}.`
}
