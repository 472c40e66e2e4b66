import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, printableJson } from './printable.js'

describe('printable', () => {
  it.each([
    ['plain text', 'plain text'],
    ['Zoë 日本 👩‍👩‍👧', 'Zoë 日本 👩‍👩‍👧'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
    ['\u009b31m', '\\u009b31m'],
    ['\u007f', '\\u007f'],
    ['user\u202egnp.exe', 'user\\u202egnp.exe'],
    ['\u2066x\u2069', '\\u2066x\\u2069'],
    ['line\u2028sep', 'line\\u2028sep'],
    ['\ud800', '\\ud800'],
    ['\ufeffbom', '\\ufeffbom'],
  ])('%j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  it('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })
})

describe('printableJson', () => {
  it('gives the same document without raw control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, pretty) => {
        const shown = printableJson(JSON.stringify({ [text]: text }, null, pretty ? 2 : 0))
        expect(JSON.parse(shown)).toEqual({ [text]: text })
        expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
      }),
    )
  })
})
