import {
  allowInsecureRequests,
  customFetch,
  type DiscoveryRequestOptions,
  discoveryRequest,
  processDiscoveryResponse,
} from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { nestsDeeply } from '../domain/nesting.js'
import { isLoopbackHost, parseSecureUrl } from '../domain/secure-url.js'
import { OAuthError } from './errors.js'
import { sendOnce, type Way } from './http.js'

/** How long both documents may take together, in milliseconds. */
const TIME_LIMIT_MS = 10_000

/** What an authorization server says of itself. */
export interface Discovered {
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint?: string
  readonly deviceAuthorizationEndpoint?: string
  readonly revocationEndpoint?: string
  readonly accountEndpoint?: string
  /** Its authorization responses name the issuer (RFC 9207). */
  readonly namesIssuer?: boolean
  /** It takes client secrets as HTTP Basic alone. */
  readonly wantsBasic?: boolean
}

/**
 * Asks an issuer for its metadata: OpenID Connect Discovery first, then RFC 8414. Every endpoint that comes
 * back must be https, or on loopback where the issuer is there too: no server elsewhere sends credentials to a port
 * of this machine. Both together may take `timeoutMs` milliseconds, 10,000 by default.
 *
 * @throws KeymuxError `provider_unreachable`, `invalid_provider`
 */
export async function discover(
  issuer: string,
  signal?: AbortSignal,
  { timeoutMs = TIME_LIMIT_MS, way }: { readonly timeoutMs?: number; readonly way?: Way | undefined } = {},
): Promise<Discovered> {
  const endsAt = performance.now() + timeoutMs
  const url = parseSecureUrl(issuer)
  if (url === undefined) throw notAnIssuer(issuer)
  let failure: unknown
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      return readMetadata(url, await ask(url, algorithm, { endsAt, signal, way }))
    } catch (error) {
      if (error instanceof OAuthError && error.failure.delivery !== 'answered') throw error
      // That it is out of order says more than that one of the two documents is not there.
      if (error instanceof OAuthError) failure = error
      else failure ??= error
    }
  }
  signal?.throwIfAborted()
  if (failure instanceof KeymuxError) throw failure
  throw notAnIssuer(issuer, failure)
}

interface Asking {
  readonly endsAt: number
  readonly signal: AbortSignal | undefined
  readonly way: Way | undefined
}

async function ask(
  issuer: URL,
  algorithm: 'oidc' | 'oauth2',
  asking: Asking,
): Promise<Record<string, unknown>> {
  const options: DiscoveryRequestOptions = {
    algorithm,
    // Plain HTTP reaches loopback alone: the issuer has been checked.
    [allowInsecureRequests]: true,
    [customFetch]: (url) => fetchOnce(url, asking),
  }
  return { ...(await processDiscoveryResponse(issuer, await discoveryRequest(issuer, options))) }
}

async function fetchOnce(url: string, { endsAt, signal, way }: Asking): Promise<Response> {
  const timeoutMs = Math.max(1, endsAt - performance.now())
  const { status, headers, body, complete } = await sendOnce({ method: 'GET', url, signal, timeoutMs, way })
  if (!complete && performance.now() >= endsAt - 1) throw tooSlow(url)
  if (status >= 500 || status === 429) throw outOfOrder(url, status)
  if (nestsDeeply(body)) throw notAnIssuer(url)
  const type = headers['content-type'] ?? 'application/json'
  return new Response(status === 204 ? null : body, { status, headers: { 'content-type': type } })
}

function readMetadata(issuer: URL, metadata: Record<string, unknown>): Discovered {
  const endpoint = (name: string): string | undefined => {
    const value = metadata[name]
    if (value === undefined) return undefined
    const url = typeof value === 'string' ? parseSecureUrl(value) : undefined
    const here = url !== undefined && isLoopbackHost(url.hostname)
    if (url !== undefined && (!here || isLoopbackHost(issuer.hostname))) return String(value)
    throw new KeymuxError('invalid_provider', `${quote(issuer.href)} names an unusable ${name}`, {
      hint: 'endpoints must be https',
    })
  }
  const methods = metadata.token_endpoint_auth_methods_supported
  const found: { -readonly [K in keyof Discovered]: Discovered[K] } = {
    namesIssuer: metadata.authorization_response_iss_parameter_supported === true,
    wantsBasic:
      Array.isArray(methods) &&
      methods.includes('client_secret_basic') &&
      !methods.includes('client_secret_post'),
  }
  const places = [
    ['authorizationEndpoint', 'authorization_endpoint'],
    ['tokenEndpoint', 'token_endpoint'],
    ['deviceAuthorizationEndpoint', 'device_authorization_endpoint'],
    ['revocationEndpoint', 'revocation_endpoint'],
    ['accountEndpoint', 'userinfo_endpoint'],
  ] as const
  for (const [key, name] of places) {
    const value = endpoint(name)
    if (value !== undefined) found[key] = value
  }
  return found
}

/** An answer that has begun and does not come to an end. */
function tooSlow(url: string): OAuthError {
  return new OAuthError('provider_unreachable', `${new URL(url).host} did not answer in time`, {
    reason: 'timeout',
    delivery: 'unknown',
  })
}

function outOfOrder(url: string, status: number): OAuthError {
  const reason = status === 429 ? 'rate_limit' : 'server_error'
  return new OAuthError(
    'provider_unreachable',
    `${new URL(url).host} answered ${status} when it was asked for its endpoints`,
    { reason, delivery: 'answered' },
    { hint: 'try again later, or configure its endpoints' },
  )
}

function notAnIssuer(issuer: string, cause?: unknown): KeymuxError {
  return new KeymuxError('invalid_provider', `${quote(issuer)} does not answer as an OAuth issuer`, {
    hint: 'check the issuer, or configure its endpoints',
    ...(cause instanceof Error ? { cause: new Error(cause.message) } : {}),
  })
}
