import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isKeymuxError } from '../domain/errors.js'
import { failurePattern, LONGEST_PATTERN, SEARCHED } from './pattern.js'

function refusal(source: string): string {
  try {
    failurePattern(source)
  } catch (error) {
    if (isKeymuxError(error, 'invalid_value')) return error.message
    throw error
  }
  return 'none'
}

describe('failurePattern', () => {
  test.each([
    ['quota of \\d+ tokens', 'Your QUOTA of 500 tokens is gone', true],
    ['(?-i)Quota', 'quota', false],
    ['^budget', 'the budget', false],
    ['额度(?:已)?用尽', '您的额度已用尽', true],
    ['\\bkey\\b', 'monkey', false],
    ['(?s)a.b', 'a\nb', true],
    ['\\p{Han}', 'kein Zeichen', false],
  ])('%s in %s: %s', (source, text, found) => {
    expect(failurePattern(source).test(text)).toBe(found)
    expect(failurePattern(source).source).toBe(source)
  })

  test.each([
    ['(a)\\1', /back-references/],
    ['(?P<n>a)\\k<n>', /back-references/],
    ['a(?=b)', /look-around/],
    ['a(?!b)', /look-around/],
    ['(?<=a)b', /look-around/],
    ['(?<!a)b', /look-around/],
    ['(?>a)b', /possessive/],
    ['a++', /possessive/],
    ['(', /no pattern that RE2 knows \(missing closing\)/],
    ['[z-a]', /no pattern that RE2 knows/],
    ['a{1001}', /no pattern that RE2 knows/],
    ['(?:(?:a{10}){10}){10}b', /too large/],
    ['', /1 to 500 characters/],
    ['a'.repeat(LONGEST_PATTERN + 1), /1 to 500 characters/],
  ])('%s is refused', (source, message) => {
    expect(refusal(source)).toMatch(message)
  })

  test('an escaped backslash before a digit is no back-reference', () => {
    expect(failurePattern('a\\\\1').test('a\\1')).toBe(true)
  })

  test('an error does not repeat the pattern: it may be a key in the wrong place', () => {
    expect(refusal('sk-proj-marker(')).not.toContain('marker')
  })

  test('a pattern that others need exponential time for ends', () => {
    expect(failurePattern('(?:a|a)*b').test('a'.repeat(100_000))).toBe(false)
    expect(failurePattern('(?:a+)+$').test(`${'a'.repeat(50_000)}!`)).toBe(true)
  })

  test('no more than the beginning of a text is searched', () => {
    const text = `${' '.repeat(SEARCHED)}needle`
    expect(failurePattern('needle').test(text)).toBe(false)
    expect(failurePattern('needle').test(text.slice(6))).toBe(true)
  })

  test('whatever is written, there is a pattern or invalid_value', () => {
    const pieces = fc.constantFrom(
      'a',
      '(',
      ')',
      '[',
      ']',
      '\\',
      '1',
      '*',
      '+',
      '?',
      '{',
      '}',
      ',',
      '|',
      '^',
      '.',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(pieces, { maxLength: 30 }).map((one) => one.join('')),
          fc.string({ unit: 'binary' }),
        ),
        fc.string({ unit: 'binary' }),
        (source, text) => {
          let pattern: ReturnType<typeof failurePattern>
          try {
            pattern = failurePattern(source)
          } catch (error) {
            expect(isKeymuxError(error, 'invalid_value')).toBe(true)
            return
          }
          expect(typeof pattern.test(text)).toBe('boolean')
        },
      ),
    )
  })

  test('agrees with RegExp where both know the syntax', () => {
    const letters = fc.constantFrom('a', 'b', '.', 'a*', 'b+', '(?:ab)', 'a|b', '[ab]', '[^a]', '\\d', 'c?')
    const sources = fc.array(letters, { minLength: 1, maxLength: 6 }).map((one) => one.join(''))
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' '), maxLength: 12 })
    fc.assert(
      fc.property(sources, texts, (source, text) => {
        expect(failurePattern(source).test(text)).toBe(new RegExp(source, 'i').test(text))
      }),
    )
  })
})
