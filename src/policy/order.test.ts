import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PROFILE_PREFERENCES } from '../domain/ports.js'
import { AUTH_MODES } from '../domain/profile.js'
import { compareBy, type OrderKey } from './order.js'

const plain: Omit<OrderKey, 'id' | 'name'> = {
  mode: 'api_key',
  priority: 0,
  valid: true,
  lastUsedMs: 0,
  lastGood: false,
}

function key(name: string, facts: Partial<OrderKey> = {}): OrderKey {
  return { ...plain, id: `openai:${name}`, name, ...facts }
}

function order(preference: (typeof PROFILE_PREFERENCES)[number], ...keys: OrderKey[]): string[] {
  return [...keys].sort(compareBy(preference)).map(({ name }) => name)
}

describe('default', () => {
  it('puts the profile named default first, then priority, then name', () => {
    const keys = [
      key('b', { priority: 1 }),
      key('c', { priority: 9 }),
      key('a', { priority: 1 }),
      key('default'),
    ]
    expect(order('default', ...keys)).toEqual(['default', 'c', 'a', 'b'])
  })
})

describe('valid', () => {
  it('puts valid ones first, whatever the priority', () => {
    expect(order('valid', key('a', { priority: 9, valid: false }), key('b'))).toEqual(['b', 'a'])
  })

  it('lets last good break ties between equals only: priority goes before it', () => {
    const good = key('z', { lastGood: true, lastUsedMs: 5 })
    expect(order('valid', good, key('a', { priority: 1 }))).toEqual(['a', 'z'])
    expect(order('valid', key('a', { lastUsedMs: 9 }), good)).toEqual(['z', 'a'])
    expect(order('valid', { ...good, valid: false }, key('a'))).toEqual(['a', 'z'])
  })

  it('then takes the most recently used, never used ones last, then the name', () => {
    const keys = [key('never'), key('old', { lastUsedMs: 1 }), key('new', { lastUsedMs: 2 }), key('also')]
    expect(order('valid', ...keys)).toEqual(['new', 'old', 'also', 'never'])
  })
})

describe('recent', () => {
  it('takes the most recently used, then priority, then name; last good has no say', () => {
    const keys = [
      key('never', { priority: 9, lastGood: true }),
      key('old', { lastUsedMs: 1 }),
      key('new', { lastUsedMs: 2 }),
      key('important', { lastUsedMs: 1, priority: 1 }),
    ]
    expect(order('recent', ...keys)).toEqual(['new', 'important', 'old', 'never'])
  })
})

describe('type', () => {
  it('takes oauth, token, api_key', () => {
    const keys = [key('k'), key('t', { mode: 'token' }), key('o', { mode: 'oauth' })]
    expect(order('type', ...keys)).toEqual(['o', 't', 'k'])
  })

  it('goes round by least recent use within a type: neither last good nor priority stop it', () => {
    const keys = [
      key('a', { lastUsedMs: 3, lastGood: true, priority: 5 }),
      key('b', { lastUsedMs: 1 }),
      key('c', { lastUsedMs: 2 }),
      key('d', { priority: 1 }),
      key('e'),
    ]
    expect(order('type', ...keys)).toEqual(['d', 'e', 'b', 'c', 'a'])
  })
})

const keys: fc.Arbitrary<OrderKey> = fc
  .record({
    provider: fc.constantFrom('openai', 'groq'),
    name: fc.constantFrom('default', 'a', 'b', '\u{1f600}', '\ufffd'),
    mode: fc.constantFrom(...AUTH_MODES),
    priority: fc.oneof(fc.integer({ min: -1, max: 1 }), fc.maxSafeInteger()),
    valid: fc.boolean(),
    lastUsedMs: fc.constantFrom(0, 1, 2, 1_700_000_000_000),
    lastGood: fc.boolean(),
  })
  .map(({ provider, ...facts }) => ({ ...facts, id: `${provider}:${facts.name}` }))

describe.each(PROFILE_PREFERENCES)('the order of %s', (preference) => {
  const compare = compareBy(preference)

  it('is total: reflexive, antisymmetric, transitive', () => {
    fc.assert(
      fc.property(keys, keys, keys, (a, b, c) => {
        expect(compare(a, { ...a })).toBe(0)
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0)
        if (a.id !== b.id) expect(compare(a, b)).not.toBe(0)
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 1000 },
    )
  })

  it('gives equal elements the same order, however they come in', () => {
    const list = fc.uniqueArray(keys, { selector: ({ id }) => id, maxLength: 10 })
    fc.assert(
      fc.property(list, fc.infiniteStream(fc.nat()), (original, randoms) => {
        const shuffled = original
          .map((item) => ({ item, at: randoms.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ item }) => item)
        expect(shuffled.sort(compare)).toEqual([...original].sort(compare))
      }),
    )
  })
})
