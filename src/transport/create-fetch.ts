import type { GatewayConfig } from '../domain/config.js'
import { KeymuxError } from '../domain/errors.js'
import type { ForwardRequest } from '../domain/forwarding.js'
import { parseProviderName, quote } from '../domain/ids.js'
import type { Keymux } from '../domain/keymux.js'
import type { FetchLike } from '../domain/ports.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { parseBaseUrl } from '../providers/url.js'
import { requestBody, requestHeaders } from './fetch-request.js'
import { toResponse } from './fetch-response.js'

/** Options of {@link createFetch}. */
export interface CreateFetchOptions {
  readonly provider: string
  /** Name (or id) of the profile that goes first unless it is unusable. */
  readonly profile?: string
  /** A further base URL that requests may go to, besides the provider's default one. */
  readonly baseUrl?: string
  /** The model that profiles are chosen by where a request names none, as uploads do. */
  readonly model?: string
  /** The most upstream tries per request. No limit by default: every usable profile, and a few retries. */
  readonly maxAttempts?: number
  /**
   * How long an upstream may take to begin its answer before another profile is asked beside it, in milliseconds. The
   * config's by default (30 s). It is given up after ten times as long.
   */
  readonly firstByteTimeoutMs?: number
  /** How long a request may take with all its tries, in milliseconds. The config's by default (600 s). */
  readonly deadlineMs?: number
  /**
   * How long a request may wait for an account when all are busy for a while, in milliseconds, and never beyond the
   * deadline. Default 0: it is answered at once.
   */
  readonly maxWaitMs?: number
  /**
   * The largest request body that is kept to be sent a second time, in bytes. The config's by default
   * (10,000,000). Larger ones are streamed, once.
   */
  readonly replayLimitBytes?: number
  /**
   * Whether user ids in JSON bodies (`metadata.user_id`, `user`, `safety_identifier`) are replaced by pseudonyms, others
   * for each profile. The config's by default (false). A larger JSON body than can be kept is then refused.
   */
  readonly privacy?: boolean
}

/** The part of an open vault that {@link createFetch} needs. */
export interface FetchHost {
  readonly forwarder: Keymux['forwarder']
  readonly providers: Pick<Keymux['providers'], 'get'>
  readonly config: { readonly gateway: Pick<GatewayConfig, 'replayLimitMb'> }
}

const BYTES_PER_MB = 1_000_000

/**
 * A `fetch` with the accounts of one provider behind it: for `new OpenAI({ apiKey: 'keymux', fetch })` and
 * its like. Whatever credential a request carries is replaced by that of a profile; a request whose profile
 * is rate-limited, unpaid, refused or out of reach goes out again with the next one.
 *
 * Requests to the provider's default base URL (or `baseUrl`) go to the profile's own one, where it has one.
 * Redirects are not followed. The function rejects as `fetch` does: with the signal's reason after an abort,
 * with a `TypeError` when nobody answered at all. When no profile is usable its answer is a 429 in the provider's own
 * shape, with the soonest `retry-after`; a 401 when all were refused; and what the provider says of unpaid accounts
 * when all are.
 *
 * @throws KeymuxError `unknown_provider`, `invalid_value`; the function itself `foreign_host` for requests to
 * any other URL (they carry no credential), `body_too_large`, `vault_locked` and storage errors
 */
export function createFetch(keymux: FetchHost, options: CreateFetchOptions): FetchLike {
  const name = parseProviderName(options.provider)
  const provider = keymux.providers.get(name)
  if (provider === undefined) {
    throw new KeymuxError('unknown_provider', `there is no provider ${quote(name)}`, {
      hint: 'see keymux providers',
    })
  }
  const bases = basesOf(provider, options.baseUrl)
  const common = commonOf(options)
  return async (input, init) => {
    const request = new Request(input, init)
    const { baseUrl, path } = placeOf(request.url, bases, name)
    const { signal } = request
    signal.throwIfAborted()
    const limit = options.replayLimitBytes ?? keymux.config.gateway.replayLimitMb * BYTES_PER_MB
    const body = await requestBody(request, init, limit)
    const stage = {
      provider: name,
      baseUrl,
      profile: options.profile,
    }
    const answer = await keymux.forwarder.forward({
      ...common,
      method: request.method,
      path,
      headers: requestHeaders(request.headers),
      stages: [stage],
      signal,
      ...(body === undefined ? {} : { body }),
    })
    if (answer.kind === 'unreachable') throw new TypeError('fetch failed', { cause: answer.error })
    return toResponse(answer, request)
  }
}

function commonOf(options: CreateFetchOptions): Pick<ForwardRequest, 'model' | 'maxAttempts' | 'settings'> {
  const { model, maxAttempts, firstByteTimeoutMs, deadlineMs, maxWaitMs, replayLimitBytes, privacy } = options
  positive('maxAttempts', maxAttempts)
  positive('firstByteTimeoutMs', firstByteTimeoutMs)
  positive('deadlineMs', deadlineMs)
  notNegative('maxWaitMs', maxWaitMs)
  notNegative('replayLimitBytes', replayLimitBytes)
  return {
    model,
    maxAttempts,
    settings: {
      ...(firstByteTimeoutMs === undefined ? {} : { firstByteTimeoutMs }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
      ...(privacy === undefined ? {} : { privacy }),
    },
  }
}

function positive(name: string, value: number | undefined): void {
  if (value === undefined || value > 0) return
  throw new KeymuxError('invalid_value', `${name} must be greater than 0`)
}

function notNegative(name: string, value: number | undefined): void {
  if (value === undefined || value >= 0) return
  throw new KeymuxError('invalid_value', `${name} must not be negative`)
}

function basesOf(provider: ProviderMetadata, further: string | undefined): string[] {
  const bases = provider.baseUrl === undefined ? [] : [provider.baseUrl]
  if (further === undefined) return bases
  const base = parseBaseUrl(further)
  if (base === undefined) {
    throw new KeymuxError('invalid_value', 'baseUrl cannot be used', {
      hint: 'use https://HOST[/PATH] without user name, query or fragment; plain http is for loopback alone',
    })
  }
  return [...bases, base]
}

/** The allowed base URL a request is addressed to, and the rest of its URL. The longest one counts. */
function placeOf(
  text: string,
  bases: readonly string[],
  provider: string,
): { baseUrl: string; path: string } {
  const { origin, pathname, search } = new URL(text)
  const place = `${origin}${pathname}`
  const base = bases
    .filter((one) => place === one || place.startsWith(`${one}/`))
    .sort((a, b) => b.length - a.length)[0]
  if (base !== undefined) return { baseUrl: base, path: `${place.slice(base.length)}${search}` }
  throw new KeymuxError('foreign_host', `${quote(origin)} is no place for a credential of ${provider}`, {
    hint: `send requests to ${bases.join(' or ') || 'a base URL given to createFetch'}`,
  })
}
