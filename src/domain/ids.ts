import { KeymuxError } from './errors.js'

/** `provider:name`, split at the last colon. */
export type ProfileId = `${string}:${string}`

/** The name a profile has when none is given. */
export const DEFAULT_PROFILE_NAME = 'default'

const PROVIDER = /^[a-z0-9][a-z0-9._-]{0,63}$/
const MAX_NAME_CHARACTERS = 128
// Control characters (C0, DEL, C1), line separators, bidirectional overrides and unpaired surrogates:
// nothing that could forge or hide part of a line on a terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** Joins provider and name; an empty name becomes `default`, the provider is lower-cased. Does not validate. */
export function newProfileId(provider: string, name?: string): ProfileId {
  return `${provider.trim().toLowerCase()}:${name === undefined || name === '' ? DEFAULT_PROFILE_NAME : name}`
}

/** The provider part of an id: everything before the last colon, or the whole text without one. */
export function profileProvider(id: string): string {
  const colon = id.lastIndexOf(':')
  return colon < 0 ? id : id.slice(0, colon)
}

/** The name part of an id: everything after the last colon, `default` when there is none. */
export function profileName(id: string): string {
  const colon = id.lastIndexOf(':')
  return colon < 0 || colon === id.length - 1 ? DEFAULT_PROFILE_NAME : id.slice(colon + 1)
}

/**
 * Lower-cases and checks a provider name: `[a-z0-9][a-z0-9._-]{0,63}`.
 *
 * @throws KeymuxError `invalid_profile_id`
 */
export function parseProviderName(text: string): string {
  const provider = text.toLowerCase()
  if (!PROVIDER.test(provider)) {
    throw new KeymuxError('invalid_profile_id', `${quote(text)} is not a provider name`, {
      hint: 'use 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit',
    })
  }
  return provider
}

/**
 * Checks a profile name: 1–128 characters, no colon, no control characters, no space at either end.
 *
 * @throws KeymuxError `invalid_profile_id`
 */
export function parseProfileName(text: string): string {
  const problem = nameProblem(text)
  if (problem !== undefined) {
    throw new KeymuxError('invalid_profile_id', `${quote(text)} is not a profile name: ${problem}`, {
      hint: 'use 1 to 128 characters without a colon, control characters or a space at either end',
    })
  }
  return text
}

/**
 * Reads `provider` or `provider:name` strictly.
 *
 * @throws KeymuxError `invalid_profile_id`
 */
export function parseProfileId(text: string): { id: ProfileId; provider: string; name: string } {
  const colon = text.lastIndexOf(':')
  const provider = parseProviderName(colon < 0 ? text : text.slice(0, colon))
  const name = colon < 0 ? DEFAULT_PROFILE_NAME : parseProfileName(text.slice(colon + 1))
  return { id: `${provider}:${name}`, provider, name }
}

function nameProblem(text: string): string | undefined {
  if (text.length === 0) return 'it is empty'
  if ([...text].length > MAX_NAME_CHARACTERS) return `it is longer than ${MAX_NAME_CHARACTERS} characters`
  if (text.includes(':')) return 'it contains a colon'
  if (UNPRINTABLE.test(text)) return 'it contains a control character'
  if (text.trim() !== text) return 'it begins or ends with a space'
  return undefined
}

/** Quotes untrusted text for a message: unprintable characters escaped, cut at 80 characters. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return `"${shown.replace(
    /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"\\]/gu,
    (character) =>
      character === '"' || character === '\\'
        ? `\\${character}`
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )}"`
}
