import { KeymuxError } from './errors.js'

const REDACTED = '[redacted]'

/** Longest secret: 1 MiB of UTF-8. */
export const MAX_SECRET_BYTES: number = 1024 * 1024

/**
 * A secret text that does not betray itself: `toString`, `JSON.stringify`, `util.inspect` and template
 * strings all give `[redacted]`. Only {@link Secret.reveal} gives the text.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The secret itself. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  static {
    Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value: () => REDACTED,
    })
  }
}

/**
 * Checks a secret's text: not empty, at most 1 MiB, no NUL.
 *
 * @throws KeymuxError `invalid_secret`
 */
export function checkSecret(secret: string): void {
  if (secret === '') throw new KeymuxError('invalid_secret', 'the secret is empty')
  if (Buffer.byteLength(secret) > MAX_SECRET_BYTES) {
    throw new KeymuxError('invalid_secret', 'the secret is larger than 1 MiB')
  }
  if (secret.includes('\0')) throw new KeymuxError('invalid_secret', 'the secret contains a NUL character')
}
