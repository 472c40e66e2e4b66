import { isKeymuxError } from '../../domain/errors.js'

/** Why the gateway itself answers a request with an error. */
export interface Refusal {
  readonly status: number
  /** Stable, begins with `keymux_`. */
  readonly code: string
  /** One sentence, without anything the request brought along. */
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Makes a {@link Refusal}. */
export function refusal(
  status: number,
  code: `keymux_${string}`,
  message: string,
  headers?: Readonly<Record<string, string>>,
): Refusal {
  return headers === undefined ? { status, code, message } : { status, code, message, headers }
}

/** What an error of keymux is to callers; `undefined` for one that should not have happened. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!isKeymuxError(error)) return undefined
  const { code, message } = error
  const status = STATUS[code]
  return status === undefined ? undefined : refusal(status, `keymux_${code}`, message)
}

const STATUS: Readonly<Record<string, number>> = {
  unknown_provider: 404,
  foreign_host: 400,
  invalid_value: 400,
  unsupported_coding: 415,
  body_too_large: 413,
  vault_locked: 503,
  storage_unavailable: 503,
  storage_busy: 503,
  storage_full: 503,
  storage_read_only: 503,
}
