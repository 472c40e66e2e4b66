import { MOST_QUOTA_WINDOWS, type QuotaWindow } from '../domain/quota.js'
import { anthropicReadings } from './quota-anthropic.js'
import { codexReadings } from './quota-codex.js'
import { countedReadings } from './quota-counts.js'
import { type QuotaContext, type QuotaReading, toWindow } from './quota-reading.js'
import { structuredReadings } from './quota-structured.js'

export type { QuotaContext } from './quota-reading.js'

/** Names and values in turn, in the order of the wire; or an object, or `Headers`. */
export type QuotaHeaders =
  | readonly string[]
  | Readonly<Record<string, string | readonly string[] | number | undefined>>
  | { forEach(callback: (value: string, name: string) => void): void }

const MOST_HEADERS = 200
const LONGEST_VALUE = 1_024
const OF_INTEREST =
  /^(?:(?:x-)?ratelimit(?:-[a-z0-9._-]{1,80})?|x-ratelimitbysize-[a-z0-9._-]{1,80}|x-tokenlimit-[a-z]{1,20}|anthropic-ratelimit-[a-z0-9._-]{1,80}|x-codex-[a-z0-9._-]{1,80})$/

/**
 * The quota windows that the headers of an answer tell of, good or bad: `x-ratelimit-*` of OpenAI and many others,
 * `anthropic-ratelimit-*`, those of subscriptions (`anthropic-ratelimit-unified-*`, `x-codex-*`) and the fields
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). Nonsense is left out; of a header that is
 * repeated the first counts. Takes linear time and never throws.
 *
 * @example
 * readQuota({ 'x-ratelimit-remaining-requests': '59', 'x-ratelimit-limit-requests': '60' }, { now, good: true })
 * // [{ dimension: 'requests', model: '', limit: 60, remaining: 59, seenAt: now }]
 */
export function readQuota(headers: QuotaHeaders, context: QuotaContext): QuotaWindow[] {
  const found = headersOfInterest(headers)
  if (found.size === 0) return []
  const readings = new Map<string, QuotaReading>()
  const sources = [anthropicReadings, codexReadings, countedReadings, structuredReadings]
  for (const source of sources) {
    for (const reading of source(found, context)) {
      const key = `${reading.dimension}\u0000${reading.model ?? '\u0000'}`
      if (!readings.has(key)) readings.set(key, reading)
    }
  }
  return [...readings.values()]
    .slice(0, MOST_QUOTA_WINDOWS)
    .flatMap((reading) => toWindow(reading, context) ?? [])
}

function headersOfInterest(headers: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const take = (value: unknown, name: unknown): void => {
    if (typeof name !== 'string' || found.size >= MOST_HEADERS || !mayBeOfInterest(name)) return
    const text = Array.isArray(value) ? value[0] : value
    if (typeof text !== 'string' && typeof text !== 'number') return
    const key = name.toLowerCase()
    if (!found.has(key) && OF_INTEREST.test(key)) found.set(key, String(text).slice(0, LONGEST_VALUE).trim())
  }
  try {
    if (Array.isArray(headers)) {
      for (let index = 0; index < headers.length; index += 2) take(headers[index + 1], headers[index])
    } else if (typeof headers === 'object' && headers !== null) takeFrom(headers, take)
  } catch {
    // Headers of some other make: what was read so far will do.
  }
  return found
}

function takeFrom(headers: object, take: (value: unknown, name: unknown) => void): void {
  const forEach: unknown = Reflect.get(headers, 'forEach')
  if (typeof forEach === 'function') Reflect.apply(forEach, headers, [take])
  else for (const [name, value] of Object.entries(headers)) take(value, name)
}

/** Whether a name begins as those do that are read: most do not, and need not be looked at further. */
function mayBeOfInterest(name: string): boolean {
  if (name.length < 9) return false
  switch (name.charCodeAt(0) | 0x20) {
    case 0x78: // x-ratelimit, x-codex, x-tokenlimit
      return name.charCodeAt(1) === 0x2d && 'rct'.includes(name.charAt(2).toLowerCase())
    case 0x72: // ratelimit
      return true
    case 0x61: // anthropic-ratelimit
      return name.length > 20 && (name.charCodeAt(1) | 0x20) === 0x6e
    default:
      return false
  }
}
