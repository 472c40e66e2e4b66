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
