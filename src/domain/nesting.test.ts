import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JSON_NESTS, jsonOfDepth } from '../../test/support/nests.js'
import { isKeymuxError } from './errors.js'
import { parseJson } from './json-reader.js'
import { MAX_NESTING, nestsDeeply, parseFlatJson } from './nesting.js'

/** The same by recursion, on what was parsed. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

describe('nestsDeeply', () => {
  test('says of any JSON what walking through it says', () => {
    const texts = fc.oneof(
      fc.json({ maxDepth: 12 }),
      fc.json({ maxDepth: 12, stringUnit: fc.constantFrom('"', '\\', '[', '{', ']', '}', 'a') }),
    )
    fc.assert(
      fc.property(texts, fc.nat(12), (text, limit) => {
        expect(nestsDeeply(text, limit)).toBe(depthOf(JSON.parse(text)) > limit)
      }),
      { numRuns: 1_000 },
    )
  })

  test('never lets a deep value through that JSON.parse would read', () => {
    const pieces = fc.constantFrom('[', ']', '{"a":', '}', '"', '\\', ',', '1', '"x"', ' ')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), fc.nat(8), (parts, limit) => {
        const text = parts.join('')
        let value: unknown
        try {
          value = JSON.parse(text)
        } catch {
          return
        }
        expect(nestsDeeply(text, limit)).toBe(depthOf(value) > limit)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['quotes that do not end', `"${'['.repeat(1_000_000)}`, false],
    ['backslashes', `"${'\\'.repeat(1_000_001)}`, false],
    ['closing brackets', ']'.repeat(1_000_000), false],
    ['closing brackets before as many opening ones', `${']'.repeat(100)}${'['.repeat(100)}`, true],
    ['nothing', '', false],
  ])('takes %s', (_name, text, deep) => {
    expect(nestsDeeply(text)).toBe(deep)
  })
})

describe.each(JSON_NESTS)('%s', (_name, open, close) => {
  test('as deep as is allowed are read, and one level more is refused', () => {
    const allowed = jsonOfDepth(MAX_NESTING, open, close)
    expect(parseFlatJson(allowed)).toEqual(JSON.parse(allowed))
    expect(parseJson(allowed)).toEqual(JSON.parse(allowed))
    for (const depth of [MAX_NESTING + 1, 1_000, 1_000_000]) {
      const text = jsonOfDepth(depth, open, close)
      expect(() => parseFlatJson(text)).toThrow(RangeError)
      expect(() => parseJson(text)).toThrow('this is nested deeper than 64 levels')
      expect(() => parseFlatJson(open.repeat(depth))).toThrow(RangeError)
    }
  })
})

test('an import that nests deeply is told as what it is', () => {
  try {
    parseJson('['.repeat(1_000))
    expect.unreachable()
  } catch (error) {
    expect(isKeymuxError(error, 'invalid_import')).toBe(true)
  }
})
