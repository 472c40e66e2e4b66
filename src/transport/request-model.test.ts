import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonText } from './json-walk.js'
import { findModel, requestedModel, withModel } from './request-model.js'

const PATH = '/chat/completions'

function modelOf(text: string): string | undefined {
  return requestedModel(PATH, new JsonText(Buffer.from(text)))
}

describe('the model of a body', () => {
  test.each([
    ['first', '{"model":"gpt-4o","messages":[]}', 'gpt-4o'],
    ['last', '{"messages":[{"content":"a"}],"stream":true,"n":1,"model":"gpt-4o"}', 'gpt-4o'],
    ['with space everywhere', ' \n{ "a" : [ 1 , {"b":2} ] ,\t"model" :\r\n "m" }', 'm'],
    ['after a byte order mark', '\ufeff{"model":"m"}', 'm'],
    ['with an escaped key', '{"mod\\u0065l":"m"}', 'm'],
    ['with escapes', '{"x":"\\\\","model":"a\\"b\\u00e9"}', 'a"bé'],
    ['twice: the last counts, as for parsers', '{"model":"a","model":"b"}', 'b'],
    ['deeper: not meant', '{"input":{"model":"no"},"s":"\\"model\\":\\"no\\""}', undefined],
    ['no text', '{"model":5}', undefined],
    ['empty', '{"model":""}', undefined],
    ['cut off behind it', '{"model":"m","messages":[{"content":"abc', 'm'],
    ['cut off in it', '{"model":"m', undefined],
    ['a list', '[{"model":"m"}]', undefined],
    ['no JSON', 'model=m', undefined],
    ['nothing', '', undefined],
    ['brackets in texts', '{"a":"}]","b":["{","]"],"model":"m"}', 'm'],
    ['a lone brace', '{', undefined],
    ['longer than any name', `{"model":"${'m'.repeat(2_000)}"}`, undefined],
  ])('%s', (_name, text, model) => {
    expect(modelOf(text)).toBe(model)
  })

  test('is what a parser finds, whatever the object', () => {
    const key = fc.oneof(fc.constant('model'), fc.string())
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.nat(3), (object, indent) => {
        const named = Object.hasOwn(object, 'model') ? object.model : undefined
        const wanted = typeof named === 'string' && named !== '' ? named : undefined
        expect(modelOf(JSON.stringify(object, null, indent))).toBe(wanted)
      }),
    )
  })

  test('costs no more than a walk through the bytes', () => {
    const hostile = [
      `{"a":"${'\\'.repeat(2_000_000)}`,
      `{"a":${'['.repeat(2_000_000)}`,
      `{${'"a":1,'.repeat(300_000)}`,
      `{"a":"${'\\"'.repeat(1_000_000)}","model":"m"}`,
    ]
    const startedAt = performance.now()
    expect(hostile.map(modelOf)).toEqual([undefined, undefined, undefined, 'm'])
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        findModel(new JsonText(Buffer.from(bytes)))
        findModel(new JsonText(Buffer.concat([Buffer.from('{'), bytes])))
        withModel(Buffer.concat([Buffer.from('{"'), bytes]), 'x')
      }),
    )
  })
})

describe('the model of a path', () => {
  test.each([
    ['/v1beta/models/gemini-2.5-pro:generateContent', 'gemini-2.5-pro'],
    ['/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse', 'gemini-2.5-pro'],
    ['/v1beta/tunedModels/my%20own:generateContent', 'my own'],
    ['/v1beta/models/%zz:generateContent', '%zz'],
    ['/v1beta/models/gemini-2.5-pro', undefined],
    ['/v1beta/models?pageSize=1', undefined],
    ['/openai/deployments/my-gpt-4o/chat/completions?api-version=2024-10-21', 'my-gpt-4o'],
    ['/openai/deployments/my%20gpt/embeddings', 'my gpt'],
  ])('%s', (path, model) => {
    expect(requestedModel(path, undefined)).toBe(model)
    expect(requestedModel(path, new JsonText(Buffer.from('{"contents":[]}')))).toBe(model)
  })
})

describe('another model', () => {
  test.each([
    ['{"a": 1.0, "model" : "old", "b":[1e400]}', '{"a": 1.0, "model" : "né\\"w", "b":[1e400]}'],
    ['{"messages":[]}', '{"model":"né\\"w","messages":[]}'],
    ['{"model":{"a":[1]},"b":2}', '{"model":"né\\"w","b":2}'],
    ['{ }', '{"model":"né\\"w" }'],
    ['[1]', '[1]'],
    ['not json', 'not json'],
    ['', ''],
  ])('%s', (before, after) => {
    expect(withModel(Buffer.from(before), 'né"w').toString()).toBe(after)
  })

  test('is found again, and everything else is as it was', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.string({ minLength: 1 }),
        (object, model) => {
          const { model: _old, ...others } = object
          const changed = JSON.parse(withModel(Buffer.from(JSON.stringify(object)), model).toString())
          const { model: found, ...rest } = changed
          expect(found).toBe(model)
          expect(JSON.stringify(rest)).toBe(JSON.stringify(JSON.parse(JSON.stringify(others))))
        },
      ),
    )
  })
})
