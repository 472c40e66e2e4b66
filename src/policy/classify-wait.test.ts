import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONGEST_WAIT_MS, readHeaders, rejectedWindow, statedWait } from './classify-wait.js'

const now = new Date('2026-11-23T12:00:00Z')
const seconds = now.getTime() / 1000

function wait(headers: Record<string, string>, waits: object = {}): number | undefined {
  return statedWait(readHeaders(headers), { waits, quotas: [], isLong: false, now })
}

describe('retry-after', () => {
  it.each([
    ['2', 2000],
    ['0.5', 500],
    [' 7 ', 7000],
    ['1, 2', 1000],
    ['30s', 30_000],
    ['6m0s', 360_000],
    ['12ms', 12],
    ['1.5s', 1500],
    ['1h2m3s', 3_723_000],
    ['2m59.56s', 179_560],
    ['500us', 1],
    ['1d', LONGEST_WAIT_MS],
    ['172800', LONGEST_WAIT_MS],
    [String(seconds + 90), 90_000],
    [String((seconds + 90) * 1000), 90_000],
    ['2026-11-23T12:01:00Z', 60_000],
    ['2026-11-23T13:01:00+01:00', 60_000],
    ['Mon, 23 Nov 2026 12:00:30 GMT', 30_000],
    ['Monday, 23-Nov-26 12:00:30 GMT', 30_000],
    ['Mon Nov 23 12:00:30 2026', 30_000],
    ['Mon, 23 Nov 2030 12:00:30 GMT', LONGEST_WAIT_MS],
  ])('"%s" is %i ms', (value, ms) => {
    expect(wait({ 'retry-after': value })).toBe(ms)
  })

  it.each([
    '0',
    '-5',
    '',
    'soon',
    'NaN',
    'Infinity',
    '1e3',
    '0x10',
    '5 apples',
    's',
    '-1s',
    'Mon, 23 Nov 2026 11:59:30 GMT',
    'Mon, 99 Foo 2026 12:00:30 GMT',
    '2026-11-23',
    '2020-01-01T00:00:00Z',
    String(seconds - 1),
    '9'.repeat(400),
    '1s'.repeat(1000),
  ])('"%s" is ignored', (value) => {
    expect(wait({ 'retry-after': value })).toBeUndefined()
  })

  it('retry-after-ms is finer, unless it is nonsense', () => {
    expect(wait({ 'retry-after-ms': '1740', 'retry-after': '2' })).toBe(1740)
    expect(wait({ 'retry-after-ms': '-1', 'retry-after': '2' })).toBe(2000)
    expect(wait({ 'retry-after-ms': '5s', 'retry-after': '2' })).toBe(2000)
    expect(wait({ 'retry-after-ms': '0.25' })).toBe(1)
  })
})

describe('resets', () => {
  it('of the exhausted dimension', () => {
    const headers = {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '6m0s',
      'x-ratelimit-remaining-tokens': '100',
      'x-ratelimit-reset-tokens': '2h',
    }
    expect(wait(headers)).toBe(360_000)
    expect(wait({ ...headers, 'x-ratelimit-remaining-tokens': '0' })).toBe(7_200_000)
    expect(wait({ ...headers, 'x-ratelimit-remaining-requests': '1' })).toBeUndefined()
    expect(wait({ ...headers, 'x-ratelimit-reset-requests': 'soon' })).toBeUndefined()
    expect(wait({ ...headers, 'retry-after': '3' })).toBe(3000)
  })

  it.each([
    [
      {
        'anthropic-ratelimit-input-tokens-remaining': '0',
        'anthropic-ratelimit-input-tokens-reset': '2026-11-23T12:00:10Z',
      },
      10_000,
    ],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String((seconds + 60) * 1000) }, 60_000],
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '5' }, 5000],
    [{ 'x-ratelimit-remaining-tokens-minute': '0', 'x-ratelimit-reset-tokens-minute': '5.25' }, 5250],
    [
      {
        'anthropic-ratelimit-unified-status': 'rejected',
        'anthropic-ratelimit-unified-reset': String(seconds + 60),
      },
      60_000,
    ],
    [
      {
        'anthropic-ratelimit-unified-status': 'rejected',
        'anthropic-ratelimit-unified-reset': String(seconds + 60),
        'anthropic-ratelimit-unified-5h-status': 'rejected',
        'anthropic-ratelimit-unified-5h-reset': String(seconds + 600),
        'anthropic-ratelimit-unified-7d-status': 'allowed',
        'anthropic-ratelimit-unified-7d-reset': String(seconds + 6000),
      },
      600_000,
    ],
  ])('%j', (headers, ms) => {
    expect(wait(headers)).toBe(ms)
  })

  it('tells a subscription’s window from others', () => {
    const rejected = readHeaders({ 'Anthropic-RateLimit-Unified-Status': 'Rejected' })
    expect(rejectedWindow(rejected)).toBe('account')
    expect(rejectedWindow(readHeaders({ 'anthropic-ratelimit-unified-status': 'allowed' }))).toBeUndefined()
  })

  it.each([
    [{ '5h-status': 'rejected', '7d-status': 'allowed' }, 'account'],
    [{ '7d-status': 'rejected', '7d_opus-status': 'rejected' }, 'account'],
    [{ '5h-status': 'allowed', '7d-status': 'allowed', '7d_opus-status': 'rejected' }, 'class'],
    [{ 'representative-claim': 'five_hour' }, 'account'],
    [{ 'representative-claim': 'seven_day' }, 'account'],
    [{ 'representative-claim': 'seven_day_opus' }, 'class'],
    [{ 'representative-claim': 'seven_day_sonnet', '5h-status': 'allowed' }, 'class'],
  ])('and one of a class of models from one of the account: %j', (windows, what) => {
    const named = Object.entries(windows).map(([name, value]) => [
      `anthropic-ratelimit-unified-${name}`,
      value,
    ])
    const headers = { 'anthropic-ratelimit-unified-status': 'rejected', ...Object.fromEntries(named) }
    expect(rejectedWindow(readHeaders(headers))).toBe(what)
  })
})

describe('a wait in words', () => {
  it.each([
    ['Please try again in 2.512s.', 2_512],
    ['Please try again in 7m12s. Visit https://x.test/limits', 432_000],
    ['Try again in 500ms', 500],
    ['Rate limit reached. Try again in 1h2m3s', 3_723_000],
    ['try again in 2 minutes', 120_000],
    ['Please retry after 33 seconds.', 33_000],
    ['Please retry in 40.025771073s.', 40_026],
    ['Resets in 4hr 59min', 17_940_000],
    ['Resets in 3 hours, 20 minutes and 5 seconds', 12_005_000],
    ['Your quota will reset after 120h45m2s.', LONGEST_WAIT_MS],
    ['Monthly usage limit reached. Resets in 16 days.', LONGEST_WAIT_MS],
    ['Please wait 20 seconds before trying again', 20_000],
    ['limit resets at 2026-11-23T12:10:00Z (2056)', 600_000],
    ['will reset at 2026-11-23 12:10:00 UTC', 600_000],
    ['Available again at 2026-11-23T14:10:00+02:00', 600_000],
    ['will reset at 2026-11-23 12:10', 600_000],
    // Times without a zone are the provider's own.
    ['您的限额将在 2026-11-23 20:10:00 重置。', 600_000],
    ['请在 30 秒后重试', 30_000],
    ['请 5 分钟后再试', 300_000],
  ])('%s', (words, ms) => {
    expect(wait({}, { words })).toBe(ms)
  })

  it.each([
    'The 20 second rule says: retry your life.',
    'Limit 450000, Used 379102, Requested 89741.',
    'try again later',
    'resets at 2020-01-01T00:00:00Z',
    'model released on 2026-12-24 10:00:00',
    `${'try again in '.repeat(400)}`,
    `${'retry'.repeat(20_000)}`,
    `${'1h'.repeat(30_000)}`,
  ])('none in: %#', (words) => {
    expect(wait({}, { words })).toBeUndefined()
  })

  it('headers go before it', () => {
    expect(wait({ 'retry-after': '3' }, { words: 'try again in 20s' })).toBe(3_000)
  })
})

describe('a quota per day', () => {
  const until = (at: string): number | undefined =>
    statedWait(readHeaders({ 'retry-after': '28' }), {
      waits: {},
      quotas: ['generate requests per day per project per model free tier '],
      isLong: false,
      now: new Date(at),
    })

  it.each([
    ['2026-11-27T12:00:00Z', '2026-11-28T08:00:00Z'],
    ['2026-11-28T07:59:59Z', '2026-11-28T08:00:00Z'],
    ['2026-11-28T08:00:00Z', '2026-11-29T08:00:00Z'],
    ['2026-07-01T06:59:00Z', '2026-07-01T07:00:00Z'],
    // The days on which clocks change have 23 and 25 hours.
    ['2026-03-08T09:00:00Z', '2026-03-09T07:00:00Z'],
    ['2026-11-01T08:00:00Z', '2026-11-02T08:00:00Z'],
    ['2026-12-31T23:00:00Z', '2027-01-01T08:00:00Z'],
  ])('at %s lasts until midnight in California, %s', (at, end) => {
    expect(until(at)).toBe(Math.min(Date.parse(end) - Date.parse(at), LONGEST_WAIT_MS))
  })
})

describe('structured fields', () => {
  it.each([
    ['"default";r=0;t=30', 30_000],
    ['"minute";r=5;t=10, "day";r=0;t=3600', 3_600_000],
    ['"default";r=0', undefined],
    ['"default";r=3;t=30', undefined],
    ['r=0;t=30', undefined],
  ])('%s', (ratelimit, ms) => {
    expect(wait({ ratelimit })).toBe(ms)
  })
})

describe('the body’s waits', () => {
  it.each([
    [{ retryDelay: '36s' }, 36_000],
    [{ retryDelay: '1.250000000s' }, 1250],
    [{ retryDelay: { seconds: '36', nanos: 500_000_000 } }, 36_500],
    [{ resetsInSeconds: 5400 }, 5_400_000],
    [{ resetsInSeconds: '5400' }, 5_400_000],
    [{ resetsAt: seconds + 10 }, 10_000],
    [{ resetsAt: '2026-11-23T12:00:10Z' }, 10_000],
    [{ headers: { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': String((seconds + 5) * 1000) } }, 5000],
    [{ retryDelay: '36s', resetsInSeconds: 5 }, 36_000],
    [{ retryDelay: 'x', resetsInSeconds: 5 }, 5000],
  ])('%j', (waits, ms) => {
    expect(wait({}, waits)).toBe(ms)
    expect(wait({ 'retry-after': '1' }, waits)).toBe(1000)
  })

  it.each([
    { retryDelay: '-36s' },
    { retryDelay: 36 },
    { retryDelay: null },
    { retryDelay: { seconds: 'x' } },
    { retryDelay: {} },
    { resetsInSeconds: -5 },
    { resetsInSeconds: Number.NaN },
    { resetsInSeconds: Number.POSITIVE_INFINITY },
    { resetsInSeconds: {} },
    { resetsAt: 0 },
    { resetsAt: seconds - 5 },
    { headers: 'x' },
  ])('%j is ignored', (waits) => {
    expect(wait({}, waits)).toBeUndefined()
  })
})

it('is a whole number of milliseconds between 1 and 24 hours, or nothing', () => {
  const value = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.integer().map((n) => `${n}s`),
    fc.date().map(String),
  )
  fc.assert(
    fc.property(value, value, fc.anything(), (one, other, anything) => {
      const ms = statedWait(
        readHeaders({ 'retry-after': one, 'x-ratelimit-remaining-a': '0', 'x-ratelimit-reset-a': other }),
        {
          waits: { retryDelay: anything, resetsAt: anything, resetsInSeconds: anything, headers: anything },
          quotas: [],
          isLong: false,
          now,
        },
      )
      if (ms !== undefined) expect(Number.isInteger(ms) && ms >= 1 && ms <= LONGEST_WAIT_MS).toBe(true)
    }),
  )
})
