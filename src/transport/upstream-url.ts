import { KeymuxError } from '../domain/errors.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { apiPath } from '../providers/api-paths.js'
import { baseUrlMissing } from '../providers/base-url.js'
import { parseBaseUrl } from '../providers/url.js'

/** Where a request goes. */
export interface UpstreamUrl {
  /** `https://HOST[:PORT]` */
  readonly origin: string
  /** Path and query. */
  readonly path: string
}

interface Base {
  readonly origin: string
  /** Without a trailing slash; empty for the root. */
  readonly path: string
}

// A dot segment in any spelling; encoded slashes count, for an upstream may decode before it walks, even twice.
const DOT_SEGMENT = /(?:[/\\]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?:[/\\;]|%(?:25)*(?:2f|5c)|$)/i
/** What a path may consist of (RFC 3986 section 3.3), and what clients send unquoted all the same. */
const PRINTABLE = /^[\x21\x22\x24-\x5b\x5d-\x7e]*$/
const MOST_BASES = 1_000
const bases = new Map<string, Base>()

/**
 * Puts a path under a base URL, every byte of it as it came, but for the version of the API, which clients may have
 * in their base URL or not ({@link apiPath}). Credential parameters (`?key=`) are left out.
 *
 * @throws KeymuxError `foreign_host` when the path leads out of the base URL or is malformed; `invalid_value`
 * when there is no base URL, or none that a credential may travel to
 */
export function upstreamUrl(
  provider: ProviderMetadata,
  baseUrl: string | undefined,
  relative: string,
): UpstreamUrl {
  const base = baseOf(provider, baseUrl ?? provider.baseUrl)
  const mark = relative.indexOf('?')
  const path = mark < 0 ? relative : relative.slice(0, mark)
  if (!isSound(path) || !PRINTABLE.test(relative)) {
    throw new KeymuxError('foreign_host', 'a request path is malformed or leads out of its base URL', {
      hint: 'leave out dot segments and fragments',
    })
  }
  const query = mark < 0 ? '' : withoutKey(relative.slice(mark + 1))
  const whole = `${base.path}${apiPath(provider, base.path, path)}`
  return { origin: base.origin, path: `${whole || '/'}${query}` }
}

function isSound(path: string): boolean {
  return path === '' || (path.startsWith('/') && !DOT_SEGMENT.test(path))
}

function baseOf(provider: ProviderMetadata, text: string | undefined): Base {
  if (text === undefined) throw baseUrlMissing(provider)
  const known = bases.get(text)
  if (known !== undefined) return known
  const url = parseBaseUrl(text)
  if (url === undefined) {
    throw new KeymuxError('invalid_value', `the base URL of ${provider.name} cannot be used`, {
      hint: 'use https://HOST[/PATH]; plain http is for loopback alone',
    })
  }
  const { origin, pathname } = new URL(url)
  const base = { origin, path: pathname.replace(/\/+$/, '') }
  if (bases.size >= MOST_BASES) bases.clear()
  bases.set(text, base)
  return base
}

/** A query without its `key` parameters: they carry a caller's credential. */
function withoutKey(query: string): string {
  if (!/key|%/i.test(query)) return `?${query}`
  const kept = query.split('&').filter((pair) => nameOf(pair) !== 'key')
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

function nameOf(pair: string): string {
  const name = pair.split('=', 1)[0] ?? ''
  try {
    return decodeURIComponent(name).toLowerCase()
  } catch {
    return name.toLowerCase()
  }
}
