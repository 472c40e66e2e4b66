import { describe, expect, it } from 'vitest'
import { Collector } from './collector.js'
import type { ImportDraft } from './draft.js'

function draft(name: string, secret: string): ImportDraft {
  return { provider: 'openai', name, mode: 'api_key', secret, source: 'test' }
}

describe('Collector', () => {
  it('gives a draft whose name is taken its other name, once', () => {
    const found = new Collector()
    found.take('a', { draft: draft('x', '1') })
    found.take('b', { draft: draft('x', '2'), otherwise: 'y' })
    found.take('c', { draft: draft('x', '3'), otherwise: 'y' })
    found.take('d', { draft: draft('x', '2'), otherwise: 'y' })
    found.take('e', { draft: draft('x', '1'), otherwise: 'z' })
    const { drafts, skipped, failed } = found.result()
    expect(drafts.map(({ name, secret }) => [name, secret])).toEqual([
      ['x', '1'],
      ['y', '2'],
    ])
    expect(failed).toEqual([{ id: 'c', reason: 'another credential is called openai:y already' }])
    expect(skipped).toEqual([
      { id: 'd', reason: 'it holds the same credential as openai:y' },
      { id: 'e', reason: 'it holds the same credential as openai:x' },
    ])
  })

  it('goes on after an entry that cannot be read, but not after a mistake of its own', () => {
    const found = new Collector()
    found.takeEach([{ key: 'bad' }, { key: 'good' }], ({ key }) => ({
      draft: draft(key === 'bad' ? 'a:b' : key, key),
    }))
    expect(found.result().drafts.map(({ name }) => name)).toEqual(['good'])
    expect(found.result().failed).toEqual([
      { id: 'bad', reason: '"a:b" is not a profile name: it contains a colon' },
    ])
    expect(() =>
      found.takeEach([{ key: 'x' }], () => {
        throw new TypeError('a mistake')
      }),
    ).toThrow(TypeError)
  })

  it('cuts what an entry is called when it would drown the rest', () => {
    const found = new Collector()
    found.skip('x'.repeat(1_000_000), 'y'.repeat(1000))
    const [note] = found.result().skipped
    expect(note?.id).toHaveLength(201)
    expect(note?.reason).toHaveLength(201)
  })
})
