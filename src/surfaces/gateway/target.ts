import { parseProfileId } from '../../domain/ids.js'
import { type Refusal, refusal } from './refusal.js'

/** What a request asks the gateway for. */
export type Target =
  | {
      readonly kind: 'provider'
      readonly provider: string
      /** Absent when any profile of the provider will do. */
      readonly name?: string
      /** What follows the provider, to be appended to its base URL: empty, or with its leading slash. */
      readonly path: string
      /** With its question mark, without the gateway's token; or empty. */
      readonly query: string
    }
  | { readonly kind: 'chain'; readonly chain: string; readonly path: string; readonly query: string }
  | { readonly kind: 'api'; readonly path: string; readonly query: string }
  | { readonly kind: 'healthz' | 'readyz' | 'metrics' | 'root' }
  | { readonly kind: 'bad'; readonly refusal: Refusal }

const BAD_PATH = refusal(400, 'keymux_bad_path', 'the path is malformed or leads out of its base URL')
const NOT_ORIGIN_FORM = refusal(
  400,
  'keymux_bad_path',
  'the gateway is no forward proxy: ask for a path, not for a whole URL',
)
const CHAIN = /^[a-z0-9._-]{1,64}$/
// Everything printable in ASCII that a path may hold (RFC 3986 section 3.3), and what clients send unquoted.
const PLAIN_TARGET = /^\/[\x21\x22\x24-\x7e]*$/
const SUSPECT = /[%\\]|\/\.{1,2}(?:[/;]|$)/
// One decoding for the gateway, one for the provider, one for whatever stands behind it.
const DECODINGS = 3

/**
 * Reads a request target (RFC 9112 section 3.2; the origin form alone). Dot segments are refused in every
 * encoding: they would lead out of the base URL a credential belongs to.
 */
export function parseTarget(raw: string): Target {
  if (!raw.startsWith('/')) return { kind: 'bad', refusal: NOT_ORIGIN_FORM }
  if (!PLAIN_TARGET.test(raw)) return { kind: 'bad', refusal: BAD_PATH }
  const mark = raw.indexOf('?')
  const path = mark < 0 ? raw : raw.slice(0, mark)
  if (SUSPECT.test(path) && hasDotSegment(path)) return { kind: 'bad', refusal: BAD_PATH }
  const end = path.indexOf('/', 1)
  const first = end < 0 ? path.slice(1) : path.slice(1, end)
  const rest = end < 0 ? '' : path.slice(end)
  return targetOf(first, rest, mark < 0 ? '' : withoutKey(raw.slice(mark)))
}

function targetOf(first: string, path: string, query: string): Target {
  if (first === '') return path === '' ? { kind: 'root' } : { kind: 'bad', refusal: BAD_PATH }
  if (first === 'api') return { kind: 'api', path, query }
  if (path === '' && (first === 'healthz' || first === 'readyz' || first === 'metrics')) {
    return { kind: first }
  }
  const segment = decoded(first)
  if (segment === undefined) return { kind: 'bad', refusal: BAD_PATH }
  if (segment.startsWith('@')) {
    const chain = segment.slice(1).toLowerCase()
    return CHAIN.test(chain) ? { kind: 'chain', chain, path, query } : { kind: 'bad', refusal: BAD_PATH }
  }
  try {
    const { provider, name } = parseProfileId(segment)
    const named = segment.includes(':') ? { name } : {}
    return { kind: 'provider', provider, ...named, path, query }
  } catch {
    return { kind: 'bad', refusal: BAD_PATH }
  }
}

/** Whether a path holds `.` or `..` as a segment, written plainly or percent-encoded up to three times. */
function hasDotSegment(path: string): boolean {
  let text = path
  for (let round = 0; round <= DECODINGS; round += 1) {
    if (text.split(/[/\\]/).some((segment) => /^\.{1,2}(?:;.*)?$/.test(segment))) return true
    const next = decoded(text)
    // What cannot be decoded means nothing to anybody, or something different to each.
    if (next === undefined) return round === 0
    if (next === text) return false
    text = next
  }
  return false
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** A query without its `key` parameters: they carry the gateway's token, or somebody's key. */
function withoutKey(query: string): string {
  if (!/key|%/i.test(query)) return query
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => decoded(pair.split('=', 1)[0] ?? '')?.toLowerCase() !== 'key')
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** The values of a target's `key` parameters. */
export function keyParameters(raw: string): readonly string[] {
  const mark = raw.indexOf('?')
  if (mark < 0 || !raw.includes('key=', mark)) return []
  return new URLSearchParams(raw.slice(mark + 1)).getAll('key')
}
