import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findUserIds, withUserIds } from './user-ids.js'

const valuesOf = (text: string): string[] => findUserIds(Buffer.from(text)).map(({ value }) => value)
const changed = (text: string): string => {
  const body = Buffer.from(text)
  return withUserIds(body, findUserIds(body), (value) => `<${value}>`).toString()
}

describe('the places', () => {
  test.each([
    ['of Anthropic', '{"model":"m","metadata":{"user_id":"u"}}', ['u']],
    [
      'of a batch of Anthropic',
      '{"requests":[{"custom_id":"1","params":{"metadata":{"user_id":"a"}}},{"params":{"metadata":{"user_id":"b"}}}]}',
      ['a', 'b'],
    ],
    ['of OpenAI', '{"user":"u","safety_identifier":"s"}', ['u', 's']],
    ['of both', '{"metadata":{"user_id":"m"},"user":"u"}', ['m', 'u']],
    ['with space everywhere', ' \n{ "metadata" :\t{ "x" : [ 1 ] , "user_id"\r\n: "u" } }', ['u']],
    ['after a byte order mark', '\ufeff{"user":"u"}', ['u']],
    ['with escaped keys', '{"\\u006detadata":{"user\\u005fid":"u"}}', ['u']],
    ['with escapes in the value', '{"user":"a\\"b\\u00e9\\\\"}', ['a"bé\\']],
    [
      'of repeated keys, every one',
      '{"user":"a","user":"b","metadata":{},"metadata":{"user_id":"c"}}',
      ['a', 'b', 'c'],
    ],
    ['of a JSON text', '{"metadata":{"user_id":"{\\"device_id\\":\\"d\\"}"}}', ['{"device_id":"d"}']],
    ['of values that are no text', '{"user":5,"safety_identifier":{"a":[1]}}', ['5', '{"a":[1]}']],
    ['of a very long value', `{"user":"${'u'.repeat(5_000)}"}`, ['u'.repeat(5_000)]],
    ['of a value that is no text of JSON', '{"user":"a\nb"}', ['"a\nb"']],
    ['cut off behind it', '{"user":"u","messages":[{"content":"abc', ['u']],
    ['cut off in it', '{"user":"who', ['"who']],
  ])('%s', (_name, text, values) => {
    expect(valuesOf(text)).toEqual(values)
  })

  test.each([
    ['empty', '{"user":"","metadata":{"user_id":null}}'],
    ['in a message', '{"messages":[{"role":"user","user":"no","metadata":{"user_id":"no"}}]}'],
    [
      'deeper than where it counts',
      '{"metadata":{"metadata":{"user_id":"no"},"user":"no"},"a":{"user":"no"}}',
    ],
    ['at the top', '{"user_id":"no"}'],
    ['in a list where an object belongs', '{"metadata":[{"user_id":"no"}]}'],
    ['in an object where a list belongs', '{"requests":{"*":{"params":{"metadata":{"user_id":"no"}}}}}'],
    ['in a text', '{"a":"{\\"user\\":\\"no\\"}"}'],
    ['as a value', '{"a":"user","b":"metadata"}'],
    ['of the prototype', '{"constructor":"no","__proto__":"no","toString":{"user":"no"}}'],
    ['in a list', '[{"user":"no"}]'],
    ['no JSON', 'user=no'],
    ['broken before it', '{"a":]"user":"no"}'],
    ['broken in a list before it', '{"requests":[}],"user":"no"}'],
    ['nothing', ''],
  ])('not meant: %s', (_name, text) => {
    expect(valuesOf(text)).toEqual([])
  })
})

test('the rest of the body stays as it is', () => {
  expect(
    changed('\ufeff{ "user" : "a" ,\n"n":1.0e0, "metadata":{"k":1e400,"user_id":"\\u0062"}, "user":7}\n'),
  ).toBe('\ufeff{ "user" : "<a>" ,\n"n":1.0e0, "metadata":{"k":1e400,"user_id":"<b>"}, "user":"<7>"}\n')
  expect(changed('{"a":1}')).toBe('{"a":1}')
})

describe('of any body', () => {
  const key = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom('user', 'safety_identifier', 'metadata', 'user_id', 'requests', 'params'),
    },
    fc.string(),
  )
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(key, tie('any'), { maxKeys: 4 }),
    ),
  })).any
  const body = fc.dictionary(key, value, { maxKeys: 6 })

  test('what a parser sees is the same, but for the ids', () => {
    const replaced = (old: unknown): unknown =>
      old === '' || old === null ? old : `<${typeof old === 'string' ? old : JSON.stringify(old)}>`
    const inParams = (request: unknown): unknown => {
      const params = own(request, 'params')
      return params === undefined ? request : { ...Object(request), params: inMetadata(params) }
    }
    fc.assert(
      fc.property(body, (object) => {
        const plain: unknown = JSON.parse(JSON.stringify(object))
        const wanted = Object.fromEntries(
          Object.entries(Object(inMetadata(plain))).map(([name, inner]) => {
            if (name === 'user' || name === 'safety_identifier') return [name, replaced(inner)]
            return [name, name === 'requests' && Array.isArray(inner) ? inner.map(inParams) : inner]
          }),
        )
        expect(JSON.parse(changed(JSON.stringify(plain)))).toEqual(wanted)
      }),
      { numRuns: 500 },
    )

    function inMetadata(parent: unknown): unknown {
      const metadata = own(parent, 'metadata')
      if (own(metadata, 'user_id') === undefined) return parent
      const user_id = replaced(own(metadata, 'user_id'))
      return { ...Object(parent), metadata: { ...Object(metadata), user_id } }
    }
  })

  test('each byte outside the values stays where it is, whatever the spaces and escapes', () => {
    fc.assert(
      fc.property(body, fc.nat(3), (object, indent) => {
        const bytes = Buffer.from(JSON.stringify(object, null, indent))
        const places = findUserIds(bytes)
        const after = withUserIds(bytes, places, () => 'x')
        let [from, to] = [0, 0]
        for (const { start, end } of places) {
          expect(after.subarray(to, to + start - from).equals(bytes.subarray(from, start))).toBe(true)
          to += start - from
          expect(after.toString('utf8', to, to + 3)).toBe('"x"')
          ;[from, to] = [end, to + 3]
        }
        expect(after.subarray(to).equals(bytes.subarray(from))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('nothing is thrown, and places are in order and within it', () => {
    const piece = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        ' ',
        '5',
        '"user"',
        '"metadata":{',
        '"user_id":',
        '"requests":[',
        '"params":',
        '"x"',
      ],
    )
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(`{${pieces.join('')}`)),
    )
    fc.assert(
      fc.property(broken, (bytes) => {
        let before = 0
        for (const { start, end } of findUserIds(bytes)) {
          expect(start).toBeGreaterThanOrEqual(before)
          expect(end).toBeGreaterThan(start)
          before = end
        }
        expect(before).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 1_000 },
    )
  })

  test('costs no more than a walk through the bytes', () => {
    const hostile = [
      `{"user":"${'\\'.repeat(500_000)}`,
      `{"metadata":${'{"metadata":'.repeat(80_000)}`,
      `{"requests":${'['.repeat(500_000)}`,
      `{"requests":[${'{"params":{"metadata":{}}},'.repeat(25_000)}]}`,
      `{${'"user":"",'.repeat(80_000)}`,
      `{"metadata":{"user_id":"${'\\"'.repeat(250_000)}"}}`,
      `{${'"metadata":{"a":1},'.repeat(50_000)}"user":"u"}`,
    ]
    const startedAt = performance.now()
    expect(hostile.map((text) => valuesOf(text).length)).toEqual([1, 0, 0, 0, 0, 1, 1])
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})

function own(object: unknown, name: string): unknown {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return undefined
  return Object.getOwnPropertyDescriptor(object, name)?.value
}
