import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTolerantly } from './classify-json.js'

/** Without prototypes, as far as comparison goes. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

describe('parseTolerantly', () => {
  it.each<[string, unknown]>([
    ['{"a":1,"b":[true,null,"x"]}', { a: 1, b: [true, null, 'x'] }],
    ['{"a":1,"b":', { a: 1 }],
    ['{"a":1,"b', { a: 1 }],
    ['{"a":"cut o', { a: 'cut o' }],
    ['{"a":{"b":{"c":"d"', { a: { b: { c: 'd' } } }],
    ['[1,2,{"a":3', [1, 2, { a: 3 }]],
    ['{"a":"x\\n\\u00e9\\', { a: 'x\né' }],
    ['{"a":"x\\\\', { a: 'x\\' }],
    ['{"a":"x\\u00', { a: 'x' }],
    ['{"a":"x\\\\u00', { a: 'x\\u00' }],
    ['{"a":"line\nbreak"', { a: 'line\nbreak' }],
    ['{"a":tru', {}],
    ['{"a":12', { a: 12 }],
    ['{"a":1,}', { a: 1 }],
    ['{"a":1}{"b":2}', { a: 1 }],
    ['{"a":1 nonsense "b":2}', { a: 1 }],
    ["{'a':1}", {}],
    ['{"a" 1}', {}],
    ['[}', []],
    ['', undefined],
    ['nonsense', undefined],
  ])('%s', (text, value) => {
    expect(plain(parseTolerantly(text))).toEqual(value)
  })

  it('skips what is nested too deeply, and goes on behind it', () => {
    const deep = `${'['.repeat(500)}"]"${']'.repeat(500)}`
    expect(plain(parseTolerantly(`{"deep":{"x":${deep}},"message":"m"`))).toMatchObject({ message: 'm' })
  })

  it('makes no prototype of __proto__', () => {
    const value = parseTolerantly('{"__proto__":{"a":1},"b":')
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.keys(value as object)).toEqual(['__proto__'])
  })

  it('reads whole JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        expect(plain(parseTolerantly(`${text} `))).toEqual(plain(JSON.parse(text)))
      }),
    )
  })

  it('reads any beginning of JSON, and keeps the complete fields', () => {
    const fields = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ unit: 'binary' }), {
      minKeys: 1,
    })
    fc.assert(
      fc.property(fields, fc.nat(), (object, cut) => {
        const text = JSON.stringify(object)
        const part = text.slice(0, 1 + (cut % text.length))
        const read = (parseTolerantly(part) ?? {}) as Record<string, unknown>
        for (const [key, value] of Object.entries(object)) {
          if (part.includes(`${JSON.stringify(key)}:${JSON.stringify(value)},`)) expect(read[key]).toBe(value)
        }
      }),
    )
  })
})
