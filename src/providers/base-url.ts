import { KeymuxError } from '../domain/errors.js'
import type { ProviderMetadata } from '../domain/provider.js'

/** The error for an account of which nobody knows where its requests go. Its credential is sent nowhere. */
export function baseUrlMissing({ name, label, baseUrlExample }: ProviderMetadata): KeymuxError {
  return baseUrlExample === undefined
    ? new KeymuxError('invalid_value', `no base URL is known for ${name}`, {
        hint: 'give the profile one with --base-url',
      })
    : new KeymuxError(
        'invalid_value',
        `each account of ${label} has a base URL of its own, and none is given`,
        {
          hint: `--base-url ${baseUrlExample}`,
        },
      )
}
