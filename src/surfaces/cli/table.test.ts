import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Column, renderTable } from './table.js'
import { displayWidth, pad, truncate } from './width.js'

describe('display width', () => {
  it.each([
    ['', 0],
    ['plain', 5],
    ['Zoë', 3],
    ['Zoe\u0308', 3],
    ['日本語', 6],
    ['ｆｕｌｌ', 8],
    ['한국어', 6],
    ['\u1112\u1161\u11ab', 2],
    ['👍', 2],
    ['👍🏽', 2],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['1️⃣', 2],
    ['✓', 1],
    ['⚠', 1],
    ['⊘', 1],
    ['a\u200cb', 2],
    ['हिन्दी', 5],
    ['مرحبا', 5],
  ])('%j takes %i cells', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it('truncates between characters, by cells', () => {
    expect(truncate('日本語テキスト', 7)).toBe('日本語…')
    expect(truncate('日本語テキスト', 8)).toBe('日本語…')
    expect(truncate('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 5)).toBe('👩‍👩‍👧👩‍👩‍👧…')
    expect(truncate('hello world', 7)).toBe('hello…')
    expect(truncate('abc', 3)).toBe('abc')
    expect(truncate('abc', 1)).toBe('…')
    expect(truncate('abc', 0)).toBe('')
    expect(pad('日本', 6)).toBe('日本  ')
    expect(pad('7', 3, 'right')).toBe('  7')
  })

  it('never exceeds what it was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 0, max: 40 }), (text, width) => {
        expect(displayWidth(truncate(text, width))).toBeLessThanOrEqual(width)
        expect(displayWidth(pad(text, width))).toBeGreaterThanOrEqual(width)
      }),
    )
  })
})

describe('tables', () => {
  const columns: readonly Column[] = [
    { header: 'ID', keep: true },
    { header: 'E-MAIL' },
    { header: 'N', align: 'right', keep: true },
    { header: 'ERROR', droppable: true },
  ]
  const plain = (text: string): string => text

  it('line up, and leave out columns that nobody fills', () => {
    const rows = [
      ['openai:work', '', '5', ''],
      ['gemini:日本', '', '12', ''],
    ]
    expect(renderTable(columns, rows, { header: plain })).toBe(
      'ID            N\nopenai:work   5\ngemini:日本  12',
    )
  })

  it('cut what may be cut, never an id, and drop what does not fit at all', () => {
    const id = 'openai:a-long-name-that-somebody-chose'
    const rows = [
      [id, 'somebody@a-very-long-domain.example.com', '5', 'quota exceeded for this month and the next'],
    ]
    const wide = renderTable(columns, rows, { width: 200 })
    expect(wide).not.toContain('…')
    const medium = renderTable(columns, rows, { width: 80 })
    expect(medium).toContain(id)
    expect(medium).toContain('…')
    expect(displayWidth(medium)).toBeLessThanOrEqual(80)
    const narrow = renderTable(columns, rows, { width: 50 })
    expect(narrow).toContain(id)
    expect(narrow).not.toContain('quota')
    expect(renderTable(columns, rows, { width: 10 })).toContain(id)
  })

  it('paint the text, not the space around it', () => {
    const paint = (text: string): string => `<${text}>`
    expect(
      renderTable(columns, [
        ['x', { text: 'me', paint }, '5'],
        ['y', { text: 'them', paint }, '6'],
      ]),
    ).toBe('x  <me>    5\ny  <them>  6')
  })

  it('make stored text printable', () => {
    expect(renderTable(columns, [['x', '\u001b[31mme\n', '5']])).toBe('x  \\u001b[31mme\\n  5')
  })

  it('fit at every width that holds what must be kept', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 30 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 40, max: 200 }),
        (rows, width) => {
          const table = renderTable([{ header: 'A' }, { header: 'B' }], rows, { width, header: plain })
          for (const line of table.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width)
        },
      ),
    )
  })
})
