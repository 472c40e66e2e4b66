import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareText } from './text-order.js'

it('orders by code point, as the bytes of UTF-8 do', () => {
  const texts = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    {
      examples: [
        ['\u{1f600}', '\ufffd'],
        ['\ue000', '\u{10000}'],
        ['a', 'ab'],
        ['', '\0'],
        ['ä', 'z'],
      ],
    },
  )
})
