import { redactSecrets } from '../domain/redact.js'

const MAX_STORED_MESSAGE = 500

/** A message that may be stored: on one line, without secrets, not too long. */
export function cleanMessage(message: string, secrets: readonly (string | undefined)[]): string {
  const known = secrets.filter((text) => text !== undefined)
  return redactSecrets(message, known)
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, MAX_STORED_MESSAGE)
}
