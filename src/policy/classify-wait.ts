import { parseTime } from '../domain/rfc3339.js'
import type { BodyContent } from './classify-body.js'
import { own, property } from './classify-fields.js'
import type { BodyWaits } from './classify-problem.js'

/** Longest wait that is believed: 24 hours, in milliseconds. */
export const LONGEST_WAIT_MS = 86_400_000
/** The same for the window of a subscription: 8 days, in milliseconds. */
export const LONGEST_WINDOW_MS: number = 8 * LONGEST_WAIT_MS

/** Headers as callers have them: a plain object (any case, single values or lists), or `Headers`. */
export type ResponseHeaders =
  | Readonly<Record<string, string | readonly string[] | number | undefined>>
  | { forEach(callback: (value: string, name: string) => void): void }

const OF_INTEREST =
  /^(?:retry-after(?:-ms)?|content-type|cf-mitigated|ratelimit|x-amzn-errortype|(?:x-|anthropic-)?ratelimit-.{1,80}|x-codex-.{1,80})$/
const WEEKDAY = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},/
/** Of these all of a list counts. */
const LISTS = /^(?:ratelimit|content-type)$/
const MAX_HEADERS = 200
const NUMBER = /^\d{1,15}(?:\.\d{1,9})?$/
const DURATION = /^(?:\d{1,12}(?:\.\d{1,9})?(?:ms|us|µs|ns|d|h|m|s))+$/
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
    if (typeof text !== 'string' && typeof text !== 'number') return
    const whole = String(text).trim()
    found.set(key, LISTS.test(key) ? whole : firstOf(whole))
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

/** What the wait of a response is read from, besides its headers. */
export interface WaitContext {
  readonly waits: BodyWaits
  /** The quotas that were exceeded, as words. */
  readonly quotas: readonly string[]
  /** It is the window of a subscription: that may take days. */
  readonly isLong: boolean
  /** What times without a zone are ahead of UTC, in milliseconds; where it is absent, those of Chinese are China's. */
  readonly offsetMs?: number | undefined
  readonly now: Date
}

/**
 * The wait that the response states, in milliseconds: until midnight Pacific time for a quota per day
 * (ai.google.dev/gemini-api/docs/rate-limits), else the finest source first: `retry-after-ms`, `retry-after`, the resets
 * of exhausted dimensions (the latest of them), then the body's, and its wording last. Nonsense, zero and times past are
 * ignored; at most 24 h, or 8 days for the window of a subscription.
 */
export function statedWait(
  headers: ReadonlyMap<string, string>,
  { waits, quotas, isLong, offsetMs, now }: WaitContext,
): number | undefined {
  const nowMs = now.getTime()
  const longest = isLong ? LONGEST_WINDOW_MS : LONGEST_WAIT_MS
  const sources = [
    () => (quotas.some((quota) => PER_DAY.test(quota)) ? untilMidnight(nowMs) : undefined),
    () => milliseconds(headers.get('retry-after-ms')),
    () => readWait(headers.get('retry-after'), nowMs),
    () => latestReset(headers, nowMs, longest),
    () => codexReset(headers, nowMs),
    () => structuredReset(headers.get('ratelimit')),
    () => latestReset(readHeaders(waits.headers), nowMs, longest),
    () => readWait(googleDuration(waits.retryDelay), nowMs),
    () => readWait(waits.resetsInSeconds, nowMs),
    () => readWait(waits.resetsAt, nowMs),
    () => waitInWords(waits.words ?? '', nowMs, offsetMs),
  ]
  for (const source of sources) {
    const wait = believable(source(), longest)
    if (wait !== undefined) return wait
  }
  return undefined
}

/** Whether something that stands before the provider turned the request down, whoever asked: Cloudflare and its like. */
export function isBlocked(
  headers: ReadonlyMap<string, string>,
  status: number,
  { title, text = '' }: Pick<BodyContent, 'title' | 'text'>,
): boolean {
  if (headers.get('cf-mitigated') !== undefined) return true
  return status === 403 && (title !== undefined || CLOUDFLARE.test(text))
}

/** Its page as plain text (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors). */
const CLOUDFLARE = /^error code: 1\d{3}\s*$/

/** Until the next midnight of UTC, in milliseconds. */
export function untilMidnightUtc(now: Date): number {
  return LONGEST_WAIT_MS - (now.getTime() % LONGEST_WAIT_MS)
}

/** Windows of a subscription that hold for the whole account (docs.claude.com, rate limits of Claude plans). */
const OF_ACCOUNT: ReadonlySet<string> = new Set(['5h', '7d'])
const CLAIMS_OF_ACCOUNT = /^(?:five_hour|seven_day)?$/

/**
 * Whether a window of a subscription turned the request down (`anthropic-ratelimit-unified-*`): one of the whole account,
 * or one of a class of models alone.
 */
export function rejectedWindow(headers: ReadonlyMap<string, string>): 'account' | 'class' | undefined {
  if (headers.get('anthropic-ratelimit-unified-status')?.toLowerCase() !== 'rejected') return undefined
  const rejected = [...headers].flatMap(([name, value]) => {
    const window = /^anthropic-ratelimit-unified-(.+)-status$/.exec(name)?.[1]
    return window !== undefined && value.toLowerCase() === 'rejected' ? [window] : []
  })
  if (rejected.length > 0) return rejected.some((window) => OF_ACCOUNT.has(window)) ? 'account' : 'class'
  const claim = headers.get('anthropic-ratelimit-unified-representative-claim') ?? ''
  return CLAIMS_OF_ACCOUNT.test(claim) ? 'account' : 'class'
}

const PER_DAY = /\bper day\b|\bdaily\b/

/** Until the next midnight in California, in milliseconds. */
function untilMidnight(nowMs: number): number {
  const day = 86_400_000
  const passed = sinceMidnight(nowMs)
  const guess = nowMs + day - passed
  // An hour more or less on the two days of a year on which clocks change.
  const over = sinceMidnight(guess)
  return guess - nowMs + (over > day / 2 ? day - over : -over)
}

function sinceMidnight(atMs: number): number {
  const local = new Date(atMs + pacificOffsetMs(atMs))
  return local.getTime() - Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate())
}

/** Daylight saving time from the second Sunday of March, 10:00 UTC, to the first of November, 9:00 UTC. */
function pacificOffsetMs(atMs: number): number {
  const hour = 3_600_000
  const year = new Date(atMs).getUTCFullYear()
  const isSummer = atMs >= sunday(year, 2, 8) + 10 * hour && atMs < sunday(year, 10, 1) + 9 * hour
  return (isSummer ? -7 : -8) * hour
}

/** The first Sunday on or after a day of a month. */
function sunday(year: number, month: number, day: number): number {
  const first = new Date(Date.UTC(year, month, day))
  return Date.UTC(year, month, day + ((7 - first.getUTCDay()) % 7))
}

/** The windows of a ChatGPT plan, `x-codex-{primary,secondary}-…`: those that are used up, the longest of them. */
function codexReset(headers: ReadonlyMap<string, string>, nowMs: number): number | undefined {
  const waits = ['primary', 'secondary'].flatMap((window) => {
    const field = (name: string): string | undefined => headers.get(`x-codex-${window}-${name}`)
    const used = field('used-percent') ?? ''
    if (!NUMBER.test(used) || Number(used) < 100) return []
    const wait = readWait(field('reset-after-seconds'), nowMs) ?? readWait(field('reset-at'), nowMs)
    return wait === undefined ? [] : [wait]
  })
  return waits.length === 0 ? undefined : Math.max(...waits)
}

/**
 * `"default";r=0;t=30` (draft-ietf-httpapi-ratelimit-headers): what is left, and seconds until there is more. Before the
 * seventh draft it was `limit=100, remaining=0, reset=30`.
 */
function structuredReset(value: string | undefined): number | undefined {
  const [, old] = /(?:^|,\s*)remaining=0(?!\d).*?(?:,\s*)reset=(\d{1,9})(?!\d)/.exec(value ?? '') ?? []
  if (old !== undefined) return Number(old) * 1_000
  const waits = (value ?? '').split(',').flatMap((one) => {
    if (!/;\s*r=0(?!\d)/.test(one)) return []
    const seconds = /;\s*t=(\d{1,9})(?!\d)/.exec(one)?.[1]
    return seconds === undefined ? [] : [Number(seconds) * 1_000]
  })
  return waits.length === 0 ? undefined : Math.max(...waits)
}

/** A field that came more than once is a list (RFC 9110 section 5.3); dates have a comma of their own. */
function firstOf(value: string): string {
  const comma = value.indexOf(',')
  const end = WEEKDAY.test(value) ? value.indexOf(',', comma + 1) : comma
  return end < 0 ? value : value.slice(0, end).trim()
}

/** What comes before a time in a message. The first 4 KiB are looked at. */
const ANNOUNCED =
  /\b(?:try again|retry(?:ing)?|resets?|replenished|wait|available(?: again)?|come back|restored|refresh(?:es|ed)?)\b(?: (?:your request|it|is|will be))?(?: (?:in|after|at|for|on|until))?(?: (?:about|approximately|another))? {0,2}/gi
const AMOUNTS =
  /^(\d{1,6}(?:\.\d{1,9})?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b[ ,]*(?:and )?/i
/** A time that passes, never one of day: that has no seconds where people write. */
const CLOCK = /^(\d{1,3}):([0-5]\d):([0-5]\d)(?![\d:])/
const INSTANT = /\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?( ?(?:Z|UTC|GMT)|[+-]\d\d:?\d\d)?/
const CHINESE = /(\d{1,6}) ?(秒|分钟|小时|天)(?:钟)?(?:后|之后|内)/
const CHINESE_MS: Readonly<Record<string, number>> = {
  秒: 1_000,
  分钟: 60_000,
  小时: 3_600_000,
  天: 86_400_000,
}
/** Whose times without a zone are those of China. */
const SPEAKS_CHINESE = /[\u4e00-\u9fff]/
const CHINA_MS = 8 * 3_600_000

/** A wait that a message states in words: "try again in 7m12s", "retry after 33 seconds", "resets at 2026-11-28 18:12". */
function waitInWords(message: string, nowMs: number, offsetMs: number | undefined): number | undefined {
  const text = message.slice(0, 4_096)
  for (const { index, 0: phrase } of text.matchAll(ANNOUNCED)) {
    const wait = amountAt(text.slice(index + phrase.length, index + phrase.length + 80))
    if (wait !== undefined) return wait
  }
  const [, amount, unit = ''] = CHINESE.exec(text) ?? []
  if (amount !== undefined) return Number(amount) * (CHINESE_MS[unit] ?? 0)
  return instantInWords(text, nowMs, offsetMs)
}

/** `7m12s`, `4hr 59min`, `2 minutes`, `16 days`, `12:34:56`. */
function amountAt(text: string): number | undefined {
  const [, hours, minutes, seconds] = CLOCK.exec(text) ?? []
  if (hours !== undefined) return (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
  let rest = text
  let sum = 0
  for (let found = AMOUNTS.exec(rest); found !== null; found = AMOUNTS.exec(rest)) {
    const [all, amount, unit = ''] = found
    sum += Number(amount) * unitMs(unit.toLowerCase())
    rest = rest.slice(all.length)
  }
  const glued =
    sum === 0 ? /^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|h|m|s|d))+/i.exec(text)?.[0].toLowerCase() : undefined
  return glued === undefined ? sum || undefined : fromDuration(glued)
}

function unitMs(unit: string): number {
  if (unit === 'ms' || unit.startsWith('milli')) return 1
  return UNIT_MS[unit[0] ?? ''] ?? 0
}

function instantInWords(text: string, nowMs: number, offsetMs: number | undefined): number | undefined {
  if (!/\b(?:resets?|retry|again|until|available|refresh)\b|重置|恢复|重试/i.test(text)) return undefined
  const [, day, time = '', zone] = INSTANT.exec(text) ?? []
  if (day === undefined) return undefined
  const clock = time.length === 5 ? `${time}:00` : time
  const offset = zone === undefined || /[a-z]/i.test(zone) ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')
  const at = Date.parse(`${day}T${clock}${offset}`)
  const assumed = offsetMs ?? (SPEAKS_CHINESE.test(text) ? CHINA_MS : 0)
  return Number.isFinite(at) ? at - (zone === undefined ? assumed : 0) - nowMs : undefined
}

/** The latest reset among the dimensions of which nothing remains, or that are marked as rejected. */
function latestReset(
  headers: ReadonlyMap<string, string>,
  nowMs: number,
  longest: number,
): number | undefined {
  const waits = [...headers].flatMap(([name, value]) => {
    const reset = resetOf(name, value)
    return reset === undefined ? [] : [believable(readWait(headers.get(reset), nowMs), longest)]
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
export function readWait(value: unknown, nowMs: number): number | undefined {
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

function believable(waitMs: number | undefined, longest: number): number | undefined {
  if (waitMs === undefined || !Number.isFinite(waitMs) || waitMs <= 0) return undefined
  return Math.min(Math.ceil(waitMs), longest)
}
