import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { QuotaState, QuotaStatus, QuotaWindow } from '../domain/quota.js'
import { QuotaFacts } from './quota-facts.js'
import {
  currentQuota,
  headroomOf,
  isCurrent,
  mergeQuota,
  quotaEndMs,
  quotaKey,
  withReadings,
} from './quota-windows.js'

const START = Date.parse('2026-11-28T12:00:00Z')
const at = (seconds: number): Date => new Date(START + seconds * 1_000)

function window(fields: Partial<QuotaWindow>): QuotaWindow {
  return { dimension: 'requests', seenAt: at(0), ...fields }
}

const arbitraryWindow: fc.Arbitrary<QuotaWindow> = fc
  .record(
    {
      dimension: fc.oneof(fc.constantFrom('requests', 'tokens', '5h'), fc.integer({ max: 40 }).map(String)),
      model: fc.constantFrom('', 'm', 'claude-*opus*'),
      limit: fc.integer({ min: 1, max: 100 }),
      remaining: fc.integer({ min: 0, max: 100 }),
      utilization: fc.constantFrom(0, 0.5, 1),
      resetsAt: fc.integer({ min: 1, max: 600 }).map(at),
      seenAt: fc.integer({ min: 0, max: 20 }).map(at),
      status: fc.constantFrom<QuotaStatus>('allowed', 'rejected'),
    },
    { requiredKeys: ['dimension', 'seenAt'] },
  )
  .map((fields) => fields as QuotaWindow)
const state: fc.Arbitrary<QuotaState> = fc.record({
  epoch: fc.integer({ min: 0, max: 2 }),
  windows: fc.array(arbitraryWindow, { maxLength: 60 }),
})

describe('what two processes know together', () => {
  it('is the same whoever hears of what first, and however often', () => {
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(mergeQuota(a, b)).toEqual(mergeQuota(b, a))
        expect(mergeQuota(mergeQuota(a, b), c)).toEqual(mergeQuota(a, mergeQuota(b, c)))
        const once = mergeQuota(a, b)
        expect(mergeQuota(once, b)).toEqual(once)
        expect(mergeQuota(once, once)).toEqual(once)
        expect(mergeQuota(undefined, once)).toEqual(once)
      }),
    )
  })

  it('is for each dimension and model what was seen last, the less of two at one moment, 32 at most', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const { windows } = mergeQuota(a, b)
        const epoch = Math.max(a.epoch, b.epoch)
        const all = [a, b].filter((one) => one.epoch === epoch).flatMap((one) => one.windows)
        expect(windows.length).toBe(Math.min(32, new Set(all.map(quotaKey)).size))
        for (const kept of windows) {
          const rivals = all.filter((one) => quotaKey(one) === quotaKey(kept) && one.seenAt >= kept.seenAt)
          expect(rivals.every((one) => one.seenAt.getTime() === kept.seenAt.getTime())).toBe(true)
          expect(headroomOf(kept) ?? 1).toBe(Math.min(...rivals.map((one) => headroomOf(one) ?? 1)))
        }
      }),
    )
  })
})

describe('what an answer adds', () => {
  it('is what a merge makes of it', () => {
    const answer = fc.record({
      seconds: fc.integer({ min: 0, max: 25 }),
      windows: fc.uniqueArray(arbitraryWindow, { maxLength: 5, selector: quotaKey }),
    })
    fc.assert(
      fc.property(
        fc.option(state, { nil: undefined }),
        fc.integer({ min: 0, max: 2 }),
        answer,
        (known, epoch, said) => {
          const kept = known && mergeQuota(known, undefined)
          const windows = said.windows.map((one) => ({ ...one, seenAt: at(said.seconds) }))
          expect(withReadings(kept, epoch, windows)).toEqual(mergeQuota(kept, { epoch, windows }))
        },
      ),
    )
  })
})

describe('a window', () => {
  it('is over at its reset, or after the time that its name says', () => {
    expect(quotaEndMs(window({ resetsAt: at(7) }))).toBe(START + 7_000)
    expect(quotaEndMs(window({ dimension: 'tokens-day' }))).toBe(START + 86_400_000)
    expect(quotaEndMs(window({ dimension: 'tokens' }))).toBe(START + 60_000)
    expect(isCurrent(window({ resetsAt: at(7) }), START + 6_999)).toBe(true)
    expect(isCurrent(window({ resetsAt: at(7) }), START + 7_000)).toBe(false)
  })

  it('that a clock ahead has read says nothing', () => {
    expect(isCurrent(window({ seenAt: at(301), resetsAt: at(900) }), START)).toBe(false)
    expect(isCurrent(window({ seenAt: at(300), resetsAt: at(900) }), START)).toBe(true)
  })

  it('has a share that is left, or none that is known, which is not zero', () => {
    expect(headroomOf(window({ limit: 10, remaining: 4 }))).toBe(0.4)
    expect(headroomOf(window({ limit: 10, remaining: 40 }))).toBe(1)
    expect(headroomOf(window({ utilization: 0.25 }))).toBe(0.75)
    expect(headroomOf(window({ remaining: 0 }))).toBe(0)
    expect(headroomOf(window({ remaining: 5 }))).toBeUndefined()
    expect(headroomOf(window({ utilization: 0.2, status: 'rejected' }))).toBe(0)
  })

  it('is listed while it says something, the tightest first', () => {
    const windows = [
      window({ dimension: 'a', utilization: 0.2, resetsAt: at(9) }),
      window({ dimension: 'b', utilization: 0.9, resetsAt: at(9) }),
      window({ dimension: 'over', utilization: 1, resetsAt: at(1) }),
    ]
    const listed = currentQuota({ epoch: 0, windows }, at(2)).map(({ dimension }) => dimension)
    expect(listed).toEqual(['b', 'a'])
    expect(currentQuota(undefined, at(2))).toEqual([])
  })
})

describe('what windows come to', () => {
  const facts = (windows: QuotaWindow[], reserve = 0): QuotaFacts => new QuotaFacts(windows, START, reserve)
  const later = at(600)

  it('is the least that is left, in twentieths, for the model that is asked', () => {
    const known = facts([
      window({ dimension: '5h', utilization: 0.2, resetsAt: later }),
      window({ model: 'gpt-4o', limit: 100, remaining: 41, resetsAt: later }),
      window({ model: 'claude-*opus*', utilization: 0.99, resetsAt: later }),
      window({ model: 'gone', remaining: 0, resetsAt: at(-1) }),
    ])
    expect(known.rank('other').level).toBe(16)
    expect(known.rank('gpt-4o').level).toBe(9)
    expect(known.rank('claude-opus-4-1').level).toBe(1)
    expect(known.rank('claude-sonnet-4-5').level).toBe(16)
    expect(known.rank(undefined).level).toBe(1)
    expect(facts([]).rank('m')).toEqual({ isReserved: false })
    expect(known.models).toEqual(['claude-*opus*', 'gpt-4o'])
  })

  it('keeps a share in reserve, and whoever pays for more last', () => {
    const tenth = [window({ limit: 10, remaining: 1, resetsAt: later })]
    expect(facts(tenth).rank('m').isReserved).toBe(false)
    expect(facts(tenth, 9.9).rank(undefined).isReserved).toBe(false)
    expect(facts(tenth, 10).rank(undefined).isReserved).toBe(true)
    expect(facts([window({ status: 'overage', resetsAt: later })]).rank('m').isReserved).toBe(true)
  })

  it('sets the profile or a model aside, until the last of those ends that say so', () => {
    const known = facts([
      window({ dimension: '5h', resetsAt: later, asideUntil: at(60) }),
      window({ dimension: '7d', resetsAt: later, asideUntil: at(90) }),
      window({ dimension: 'tokens', model: 'm', resetsAt: later, asideUntil: at(30) }),
      window({ dimension: '7d_opus', model: 'claude-*opus*', resetsAt: later, asideUntil: at(40) }),
    ])
    expect(known.asideUntil).toEqual(at(90))
    expect(known.modelAsideUntil('m')).toEqual(at(30))
    expect(known.modelAsideUntil('claude-3-opus-20240229')).toEqual(at(40))
    expect(known.modelAsideUntil('claude-sonnet-4-5')).toBeUndefined()
    expect(known.nextChangeMs).toBe(START + 30_000)
  })
})
