import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { modelAllowed } from './model-globs.js'

describe('modelAllowed', () => {
  it.each([
    [undefined, 'gpt-4o', true],
    [[], 'gpt-4o', true],
    [['*'], 'gpt-4o', true],
    [['*'], '', true],
    [['gpt-4*'], 'gpt-4o-mini', true],
    [['gpt-4*'], 'gpt-4', true],
    [['gpt-4*'], 'gpt-3.5', false],
    [['gpt-4'], 'gpt-4o', false],
    [['gpt-4o'], 'gpt-4', false],
    [['*-mini'], 'gpt-4o-mini', true],
    [['*-mini'], 'gpt-4o-mini-2024', false],
    [['claude-*-4-*'], 'claude-sonnet-4-20250514', true],
    [['o?'], 'o3', true],
    [['o?'], 'o', false],
    [['o?'], 'o3-mini', false],
    [['???'], 'abc', true],
    [['*?'], '', false],
    [['GPT-4O'], 'gpt-4o', true],
    [['gpt-4o'], 'GPT-4o', true],
    [['a', 'b*'], 'bcd', true],
    [[''], '', true],
    [[''], 'a', false],
    [['gpt-3.5'], 'gpt-3x5', false],
    [['[a-z]*'], 'gpt', false],
    [['(a|b)+$'], 'a', false],
    [['models/*'], 'models/gemini/x', true],
    [['?'], '\u{1f600}', true],
    [['??'], '\u{1f600}', false],
    [['*?x'], '\u{1f600}x', true],
  ])('%j lets %s through: %s', (globs, model, expected) => {
    expect(modelAllowed(globs, model)).toBe(expected)
  })

  it('does not blow up on many stars', () => {
    const glob = `${'*a'.repeat(500)}*b`
    expect(modelAllowed([glob], 'a'.repeat(100_000))).toBe(false)
    expect(modelAllowed([glob], `${'a'.repeat(100_000)}b`)).toBe(true)
    expect(modelAllowed(['*'.repeat(100_000)], 'x'.repeat(100_000))).toBe(true)
  })

  it('agrees with a plain recursive definition', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'A'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, name, (glob, model) => {
        expect(modelAllowed([glob], model)).toBe(plain(glob, model.toLowerCase()))
      }),
      { numRuns: 2000 },
    )
  })
})

function plain(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob.startsWith('*')) return plain(glob.slice(1), text) || (text !== '' && plain(glob, text.slice(1)))
  return text !== '' && (glob[0] === '?' || glob[0] === text[0]) && plain(glob.slice(1), text.slice(1))
}
