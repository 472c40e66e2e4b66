import type { ProxyUse } from '../domain/egress.js'
import { isKeymuxError, type KeymuxError } from '../domain/errors.js'
import { ProxyError } from '../egress/proxy-error.js'
import type { Outcome } from './exchange.js'
import { codeOf, type Failure } from './failure.js'

/*
 * Between keymux and a server there may be a proxy, and of a connection that fails nobody can tell which of the two it
 * was. So what is held against an account is what its server says, and never how the connection fares.
 */

/** A try that failed because its proxy did not open the way: nothing was sent. */
export function proxyFailure(error: KeymuxError): Failure {
  return {
    kind: 'broken',
    reason: 'server_error',
    scope: 'provider',
    message: error.message,
    again: error instanceof ProxyError && error.passing ? 'now' : 'never',
    telling: false,
    proxy: { label: error instanceof ProxyError ? error.proxy : '', error },
  }
}

/** A failure as it counts where a proxy was on the way. */
export function throughProxy(
  failure: Failure,
  outcome: Outcome,
  { label }: ProxyUse,
  origin: string,
): Failure {
  const error = outcome.kind === 'broken' ? outcome.error : undefined
  if (isKeymuxError(error, 'proxy_failed')) return proxyFailure(error)
  const proxy = { label }
  if (outcome.kind === 'broken') {
    const message = `the connection through the proxy ${label} failed (${codeOf(error)})`
    return { ...failure, message, telling: false, proxy }
  }
  if (failure.kind === 'silence') {
    return { ...failure, message: `${failure.message} (through the proxy ${label})`, telling: false, proxy }
  }
  // Without TLS a page may be the proxy's own.
  const isClear = origin.startsWith('http:') && failure.kind === 'senseless'
  return isClear ? { ...failure, telling: false, proxy } : failure
}

/** The routes that did not open in a request: another account is not asked through the same one. */
export class ClosedRoutes {
  readonly #failures = new Map<string, Failure>()

  note(origin: string, { label }: ProxyUse, failure: Failure): void {
    if (failure.proxy?.error !== undefined && failure.again === 'never')
      this.#failures.set(`${label} ${origin}`, failure)
  }

  /** How that route failed before. */
  of(origin: string, { label }: ProxyUse): Failure | undefined {
    return this.#failures.size === 0 ? undefined : this.#failures.get(`${label} ${origin}`)
  }
}
