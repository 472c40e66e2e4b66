import { describe, expect, it } from 'vitest'
import type { Explanation } from '../../../domain/explanation.js'
import type { ProfileView } from '../../../domain/profiles.js'
import type { QuotaWindow } from '../../../domain/quota.js'
import { createStyle } from '../style.js'
import { displayWidth } from '../width.js'
import { explanationJson, renderExplanation } from './explanation.js'
import { quotaWords } from './quota.js'
import { renderShow } from './show.js'
import { renderStatus } from './status.js'

const NOW = new Date('2026-01-31T12:00:00Z')
const later = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000)
const style = createStyle(false)

const fiveHours: QuotaWindow = {
  dimension: '5h',
  utilization: 0.83,
  resetsAt: later(42),
  seenAt: NOW,
  status: 'warning',
}
const requests: QuotaWindow = {
  dimension: 'requests',
  model: 'gpt-4o',
  limit: 1_000,
  remaining: 420,
  resetsAt: later(6),
  seenAt: NOW,
}

function view(quota: readonly QuotaWindow[]): ProfileView {
  return {
    id: 'anthropic:work',
    provider: 'anthropic',
    name: 'work',
    mode: 'oauth',
    enabled: true,
    valid: true,
    expired: false,
    priority: 0,
    createdAt: NOW,
    updatedAt: NOW,
    state: 'available',
    modelCooldowns: [],
    errorCount: 0,
    failureCounts: {},
    lastGood: false,
    weight: 3,
    quota,
  }
}

describe('a limit in words', () => {
  it.each<[QuotaWindow, string]>([
    [fiveHours, '5h 83% used, resets in 42m'],
    [requests, 'gpt-4o requests 58% used, resets in 6m'],
    [{ ...fiveHours, status: 'overage', resetsAt: later(0.5) }, '5h used up, paid for beyond, resets in 30s'],
    [{ dimension: '7d_opus', model: 'claude-*opus*', utilization: 1, seenAt: NOW }, '7d_opus 100% used'],
    [
      { dimension: 'tokens', model: '', remaining: 7, seenAt: NOW, resetsAt: later(300) },
      'tokens 7 left, resets in 5h',
    ],
    [{ ...fiveHours, resetsAt: later(6 * 1_440) }, '5h 83% used, resets in 6d'],
  ])('%j', (window, words) => expect(quotaWords(window, NOW)).toBe(words))
})

describe('status', () => {
  const lines = (width: number, quota: readonly QuotaWindow[]): string[] =>
    renderStatus([view(quota)], { style, width, now: NOW }).split('\n')

  it('has a column for it where there is room, and a line below the profile where there is none', () => {
    expect(lines(200, [fiveHours, requests])[1]).toMatch(/available +5h 83% used, resets in 42m$/)
    for (const width of [60, 80]) {
      const shown = lines(width, [fiveHours, requests])
      expect(shown[2]).toMatch(/^ {5}5h +83% used +in 42m +reset$/)
      for (const line of shown) expect(displayWidth(line)).toBeLessThanOrEqual(width)
    }
    expect(lines(200, []).join('\n')).not.toContain('LEAST LEFT')
  })

  it('does not say twice what is left alone', () => {
    expect(lines(60, [{ ...requests, remaining: 0, asideUntil: later(6) }])[2]).toBe('')
  })
})

it('show has every limit, and the weight', () => {
  const shown = renderShow(view([fiveHours, requests]), { style, now: NOW })
  expect(shown).toMatch(/limit 5h +83% used, warning, resets in 42m \(seen just now\)/)
  expect(shown).toMatch(/limit gpt-4o requests +58% used, 420 of 1000 left, resets in 6m \(seen just now\)/)
  expect(shown).toMatch(/weight +3/)
})

describe('an explanation', () => {
  const base = { priority: 0, lastGood: false }
  const explanation: Explanation = {
    provider: 'openai',
    preference: 'quota',
    model: 'gpt-4o',
    pool: 'work',
    candidates: [
      { ...base, profileId: 'openai:a', place: 1, rule: 'named', state: 'available' },
      {
        ...base,
        profileId: 'openai:b',
        place: 2,
        rule: 'preference',
        state: 'available',
        priority: 5,
        left: 0.45,
      },
      { ...base, profileId: 'openai:c', place: 3, rule: 'reserve', state: 'available', left: 0.05 },
      { ...base, profileId: 'openai:d', place: 4, rule: 'behind', state: 'available' },
      { ...base, profileId: 'openai:e', place: 5, rule: 'presumed', state: 'disabled', reason: 'billing' },
      { ...base, profileId: 'openai:f', state: 'cooling', reason: 'quota', until: later(4) },
      { ...base, profileId: 'openai:g', state: 'disabled', reason: 'auth_permanent', until: later(5) },
      { ...base, profileId: 'openai:h', state: 'off' },
      { ...base, profileId: 'openai:i', state: 'other_pool' },
      { ...base, profileId: 'openai:j', state: 'not_allowed', reason: 'model' },
    ],
  }

  it('says the place of each candidate, and why it has that or none, in 60 columns', () => {
    const lines = renderExplanation(explanation, { style, width: 60, now: NOW }).split('\n')
    expect(lines).toEqual([
      'openai: order quota, model gpt-4o, pool work',
      '   PROFILE   WHY',
      '1  openai:a  named',
      '2  openai:b  priority 5, at most 45% left',
      '3  openai:c  kept in reserve, at most 5% left',
      '4  openai:d  its last answer broke off',
      '5  openai:e  set aside on a presumption: where nobody else can',
      '–  openai:f  nothing left, back in 4m',
      '–  openai:g  disabled: auth_permanent, back in 5m',
      '–  openai:h  switched off',
      '–  openai:i  of another pool',
      '–  openai:j  not allowed for the model',
    ])
  })

  it('says what each order goes by', () => {
    const one = {
      ...base,
      profileId: 'openai:default',
      place: 1,
      rule: 'preference',
      state: 'available',
    } as const
    const of = (preference: Explanation['preference'], more: object = {}): string | undefined =>
      renderExplanation(
        { provider: 'openai', preference, candidates: [{ ...one, ...more }] },
        { style, now: NOW },
      ).split('\n')[2]
    expect(of('valid', { lastGood: true, lastUsedAt: later(-3) })).toBe(
      '1  openai:default  last good, used 3m ago',
    )
    expect(of('default')).toBe('1  openai:default  named default, by name')
    expect(of('recent')).toBe('1  openai:default  never used')
    expect(of('quota')).toBe('1  openai:default  nothing known of its limits')
    expect(of('reset', { resetsAt: later(9) })).toBe('1  openai:default  resets in 9m')
    expect(of('weighted', { weight: 3 })).toBe('1  openai:default  weight 3, never used')
  })

  it('is JSON in snake_case', () => {
    expect(explanationJson({ ...explanation, candidates: explanation.candidates.slice(1, 2) })).toEqual({
      provider: 'openai',
      preference: 'quota',
      model: 'gpt-4o',
      pool: 'work',
      candidates: [
        {
          place: 2,
          profile_id: 'openai:b',
          rule: 'preference',
          state: 'available',
          priority: 5,
          last_good: false,
          left_percent: 45,
        },
      ],
    })
  })
})
