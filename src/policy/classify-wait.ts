import { parseTime } from '../domain/rfc3339.js'
import { own, property } from './classify-fields.js'
import type { BodyWaits } from './classify-problem.js'

/** Longest wait that is believed: 24 hours, in milliseconds. */
export const LONGEST_WAIT_MS = 86_400_000

/** Headers as callers have them: a plain object (any case, single values or lists), or `Headers`. */
export type ResponseHeaders =
  | Readonly<Record<string, string | readonly string[] | number | undefined>>
  | { forEach(callback: (value: string, name: string) => void): void }

const OF_INTEREST = /^(?:retry-after(?:-ms)?|content-type|(?:x-|anthropic-)?ratelimit-.{1,80})$/
const MAX_HEADERS = 200
const NUMBER = /^\d{1,15}(?:\.\d{1,9})?$/
const DURATION = /^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|us|µs|ns|d|h|m|s))+$/
const UNIT_MS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
}
// RFC 9110 section 5.6.7: the fixed form, and the two obsolete ones that recipients must understand.
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -](?:\d{4}|\d\d) \d\d:\d\d:\d\d GMT$/
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/

/** The headers that matter for a failure, names in lower case. Never throws. */
export function readHeaders(headers: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const take = (value: unknown, name: unknown): void => {
    const key = String(name).toLowerCase()
    const text = Array.isArray(value) ? value[0] : value
    if (found.size >= MAX_HEADERS || !OF_INTEREST.test(key)) return
    if (typeof text === 'string' || typeof text === 'number') found.set(key, String(text).trim())
  }
  if (typeof headers !== 'object' || headers === null) return found
  try {
    const forEach = property(headers, 'forEach')
    if (typeof forEach === 'function') Reflect.apply(forEach, headers, [take])
    else for (const name of Object.keys(headers)) take(own(headers, name), name)
  } catch {
    // Headers of some other make: what was read so far will do.
  }
  return found
}

/**
 * The wait that the response states, in milliseconds, the finest source first: `retry-after-ms`,
 * `retry-after`, the resets of exhausted dimensions (the latest of them), then the body's. Nonsense, zero
 * and times past are ignored; at most 24 h.
 */
export function statedWait(
  headers: ReadonlyMap<string, string>,
  waits: BodyWaits,
  now: Date,
): number | undefined {
  const nowMs = now.getTime()
  const sources = [
    () => milliseconds(headers.get('retry-after-ms')),
    () => readWait(headers.get('retry-after'), nowMs),
    () => latestReset(headers, nowMs),
    () => latestReset(readHeaders(waits.headers), nowMs),
    () => readWait(googleDuration(waits.retryDelay), nowMs),
    () => readWait(waits.resetsInSeconds, nowMs),
    () => readWait(waits.resetsAt, nowMs),
  ]
  for (const source of sources) {
    const wait = believable(source())
    if (wait !== undefined) return wait
  }
  return undefined
}

/** Whether a subscription's own window (`anthropic-ratelimit-unified-*`) turned the request down. */
export function rejectedBySubscription(headers: ReadonlyMap<string, string>): boolean {
  return headers.get('anthropic-ratelimit-unified-status')?.toLowerCase() === 'rejected'
}

/** The latest reset among the dimensions of which nothing remains, or that are marked as rejected. */
function latestReset(headers: ReadonlyMap<string, string>, nowMs: number): number | undefined {
  const waits = [...headers].flatMap(([name, value]) => {
    const reset = resetOf(name, value)
    return reset === undefined ? [] : [believable(readWait(headers.get(reset), nowMs))]
  })
  const stated = waits.filter((wait) => wait !== undefined)
  return stated.length === 0 ? undefined : Math.max(...stated)
}

/** The header with the reset of an exhausted dimension, if this header says that one is exhausted. */
function resetOf(name: string, value: string): string | undefined {
  const exhausted = /(^|-)remaining(-|$)/.test(name) && NUMBER.test(value) && Number(value) === 0
  if (exhausted) return name.replace(/(^|-)remaining(-|$)/, '$1reset$2')
  const rejected = name.endsWith('-status') && value.toLowerCase() === 'rejected'
  return rejected ? name.replace(/status$/, 'reset') : undefined
}

/** Seconds, a duration (`6m0s`, `12ms`), unix seconds or milliseconds, RFC 3339 or an HTTP date: in milliseconds from now. */
function readWait(value: unknown, nowMs: number): number | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || text.length > 64) return undefined
  if (NUMBER.test(text)) return fromNumber(Number(text), nowMs)
  if (DURATION.test(text)) return fromDuration(text)
  const instant = parseTime(text)?.getTime() ?? fromHttpDate(text)
  return instant === undefined ? undefined : instant - nowMs
}

// Nobody waits 30 years: a number that large is an instant.
function fromNumber(value: number, nowMs: number): number {
  if (value >= 1e11) return value - nowMs
  return value >= 1e9 ? value * 1000 - nowMs : value * 1000
}

function fromDuration(text: string): number {
  let sum = 0
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)/g)) {
    sum += Number(amount) * (UNIT_MS[unit] ?? 0)
  }
  return sum
}

function fromHttpDate(text: string): number | undefined {
  if (HTTP_DATE.test(text)) return Date.parse(text)
  return ASCTIME.test(text) ? Date.parse(`${text} GMT`) : undefined
}

/** `google.protobuf.Duration` is a text in JSON (`36s`), and an object in some libraries. */
function googleDuration(value: unknown): unknown {
  if (typeof value !== 'object') return typeof value === 'string' ? value : undefined
  const seconds = Number(own(value, 'seconds') ?? 0)
  return seconds + Number(own(value, 'nanos') ?? 0) / 1e9
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && NUMBER.test(text) ? Number(text) : undefined
}

function believable(waitMs: number | undefined): number | undefined {
  if (waitMs === undefined || !Number.isFinite(waitMs) || waitMs <= 0) return undefined
  return Math.min(Math.ceil(waitMs), LONGEST_WAIT_MS)
}
