import { KeymuxError } from '../domain/errors.js'

/** What is known of a failure of a proxy. */
export interface ProxyErrorDetails {
  /** `HOST:PORT` of the proxy. */
  readonly proxy: string
  readonly hint?: string | undefined
  /** Whether asking once more may help. Default false. */
  readonly passing?: boolean
  readonly cause?: unknown
}

/**
 * A proxy did not open the way to a server. Nothing was sent to the server. Code `proxy_failed`; message and hint name
 * the proxy by host and port, never by its login.
 */
export class ProxyError extends KeymuxError {
  override readonly name = 'ProxyError'
  readonly proxy: string
  readonly passing: boolean

  constructor(message: string, { proxy, hint, passing = false, cause }: ProxyErrorDetails) {
    super('proxy_failed', message, { hint, cause })
    this.proxy = proxy
    this.passing = passing
  }
}

/** The code of a system's error, for a sentence; its message may hold bytes of the connection. */
export function systemCode(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'no code'
}
