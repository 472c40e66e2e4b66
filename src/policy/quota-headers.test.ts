import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { QuotaWindow } from '../domain/quota.js'
import { type QuotaHeaders, readQuota } from './quota-headers.js'

const NOW = new Date('2026-11-28T12:00:00Z')
const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1_000)
const DAY = 86_400

function read(
  headers: QuotaHeaders,
  options: { model?: string; good?: boolean } = { model: 'm' },
): QuotaWindow[] {
  return readQuota(headers, { now: NOW, good: true, ...options })
}

function one(headers: QuotaHeaders, options?: { model?: string; good?: boolean }): QuotaWindow | undefined {
  const windows = read(headers, options)
  expect(windows.length).toBeLessThan(2)
  return windows[0]
}

describe('what providers send with a good answer', () => {
  it('OpenAI: durations, of the model that was asked', () => {
    expect(
      read(
        {
          'x-ratelimit-limit-requests': '10000',
          'x-ratelimit-limit-tokens': '2000000',
          'x-ratelimit-remaining-requests': '9999',
          'x-ratelimit-remaining-tokens': '1999980',
          'x-ratelimit-reset-requests': '6ms',
          'x-ratelimit-reset-tokens': '6m0s',
          'x-request-id': 'req_1',
          'openai-processing-ms': '310',
        },
        { model: 'gpt-4o' },
      ),
    ).toEqual([
      {
        dimension: 'requests',
        model: 'gpt-4o',
        limit: 10_000,
        remaining: 9_999,
        resetsAt: at(0.006),
        seenAt: NOW,
      },
      {
        dimension: 'tokens',
        model: 'gpt-4o',
        limit: 2_000_000,
        remaining: 1_999_980,
        resetsAt: at(360),
        seenAt: NOW,
      },
    ])
  })

  it('Groq: requests of a day, tokens of a minute', () => {
    const [requests, tokens] = read({
      'x-ratelimit-limit-requests': '14400',
      'x-ratelimit-limit-tokens': '18000',
      'x-ratelimit-remaining-requests': '14370',
      'x-ratelimit-remaining-tokens': '17997',
      'x-ratelimit-reset-requests': '2m59.56s',
      'x-ratelimit-reset-tokens': '7.66s',
    })
    expect(requests).toMatchObject({ dimension: 'requests', remaining: 14_370, resetsAt: at(179.56) })
    expect(tokens).toMatchObject({ dimension: 'tokens', remaining: 17_997, resetsAt: at(7.66) })
  })

  it('Anthropic: RFC 3339, four dimensions', () => {
    const reset = '2026-11-28T12:01:00Z'
    const windows = read({
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': reset,
      'anthropic-ratelimit-tokens-limit': '48000',
      'anthropic-ratelimit-tokens-remaining': '47000',
      'anthropic-ratelimit-tokens-reset': reset,
      'anthropic-ratelimit-input-tokens-limit': '40000',
      'anthropic-ratelimit-input-tokens-remaining': '39000',
      'anthropic-ratelimit-input-tokens-reset': reset,
      'anthropic-ratelimit-output-tokens-limit': '8000',
      'anthropic-ratelimit-output-tokens-remaining': '8000',
      'anthropic-ratelimit-output-tokens-reset': reset,
    })
    expect(windows.map(({ dimension, remaining }) => [dimension, remaining])).toEqual([
      ['requests', 49],
      ['tokens', 47_000],
      ['input-tokens', 39_000],
      ['output-tokens', 8_000],
    ])
    for (const window of windows) expect(window).toMatchObject({ resetsAt: at(60), model: 'm' })
  })

  it('a Claude plan: windows of the account, and of a class of models', () => {
    const fiveHours = NOW.getTime() / 1_000 + 2_520
    const sevenDays = NOW.getTime() / 1_000 + 3 * DAY
    expect(
      read({
        'anthropic-ratelimit-unified-status': 'allowed_warning',
        'anthropic-ratelimit-unified-reset': String(fiveHours),
        'anthropic-ratelimit-unified-representative-claim': 'five_hour',
        'anthropic-ratelimit-unified-fallback-percentage': '0.5',
        'anthropic-ratelimit-unified-5h-status': 'allowed_warning',
        'anthropic-ratelimit-unified-5h-reset': String(fiveHours),
        'anthropic-ratelimit-unified-5h-utilization': '0.83',
        'anthropic-ratelimit-unified-7d-status': 'allowed',
        'anthropic-ratelimit-unified-7d-reset': String(sevenDays),
        'anthropic-ratelimit-unified-7d-utilization': '0.3',
        'anthropic-ratelimit-unified-7d_opus-status': 'rejected',
        'anthropic-ratelimit-unified-7d_opus-reset': String(sevenDays),
        'anthropic-ratelimit-unified-7d_opus-utilization': '1.01',
        'anthropic-ratelimit-unified-overage-status': 'rejected',
        'anthropic-ratelimit-unified-overage-disabled-reason': 'org_level_disabled',
      }),
    ).toEqual([
      { dimension: '5h', utilization: 0.83, resetsAt: at(2_520), seenAt: NOW, status: 'warning' },
      { dimension: '7d', utilization: 0.3, resetsAt: at(3 * DAY), seenAt: NOW, status: 'allowed' },
      {
        dimension: '7d_opus',
        model: 'claude-*opus*',
        utilization: 1,
        resetsAt: at(3 * DAY),
        seenAt: NOW,
        status: 'rejected',
        asideUntil: at(3 * DAY),
      },
    ])
  })

  it('a Claude plan without windows of its own: what the claim names', () => {
    const rejected = {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(NOW.getTime() / 1_000 + 600),
    }
    expect(one(rejected)).toMatchObject({ dimension: 'unified', asideUntil: at(600) })
    const claim = 'anthropic-ratelimit-unified-representative-claim'
    expect(one({ ...rejected, [claim]: 'seven_day' })?.dimension).toBe('7d')
    expect(one({ ...rejected, [claim]: 'seven_day_opus' })).toMatchObject({
      dimension: '7d_opus',
      model: 'claude-*opus*',
    })
    expect(read({ ...rejected, 'anthropic-ratelimit-unified-status': 'allowed' })).toEqual([])
  })

  it('a Claude plan that is used up and goes on for money: it is left, and not left alone', () => {
    const window = one({
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-5h-status': 'rejected',
      'anthropic-ratelimit-unified-5h-utilization': '1',
      'anthropic-ratelimit-unified-5h-reset': String(NOW.getTime() / 1_000 + 600),
      'anthropic-ratelimit-unified-overage-status': 'allowed',
    })
    expect(window).toMatchObject({ status: 'overage', utilization: 1 })
    expect(window?.asideUntil).toBeUndefined()
  })

  it('Codex: windows called by their length, and what a model has of its own', () => {
    expect(
      read({
        'x-codex-primary-used-percent': '42.5',
        'x-codex-primary-window-minutes': '300',
        'x-codex-primary-reset-after-seconds': '7200',
        'x-codex-secondary-used-percent': '100',
        'x-codex-secondary-window-minutes': '10080',
        'x-codex-secondary-reset-at': String(NOW.getTime() / 1_000 + 20 * DAY),
        'x-codex-bengalfox-primary-used-percent': '3',
        'x-codex-bengalfox-primary-reset-after-seconds': '60',
        'x-codex-bengalfox-limit-name': 'gpt-5.3-codex-spark',
        'x-codex-other-primary-used-percent': '3',
        'x-codex-credits-has-credits': 'false',
      }),
    ).toEqual([
      { dimension: '5h', utilization: 0.425, resetsAt: at(7_200), seenAt: NOW },
      // A window of a subscription is believed for eight days.
      { dimension: '7d', utilization: 1, resetsAt: at(20 * DAY), seenAt: NOW, asideUntil: at(8 * DAY) },
      {
        dimension: 'primary',
        model: 'gpt-5.3-codex-spark',
        utilization: 0.03,
        resetsAt: at(60),
        seenAt: NOW,
      },
    ])
  })

  it('Codex: credits go on where the plan ends, and a plan that has no second window has none', () => {
    const windows = read({
      'x-codex-primary-used-percent': '100',
      'x-codex-primary-reset-after-seconds': '60',
      'x-codex-secondary-used-percent': '0',
      'x-codex-secondary-window-minutes': '0',
      'x-codex-credits-has-credits': 'True',
    })
    expect(windows).toEqual([
      { dimension: 'primary', utilization: 1, resetsAt: at(60), seenAt: NOW, status: 'overage' },
    ])
  })

  it('OpenRouter: unix time in milliseconds, without a dimension', () => {
    expect(
      one({
        'X-RateLimit-Limit': '20',
        'X-RateLimit-Remaining': '0',
        'X-RateLimit-Reset': String(NOW.getTime() + 30_000),
      }),
    ).toEqual({
      dimension: 'requests',
      model: 'm',
      limit: 20,
      remaining: 0,
      resetsAt: at(30),
      seenAt: NOW,
      asideUntil: at(30),
    })
  })

  it('Mistral and Cerebras: the period in the name', () => {
    expect(
      read({
        'x-ratelimit-limit-req-minute': '60',
        'x-ratelimit-remaining-req-minute': '59',
        'x-ratelimitbysize-limit-minute': '500000',
        'x-ratelimitbysize-remaining-minute': '499000',
        'x-ratelimit-remaining-tokens-day': '1000',
        'x-ratelimit-limit-tokens-day': '2000',
        'x-ratelimit-reset-tokens-day': '33011.382867',
      }).map(({ dimension, limit, remaining }) => [dimension, limit, remaining]),
    ).toEqual([
      ['req-minute', 60, 59],
      ['size-minute', 500_000, 499_000],
      ['tokens-day', 2_000, 1_000],
    ])
  })

  it('the fields of the IETF draft, today’s and the older ones', () => {
    expect(
      read({
        RateLimit: '"burst, too";r=0;t=5, "day";r=12.0;t=3600',
        'RateLimit-Policy': '"burst, too";q=10;w=1, "day";q=100;w=86400;qu="requests"',
      }),
    ).toEqual([
      {
        dimension: 'requests',
        model: 'm',
        limit: 10,
        remaining: 0,
        resetsAt: at(5),
        seenAt: NOW,
        asideUntil: at(5),
      },
      { dimension: 'day', model: 'm', limit: 100, remaining: 12, resetsAt: at(3_600), seenAt: NOW },
    ])
    expect(one({ ratelimit: 'limit=100, remaining=50, reset=5' })).toMatchObject({
      limit: 100,
      remaining: 50,
      resetsAt: at(5),
    })
    expect(
      one({ 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '7', 'ratelimit-reset': '9' }),
    ).toMatchObject({ limit: 100, remaining: 7, resetsAt: at(9) })
  })
})

describe('what is used up', () => {
  const nothingLeft = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '30s' }

  it('is left alone until its reset after a good answer, not after a refusal, which has its own wait', () => {
    expect(one(nothingLeft)?.asideUntil).toEqual(at(30))
    expect(one(nothingLeft, { good: false })).toMatchObject({ remaining: 0 })
    expect(one(nothingLeft, { good: false })?.asideUntil).toBeUndefined()
  })

  it('is left alone for a day at most, and not at all where no reset is known', () => {
    const month = { ...nothingLeft, 'x-ratelimit-reset-requests': '20d' }
    expect(one(month)).toMatchObject({ resetsAt: at(20 * DAY), asideUntil: at(DAY) })
    expect(one({ 'x-ratelimit-remaining-requests': '0' })?.asideUntil).toBeUndefined()
  })

  it('is the model’s that was asked; of requests without one where none was, and nobody’s of a glob', () => {
    expect(one(nothingLeft, {})?.model).toBe('')
    expect(read(nothingLeft, { model: 'gpt-*' })).toEqual([])
    expect(read(nothingLeft, { model: 'm'.repeat(300) })).toEqual([])
  })
})

describe('nonsense', () => {
  const good = { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '59' }

  it.each([
    ['a negative number', { 'x-ratelimit-remaining-requests': '-1' }],
    ['no number', { 'x-ratelimit-remaining-requests': 'NaN' }],
    ['infinity', { 'x-ratelimit-remaining-requests': 'Infinity' }],
    ['an exponent', { 'x-ratelimit-remaining-requests': '1e3' }],
    ['nothing', { 'x-ratelimit-remaining-requests': '' }],
    ['a limit alone', { 'x-ratelimit-limit-requests': '60' }],
    ['no limit at all', { 'x-ratelimit-limit-requests': '0', 'x-ratelimit-remaining-requests': '0' }],
    ['a reset alone', { 'x-ratelimit-reset-requests': '6s' }],
    ['a reset that is past', { ...good, 'x-ratelimit-reset-requests': '2026-11-28T11:59:59Z' }],
    ['a reset of nothing', { ...good, 'x-ratelimit-reset-requests': '0s' }],
    ['a negative share', { 'anthropic-ratelimit-unified-5h-utilization': '-0.5' }],
    ['no share', { 'anthropic-ratelimit-unified-5h-utilization': 'much' }],
    ['an unknown status', { 'anthropic-ratelimit-unified-5h-status': 'perhaps' }],
    ['a thousand and one percent', { 'x-codex-primary-used-percent': '1001' }],
    ['a field of rubbish', { ratelimit: '";;,,=;r=;t="' }],
  ])('is left out: %s', (_what, headers) => {
    expect(read(headers)).toEqual([])
  })

  it('of a reset leaves the rest: the year 9999, or a word', () => {
    for (const reset of ['9999-12-31T23:59:59Z', '99999999999999', 'soon']) {
      expect(one({ ...good, 'x-ratelimit-reset-requests': reset })).toEqual({
        dimension: 'requests',
        model: 'm',
        limit: 60,
        remaining: 59,
        seenAt: NOW,
      })
    }
  })

  it('never makes more of a share than all of it', () => {
    const share = { 'anthropic-ratelimit-unified-5h-utilization': '7' }
    expect(one(share)?.utilization).toBe(1)
  })

  it('takes the first of a header that comes a hundred times, and of a thousand dimensions the first 32', () => {
    const many = Array.from({ length: 100 }, (_, index) => [
      'x-ratelimit-remaining-requests',
      String(index + 5),
    ])
    expect(one(many.flat())?.remaining).toBe(5)
    const wide = Array.from({ length: 1_000 }, (_, index) => [`x-ratelimit-remaining-d${index}`, '1'])
    expect(read(wide.flat())).toHaveLength(32)
  })

  it('reads headers however they come', () => {
    const expected = [expect.objectContaining({ remaining: 59, limit: 60 })]
    expect(read(good)).toEqual(expected)
    expect(read(new Headers(good))).toEqual(expected)
    expect(read(Object.entries(good).flat())).toEqual(expected)
    expect(read({ 'X-RateLimit-Remaining-Requests': ['59', '3'], 'x-ratelimit-limit-requests': 60 })).toEqual(
      expected,
    )
  })

  it('does not throw, whatever it is given', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'x-ratelimit-remaining-requests',
        'x-ratelimit-reset',
        'ratelimit',
        'ratelimit-policy',
        'anthropic-ratelimit-unified-5h-utilization',
        'anthropic-ratelimit-unified-7d_opus-status',
        'anthropic-ratelimit-tokens-remaining',
        'x-codex-primary-used-percent',
        'x-codex-primary-reset-at',
      ),
      fc.string(),
    )
    const value = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.double().map(String),
      fc.date().map(String),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        for (const window of read(pairs.flat())) {
          for (const field of [window.limit, window.remaining, window.utilization]) {
            expect(field === undefined || (field >= 0 && Number.isFinite(field))).toBe(true)
          }
          expect(window.resetsAt === undefined || window.resetsAt > NOW).toBe(true)
        }
      }),
    )
    for (const odd of [null, undefined, 7, 'x', [null, {}], new Proxy({}, { ownKeys: () => ['a', 'a'] })]) {
      expect(read(odd as never)).toEqual([])
    }
  })

  it('takes linear time', () => {
    const begin = performance.now()
    read({
      ratelimit: `"${'\\"'.repeat(50_000)}`,
      'x-ratelimit-reset-requests': '1m'.repeat(50_000),
      ...good,
    })
    expect(performance.now() - begin).toBeLessThan(1_000)
  })
})
