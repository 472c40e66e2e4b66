import { KeymuxError } from '../domain/errors.js'
import type { ProviderMetadata } from '../domain/provider.js'
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
 * Puts a path under a base URL, every byte of it as it came, but for the version of the API: one that the base URL ends
 * with does not stand there twice, and one that it lacks is added to the paths of providers that want one, so that clients
 * may have it in their base URL or not. Credential parameters (`?key=`) are left out.
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
  const whole = `${base.path}${versioned(provider.name, base.path, path)}`
  return { origin: base.origin, path: `${whole || '/'}${query}` }
}

const VERSION_AT_END = /\/v\d+(?:(?:alpha|beta)\d*)?$/

/** Where the API of a built-in provider is whose base URL has no version, and the paths it is asked for there. */
interface ApiPlace {
  readonly prefix: string
  readonly paths: RegExp
}

const OPENAI_PATHS =
  /^(?:\/v1)?(?=\/(?:chat|completions|responses|models|embeddings|audio|images|moderations|files|batches|fim|ocr|agents|conversations|classifiers|libraries|fine_tunings?)(?:\/|$))/

/** Each by the provider's own documentation. Other paths, such as those of its console, are left as they are. */
const API_PLACES: ReadonlyMap<string, ApiPlace> = new Map([
  [
    'anthropic',
    {
      prefix: '/v1',
      paths:
        /^(?=\/(?:messages|models|complete|files|skills|organizations|agents|sessions|environments|vaults)(?:\/|$))/,
    },
  ],
  [
    'gemini',
    {
      prefix: '/v1beta',
      paths:
        /^(?=\/(?:models|tunedModels|cachedContents|files|fileSearchStores|corpora|batches|operations|interactions|openai)(?:\/|$))/,
    },
  ],
  ['groq', { prefix: '/openai/v1', paths: OPENAI_PATHS }],
  ['mistral', { prefix: '/v1', paths: OPENAI_PATHS }],
])

function versioned(provider: string, base: string, path: string): string {
  const version = VERSION_AT_END.exec(base)?.[0]
  if (version !== undefined) {
    return path === version || path.startsWith(`${version}/`) ? path.slice(version.length) : path
  }
  const place = API_PLACES.get(provider)
  return place === undefined ? path : path.replace(place.paths, place.prefix)
}

function isSound(path: string): boolean {
  return path === '' || (path.startsWith('/') && !DOT_SEGMENT.test(path))
}

function baseOf(provider: ProviderMetadata, text: string | undefined): Base {
  if (text === undefined) {
    throw new KeymuxError('invalid_value', `no base URL is known for ${provider.name}`, {
      hint: 'give the profile one with --base-url',
    })
  }
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

/**
 * Where providers have their OpenAI-compatible API, relative to their base URL, when that is not the base
 * URL itself (each by the provider's own documentation).
 */
const COMPATIBLE_PATHS: Readonly<Record<string, string>> = {
  anthropic: '/v1',
  cohere: '/compatibility/v1',
  gemini: '/v1beta/openai',
  groq: '/openai/v1',
  mistral: '/v1',
}

/** A path of OpenAI's API, with or without its `/v1`, as it is at another provider. */
export function compatiblePath(provider: string, path: string): string {
  const relative = path.replace(/^\/v1(?=[/?]|$)/, '')
  const prefix = Object.hasOwn(COMPATIBLE_PATHS, provider) ? COMPATIBLE_PATHS[provider] : undefined
  return `${prefix ?? ''}${relative}`
}
