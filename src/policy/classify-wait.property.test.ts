import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  LONGEST_WAIT_MS,
  LONGEST_WINDOW_MS,
  type ResponseHeaders,
  readHeaders,
  statedWait,
} from './classify-wait.js'

const NOW = new Date('2026-11-28T12:00:00Z')
const NOW_S = NOW.getTime() / 1_000
const DAY_S = 86_400

function wait(headers: ResponseHeaders, waits: object = {}, isLong = false, now = NOW): number | undefined {
  return statedWait(readHeaders(headers), { waits, quotas: [], isLong, now })
}

const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1_000)
const two = (value: number): string => String(value).padStart(2, '0')
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `1d2h3m4s` and its like: whatever parts a provider leaves out. */
function duration(seconds: number, hasDays: boolean): string {
  const days = hasDays ? Math.floor(seconds / DAY_S) : 0
  const rest = seconds - days * DAY_S
  const parts = [
    [days, 'd'],
    [Math.floor(rest / 3_600), 'h'],
    [Math.floor((rest % 3_600) / 60), 'm'],
    [rest % 60, 's'],
  ] as const
  return parts.flatMap(([amount, unit]) => (amount === 0 ? [] : [`${amount}${unit}`])).join('')
}

/** Every form of a time or a span that providers use, for a wait of so many seconds. */
const FORMS: Readonly<Record<string, (seconds: number) => string>> = {
  seconds: String,
  'seconds with a fraction': (seconds) => `${seconds}.0`,
  duration: (seconds) => duration(seconds, false),
  'duration with days': (seconds) => duration(seconds, true),
  'seconds with a unit': (seconds) => `${seconds}s`,
  'milliseconds with a unit': (seconds) => `${seconds * 1_000}ms`,
  'unix seconds': (seconds) => String(NOW_S + seconds),
  'unix milliseconds': (seconds) => String((NOW_S + seconds) * 1_000),
  'RFC 3339': (seconds) => at(seconds).toISOString(),
  'RFC 3339 elsewhere': (seconds) =>
    at(seconds + 5.5 * 3_600)
      .toISOString()
      .replace('Z', '+05:30'),
  'HTTP date': (seconds) => at(seconds).toUTCString(),
  'RFC 850': (seconds) => {
    const date = at(seconds)
    const day = `${two(date.getUTCDate())}-${MONTHS[date.getUTCMonth()]}-${String(date.getUTCFullYear()).slice(2)}`
    return `${DAYS[date.getUTCDay()]}, ${day} ${date.toISOString().slice(11, 19)} GMT`
  },
  asctime: (seconds) => {
    const date = at(seconds)
    const day = `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)}`
    const name = DAYS[date.getUTCDay()]?.slice(0, 3)
    return `${name} ${day} ${date.toISOString().slice(11, 19)} ${date.getUTCFullYear()}`
  },
}
const forms = fc.constantFrom(...Object.entries(FORMS))
const waits = fc.integer({ min: 1, max: DAY_S })

/** What no provider should send, and some do. */
const nonsense = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    'soon',
    'NaN',
    '-0',
    '0',
    '0s',
    '1e9',
    '0x10',

    '∞',
    '٣٠',
    '３０',
    'null',
    '[object Object]',
  ),
  fc.integer({ min: 1, max: 1e9 }).map((one) => `-${one}`),
  fc.integer({ min: 1, max: 1e9 }).map((one) => `-${one}s`),
  // The past, in every form.
  fc
    .tuple(forms, waits)
    .filter(([[name]]) => /unix|RFC|HTTP|asctime/.test(name))
    .map(([[, form], ago]) => form(-ago)),
  // Other calendars, and dates that there are not.
  fc.constantFrom(
    '令和8年11月28日',
    '1448-06-08T12:00:00Z',
    '28. November 2026',
    '2026-13-45T99:00:00Z',
    'Sat, 31 Feb 2026',
    '11/28/2026 12:00',
  ),
  fc.string({ unit: 'binary' }).filter((one) => !/\d/.test(one)),
)

describe.each(Object.entries(FORMS))('as %s', (_name, form) => {
  test('a wait is read in retry-after and in the reset of an exhausted dimension', () => {
    fc.assert(
      fc.property(waits, (seconds) => {
        expect(wait({ 'retry-after': form(seconds) })).toBe(seconds * 1_000)
        const reset = { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': form(seconds) }
        expect(wait(reset)).toBe(seconds * 1_000)
        const anthropic = { 'anthropic-ratelimit-input-tokens-remaining': '0' }
        expect(wait({ ...anthropic, 'anthropic-ratelimit-input-tokens-reset': form(seconds) })).toBe(
          seconds * 1_000,
        )
        expect(wait({}, { resetsAt: form(seconds) })).toBe(seconds * 1_000)
      }),
    )
  })

  test('more than a day is a day, unless it is the window of a subscription: then it is at most eight', () => {
    fc.assert(
      fc.property(fc.integer({ min: DAY_S + 1, max: 30 * DAY_S }), (seconds) => {
        expect(wait({ 'retry-after': form(seconds) })).toBe(LONGEST_WAIT_MS)
        expect(wait({ 'retry-after': form(seconds) }, {}, true)).toBe(
          Math.min(seconds * 1_000, LONGEST_WINDOW_MS),
        )
      }),
    )
  })

  test('of a field that came a hundred times the first counts', () => {
    fc.assert(
      fc.property(waits, fc.array(waits, { minLength: 1, maxLength: 99 }), (first, others) => {
        const values = [first, ...others].map(form)
        const headers = new Headers()
        for (const value of values) headers.append('retry-after', value)
        expect(wait(headers)).toBe(first * 1_000)
        expect(wait({ 'Retry-After': values })).toBe(first * 1_000)
        expect(wait({ 'RETRY-AFTER': values.join(', ') })).toBe(first * 1_000)
      }),
    )
  })
})

test('nonsense is passed over for the next source', () => {
  fc.assert(
    fc.property(nonsense, nonsense, waits, (one, other, seconds) => {
      const headers = {
        // An instant there is a span of weeks.
        'retry-after-ms': /^\d/.test(one) ? `-${one}` : one,
        'retry-after': other,
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': other,
      }
      expect(wait(headers)).toBeUndefined()
      expect(wait(headers, { retryDelay: one, resetsInSeconds: other, resetsAt: seconds + NOW_S })).toBe(
        seconds * 1_000,
      )
      expect(wait(headers, { words: `Please try again in ${seconds}s.` })).toBe(seconds * 1_000)
    }),
  )
})

test('the exhausted dimensions count, the latest of them, and the others do not', () => {
  const dimension = fc.record({
    name: fc.constantFrom('requests', 'tokens', 'input-tokens', 'output-tokens', 'images', 'requests-day'),
    remaining: fc.integer({ min: 0, max: 3 }),
    reset: waits,
    form: forms,
  })
  fc.assert(
    fc.property(fc.uniqueArray(dimension, { selector: ({ name }) => name, maxLength: 6 }), (dimensions) => {
      const headers = Object.fromEntries(
        dimensions.flatMap(({ name, remaining, reset, form: [, form] }) => [
          [`x-ratelimit-remaining-${name}`, String(remaining)],
          [`x-ratelimit-reset-${name}`, form(reset)],
        ]),
      )
      const exhausted = dimensions.filter(({ remaining }) => remaining === 0).map(({ reset }) => reset)
      expect(wait(headers)).toBe(exhausted.length === 0 ? undefined : Math.max(...exhausted) * 1_000)
    }),
  )
})

test('the windows of a plan: that of Codex that is used up, and those of Claude that are rejected', () => {
  fc.assert(
    fc.property(waits, fc.integer({ min: 1, max: 7 }), fc.boolean(), (seconds, days, asInstant) => {
      const long = days * DAY_S + seconds
      const reset = asInstant
        ? { 'x-codex-secondary-reset-at': String(NOW_S + long) }
        : { 'x-codex-secondary-reset-after-seconds': String(long) }
      const codex = {
        'x-codex-primary-used-percent': '99.9',
        'x-codex-primary-reset-after-seconds': '60',
        'x-codex-secondary-used-percent': '100',
        ...reset,
      }
      expect(wait(codex, {}, true)).toBe(long * 1_000)
      const claude = {
        'anthropic-ratelimit-unified-5h-status': 'allowed',
        'anthropic-ratelimit-unified-5h-reset': String(NOW_S + 60),
        'anthropic-ratelimit-unified-7d-status': 'rejected',
        'anthropic-ratelimit-unified-7d-reset': String(NOW_S + long),
      }
      expect(wait(claude, {}, true)).toBe(long * 1_000)
    }),
  )
})

test('in words, in English and Chinese, with every unit', () => {
  const unit = fc.constantFrom(
    ['s', 1],
    ['sec', 1],
    [' seconds', 1],
    [' second', 1],
    ['m', 60],
    [' min', 60],
    [' minutes', 60],
    ['h', 3_600],
    ['hr', 3_600],
    [' hours', 3_600],
    [' days', DAY_S],
    ['d', DAY_S],
  ) as fc.Arbitrary<[string, number]>
  const phrase = fc.constantFrom(
    'Please try again in',
    'retry after',
    'Resets in',
    'Please wait',
    'available again in',
  )
  const chinese = fc.constantFrom(
    ['秒', 1],
    [' 秒', 1],
    ['分钟', 60],
    ['小时', 3_600],
    ['天', DAY_S],
  ) as fc.Arbitrary<[string, number]>
  fc.assert(
    fc.property(
      phrase,
      unit,
      chinese,
      fc.integer({ min: 1, max: 999 }),
      (words, [name, size], [zh, zhSize], amount) => {
        const text = `Rate limit reached. ${words} ${amount}${name}. Visit our page.`
        expect(wait({}, { words: text })).toBe(Math.min(amount * size * 1_000, LONGEST_WAIT_MS))
        expect(wait({}, { words: `请求过于频繁，请 ${amount}${zh}后重试` })).toBe(
          Math.min(amount * zhSize * 1_000, LONGEST_WAIT_MS),
        )
      },
    ),
  )
})

test('whatever comes, at whatever time: nothing, or a whole number of milliseconds within bounds', () => {
  const value = fc.oneof(
    nonsense,
    fc.tuple(forms, fc.integer()).map(([[, form], one]) => safely(form, one)),
    fc.string({ unit: 'binary', maxLength: 200 }),
  )
  const name = fc.constantFrom(
    'retry-after',
    'retry-after-ms',
    'ratelimit',
    'x-ratelimit-reset',
    'x-ratelimit-remaining',
    'x-codex-primary-used-percent',
    'x-codex-primary-reset-at',
    'anthropic-ratelimit-unified-status',
  )
  const headers = fc.dictionary(name, fc.oneof(value, fc.array(value, { maxLength: 100 })))
  const clocks = fc.oneof(
    fc.date(),
    fc.constantFrom(new Date(0), new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15)),
  )
  fc.assert(
    fc.property(
      headers,
      fc.anything(),
      value,
      fc.boolean(),
      clocks,
      (fields, anything, words, isLong, now) => {
        const body = {
          retryDelay: anything,
          resetsInSeconds: anything,
          resetsAt: anything,
          headers: anything,
          words,
        }
        const ms = wait(fields, body, isLong, now)
        const longest = isLong ? LONGEST_WINDOW_MS : LONGEST_WAIT_MS
        if (ms !== undefined) expect(Number.isInteger(ms) && ms >= 1 && ms <= longest).toBe(true)
      },
    ),
  )
})

function safely(form: (seconds: number) => string, seconds: number): string {
  try {
    return form(seconds)
  } catch {
    return String(seconds)
  }
}
