import fc from 'fast-check'
import { expect, test } from 'vitest'
import { elements, isKey, members, startOf, stringAt } from './json-walk.js'

test('finds the members of an object and the elements of an array, as a parser does', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())),
      fc.nat(2),
      (value, indent) => {
        const body = Buffer.from(JSON.stringify(value, undefined, indent))
        const start = startOf(body)
        const read = (from: number, to: number): unknown => JSON.parse(body.toString('utf8', from, to))
        expect([...elements(body, start)].map((one) => read(one.start, one.end))).toEqual(
          Array.isArray(value) ? JSON.parse(JSON.stringify(value)) : [],
        )
        const found = [...members(body, start)]
        const names = found.map(({ keyStart, keyEnd }) =>
          stringAt(body, keyStart, keyEnd, Number.POSITIVE_INFINITY),
        )
        expect(names).toEqual(Array.isArray(value) ? [] : Object.keys(value))
        for (const [index, one] of found.entries()) {
          const name = names[index] ?? ''
          expect(read(one.start, one.end)).toEqual(JSON.parse(JSON.stringify(Reflect.get(value, name))))
          if (/^[\x20-\x7e]{1,200}$/.test(name)) expect(isKey(body, one, name)).toBe(true)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('reads what is broken as far as it goes, and no further', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', 'a', ' ') }),
      (text) => {
        const body = Buffer.from(text)
        for (const one of [...members(body, 0), ...elements(body, 0)]) {
          expect(one.end).toBeLessThanOrEqual(body.length)
          expect(one.start).toBeLessThanOrEqual(one.end)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
